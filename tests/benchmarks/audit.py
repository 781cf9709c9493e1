"""
The whole audit of many attributes against scikit-learn's LogisticRegression alone in a loop: CPU seconds, one thread.

    python tests/benchmarks/audit.py [--rows 50000] [--width 512] [--attributes 40] [--peers 3] [--attackers NAME...]

`leakaudit.attack` runs the suite `standard`, the baselines that embeddings have (model output, LEACE), shuffled and
planted controls, the permutation test, and the curve of labels needed, on `rows` rows. The peer is one default
LogisticRegression() per attribute on the raw columns of as many training rows, extrapolated from `--peers` of them.
"""

import argparse
import platform
import shlex
import sys
import time
import warnings
from collections import Counter

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from leakaudit import attack
from leakaudit.catalog import call
from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.protocol import SUITES

TARGETS = 10


def embeddings(rows: int, width: int, attributes: int, seed: int) -> Embeddings:
    """Non-negative correlated features, as after ReLU and pooling, and attributes from unreadable to plain."""
    chance = np.random.default_rng(seed)
    u = chance.standard_normal((rows, width), np.float32)
    y = chance.integers(0, TARGETS, rows)
    u += 2 * chance.standard_normal((TARGETS, width), np.float32)[y] / width**0.25
    columns = {"target": Labels(y, tuple(map(str, range(TARGETS))))}
    for k in range(attributes):
        direction = chance.standard_normal(width).astype(np.float32)
        score = u @ (direction / np.linalg.norm(direction)) * 4 * k / max(attributes - 1, 1)
        columns[f"v{k:02}"] = Labels(
            (score + chance.logistic(size=rows) > np.median(score)).astype(np.int64), ("a", "b")
        )
    turn = np.linalg.qr(chance.standard_normal((width, width)))[0]
    spread = ((np.arange(1, width + 1) ** -0.72)[:, None] * turn).astype(np.float32)
    z = np.logaddexp(0, 4 * u @ spread).astype(np.float32)
    logits = (3 * np.eye(TARGETS)[y] + chance.standard_normal((rows, TARGETS))).astype(np.float32)
    origin = Origin("made", "file", "0" * 64, "", "", f"made {seed}")
    return Embeddings(z, logits, columns, identify("made", list(map(str, range(rows)))), origin)


def main() -> None:
    """Print both times, their ratio, and what the audit said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--peers", type=int, default=3)
    parser.add_argument("--attackers", nargs="+", default=list(SUITES["standard"]))
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    versions = f"torch {torch.__version__}, numpy {np.__version__}, scikit-learn {sklearn.__version__}"
    print(f"python {shlex.join(sys.argv)}\nPython {platform.python_version()}, {versions}, seed {a.seed}")
    made = embeddings(a.rows, a.width, a.attributes, a.seed)
    names = tuple(name for name in made.columns if name != "target")
    run = attack.attack(
        made, private=names, target="target", attackers=tuple(call("attackers", name, "") for name in a.attackers),
        auxiliaries=("balanced",), exhibits=attack.Exhibits(), tolerance=0.1, seed=a.seed, device="cpu",
    )  # fmt: skip
    spent: Counter[str] = Counter()
    start = last = time.process_time()
    while True:
        try:
            step = next(run)
        except StopIteration as end:
            audit, _ = end.value
            break
        now = time.process_time()
        spent[step.words] += now - last
        last = now
    ours = last - start
    for words, seconds in spent.items():
        print(f"  {seconds:>8.2f} s  {words}")
    theirs = []
    for name in names[:: max(1, len(names) // a.peers)][: a.peers]:
        start = time.process_time()
        LogisticRegression().fit(made.z, made.columns[name].values)
        theirs.append(time.process_time() - start)
    peer = float(np.mean(theirs)) * len(names)
    verdicts = Counter(part.verdict for part in audit.attributes)
    print(f"verdicts: {dict(verdicts)}; controls {[(c.control, c.passed) for c in audit.attributes[0].controls]}")
    print(f"audit of {len(names)} attributes, {a.rows:,} x {a.width}: {ours:.1f} CPU-s")
    print(f"LogisticRegression() x {len(names)}, extrapolated from {len(theirs)}: {peer:.1f} CPU-s, {peer / ours:.2f}x")


if __name__ == "__main__":
    main()
