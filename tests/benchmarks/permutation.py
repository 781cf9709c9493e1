"""
What the permutation test costs: `python tests/benchmarks/permutation.py --rows 2000 50000`.

CPU seconds, the least of three; its peer is scikit-learn's `permutation_test_score` of a ridge in five folds,
timed over few permutations and counted for as many as ours.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import permutation_test_score
from threadpoolctl import threadpool_limits

from leakaudit.numerics import permutation

PEERS = 4
"""Permutations of the peer that are timed."""
SETTINGS = {2_000: (64, 1, 399), 7_000: (64, 1, 399), 50_000: (512, 40, 1_023)}
"""Components, attributes and permutations by rows."""


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """The least CPU time of a run."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return min(spent)


def main() -> None:
    """Print a line for each number of rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", choices=sorted(SETTINGS), default=sorted(SETTINGS))
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    print(f"python {shlex.join(sys.argv)}")
    threadpool_limits(1)
    for rows in a.rows:
        width, attributes, draws = SETTINGS[rows]
        rng = np.random.default_rng(a.seed)
        x = rng.standard_normal((rows, width), dtype=np.float32)
        target, labels = rng.integers(0, 2, rows), rng.integers(0, 2, (attributes, rows))
        ours = seconds(
            lambda x=x, target=target, labels=labels, draws=draws: permutation.test(
                x, np.arange(1, x.shape[1] + 1) ** -0.5, target, 2, labels, (2,) * len(labels), None,
                draws=draws, seed=0,
            )
        )  # fmt: skip
        theirs = seconds(
            lambda x=x, label=labels[0]: permutation_test_score(
                RidgeClassifier(), x, label, n_permutations=PEERS, cv=5, random_state=0
            ),
            1,
        )
        theirs *= attributes * (draws + 1) / (PEERS + 1)
        print(
            f"{rows:>7,} rows, d = {width}, {attributes} attributes, {draws + 1} relabellings: {ours:.3f} s; "
            f"scikit-learn's ridge alone {theirs:,.0f} s, {theirs / ours:,.0f} times as long"
        )


if __name__ == "__main__":
    main()
