"""
LEACE against its authors' library, and the AUC inside target classes against scikit-learn: CPU seconds, one thread.

    OMP_NUM_THREADS=1 python tests/benchmarks/erasure.py [--rows 50000] [--width 512]
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from leakaudit import ranking
from leakaudit.numerics.erasure import erase

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from concept_erasure import LeaceFitter


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """CPU seconds of the quickest of some runs."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    """Print each time, its peer's and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=512)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    n = chosen.rows
    z = rng.standard_normal((n, chosen.width)).astype(np.float32)
    private, target = rng.integers(0, 2, n), rng.integers(0, 10, n)
    z[:, 0] += private
    labels = np.eye(2)[private]
    x, one = torch.from_numpy(z), torch.from_numpy(labels)
    score = (1 / (1 + np.exp(-z[:, 0]))).astype(np.float64)
    chances = np.stack([1 - score, score], axis=1)
    work = {
        f"LEACE, {n:,} x {chosen.width}": (
            lambda: erase(z, labels).apply(z),
            lambda: LeaceFitter.fit(x, one, shrinkage=False).eraser(x),
        ),
        f"AUC in 10 target classes with its interval, {n:,} rows": (
            lambda: ranking.auc(chances, target, private).interval,
            lambda: [roc_auc_score(private[target == y], score[target == y]) for y in range(10)],
        ),
    }
    for name, (ours, theirs) in work.items():
        own, peer = seconds(ours), seconds(theirs)
        print(f"{name}: {own:.3f} s, peer {peer:.3f} s, {peer / own:.1f}x")


if __name__ == "__main__":
    main()
