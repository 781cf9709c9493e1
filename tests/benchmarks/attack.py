"""
The linear attacker against scikit-learn's LogisticRegression on the same embeddings: CPU seconds, one thread each.

    python tests/benchmarks/attack.py [--rows N...] [--width D...] [--classes C...] [--questions Q]

`linear` searches bases and penalties on held-out rows before its last fit. It is compared with one fit at C = 1 on
standardised columns, scikit-learn's defaults, and with as many such fits as `linear` makes (penalties from .001 to 1,
extrapolated from one fit at each; several questions are extrapolated from the first). Test accuracy stands beside:
time bought with accuracy is no gain.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from leakaudit.attackers import Question, Rows, linear
from leakaudit.numerics.search import MANY, strengths

TEST = 10_000


def embeddings(rows: int, width: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative correlated features, as after ReLU and average pooling, and a label that linear rules half read."""
    chance = np.random.default_rng(seed)
    u = chance.normal(size=(rows, width)).astype(np.float32)
    score = u @ chance.normal(size=(width, classes)).astype(np.float32) * (1.5 / width**0.5)
    labels = (score + chance.gumbel(size=(rows, classes))).argmax(1)
    turn = np.linalg.qr(chance.normal(size=(width, width)))[0]
    spread = (np.arange(1, width + 1) ** -0.72)[:, None] * turn
    return np.logaddexp(0, 4 * u @ spread.astype(np.float32)).astype(np.float32), labels


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(rows: int, width: int, classes: int, questions: int, seed: int) -> str:
    """One line of the table."""
    z, labels = embeddings(rows + TEST, width, classes, seed)
    target, group = np.zeros(len(z), np.int64), np.arange(len(z))
    guesses = []

    def ours() -> None:
        seen, unseen = (Rows(z[part], target[part], 1, group[part]) for part in (slice(rows), slice(rows, None)))
        more = [(labels[:rows] + np.arange(rows) % (k + 1)) % classes for k in range(questions)]
        asked = tuple(Question(each, np.ones(rows, np.float32), classes) for each in more)
        guesses.extend(linear.attack(seen, unseen, asked, seed=seed, device="cpu"))

    def fit(strength: float, count: int) -> float:
        x = StandardScaler().fit(z[:rows])
        model = LogisticRegression(C=1 / (strength * count))
        model.fit(x.transform(z[:count]), labels[:count])
        return float((model.predict(x.transform(z[rows:])) == labels[rows:]).mean())

    seconds = cpu(ours)
    accuracy = float((guesses[0].probabilities.argmax(1) == labels[rows:]).mean())
    theirs: list[float] = []
    default = cpu(lambda: theirs.append(fit(1 / rows, rows))) * questions
    folds, kept = 2 if rows < MANY else 1, rows * 3 // 4
    ladder = strengths(3)
    choices = 4 if width > 64 else 3
    each_fit = [cpu(lambda strength=strength: theirs.append(fit(strength, kept))) for strength in ladder]
    search = (sum(each_fit) * choices * folds + each_fit[0]) * questions
    count = (len(ladder) * choices * folds + 1) * questions
    return (
        f"{rows:>7,} {width:>5} {classes:>7} | {seconds:>8.3f} {accuracy:.4f} {guesses[0].converged!s:>5} | "
        f"{default:>8.3f} {theirs[0]:.4f} {default / seconds:>6.1f}x | "
        f"{search:>8.2f} ({count:>3} fits) {max(theirs):.4f} {search / seconds:>6.1f}x | {guesses[0].notes[0]}"
    )


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs="+", default=[2_000, 50_000])
    options.add_argument("--width", type=int, nargs="+", default=[128, 512])
    options.add_argument("--classes", type=int, nargs="+", default=[2, 10])
    options.add_argument("--questions", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    versions = f"torch {torch.__version__}, numpy {np.__version__}, scikit-learn {sklearn.__version__}"
    print(f"Python {platform.python_version()}, {versions}, seed {chosen.seed}, {chosen.questions} question(s)")
    print(
        "   rows width classes | linear s   test  conv. | sk C=1 s   test   ratio "
        "| sk as many fits, s  best test   ratio | chosen"
    )
    for rows in chosen.rows:
        for width in chosen.width:
            for classes in chosen.classes:
                print(compare(rows, width, classes, chosen.questions, chosen.seed), flush=True)


if __name__ == "__main__":
    main()
