"""
The mlp attacker against scikit-learn's MLPClassifier on the same embeddings: CPU seconds, one thread each.

    python tests/benchmarks/networks.py [--rows N] [--width D...] [--families F...] [--peer-epochs E] [--many Q]

One question, 70 % of the rows seen and 30 % scored. `mlp` chooses its form on held-out rows and trains it, in one call.
The peers get standardised columns with the target class beside them, one-hot, and run with their defaults, without and
with early stopping. With `--peer-epochs` the first peer stops after so many epochs and its seconds, not its accuracy,
are extrapolated to the 200 it would run: the line says so. `--many` asks so many other questions at once, tuned on 50 %
of the rows and refitted on 70 %, and prints the seconds of the two calls.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable

import numpy as np
import sklearn
import torch
from leaks import TARGETS, Leak, make
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from leakaudit.attackers import Guesses, Question, Rows, mlp
from leakaudit.numerics.moments import Moments, moments

DEFAULT_EPOCHS = 200


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


class Field:
    """A leak as attackers get it; moments and components are those of the audit."""

    def __init__(self, leak: Leak) -> None:
        self.leak = leak
        self.known: Moments = moments(leak.z)
        self.x = self.known.basis.components(leak.z)

    def rows(self, part: slice) -> Rows:
        """Some rows."""
        each = np.arange(len(self.leak.z))[part]
        return Rows(self.leak.z[part], self.leak.target[part], TARGETS, each, self.known, self.x[part])

    def ask(self, labels: list[np.ndarray], end: int, start: int, settled: list[Guesses] | None) -> list[Guesses]:
        """Questions about the rows before `end`, answered for those from `start` on."""
        before = [None] * len(labels) if settled is None else [guess.settled for guess in settled]
        weights = np.ones(end, np.float32)
        asked = tuple(Question(each[:end], weights, 2, known) for each, known in zip(labels, before, strict=True))
        return mlp.attack(self.rows(slice(end)), self.rows(slice(start, None)), asked, seed=0, device="cpu")


def compare(field: Field, name: str, epochs: int) -> str:
    """One line of the table."""
    leak, end = field.leak, int(0.7 * len(field.leak.z))
    answer: list[Guesses] = []
    ours = cpu(lambda: answer.extend(field.ask([leak.private], end, end, None)))
    reached = float((answer[0].probabilities.argmax(1) == leak.private[end:]).mean())
    hot = np.eye(TARGETS, dtype=np.float32)[leak.target]
    x = np.hstack((StandardScaler().fit(leak.z[:end]).transform(leak.z), hot))
    words = []
    for early in (False, True):
        most = epochs if epochs and not early else DEFAULT_EPOCHS
        peer = MLPClassifier(early_stopping=early, max_iter=most, random_state=0)
        seconds = cpu(lambda peer=peer: peer.fit(x[:end], leak.private[:end]))
        accuracy = float((peer.predict(x[end:]) == leak.private[end:]).mean())
        cut = most < DEFAULT_EPOCHS and peer.n_iter_ == most
        seconds *= DEFAULT_EPOCHS / most if cut else 1
        after = f"extrapolated from {most}" if cut else f"{peer.n_iter_}"
        words.append(f"{seconds:>7.1f} {accuracy:.4f} {seconds / ours:>6.1f}x ({after} epochs)")
    return f"{name:>16} {leak.z.shape[1]:>5} | {ours:>6.2f} {reached:.4f} {answer[0].converged!s:>5} | " + " | ".join(
        words
    )


def many(field: Field, questions: int) -> str:
    """One line: many attributes of which the first leaks."""
    leak, half, end = field.leak, len(field.leak.z) // 2, int(0.7 * len(field.leak.z))
    chance = np.random.default_rng(0)
    labels = [leak.private, *(chance.permutation(leak.private) for _ in range(questions - 1))]
    first: list[Guesses] = []
    last: list[Guesses] = []
    tune = cpu(lambda: first.extend(field.ask(labels, half, half, None)))
    refit = cpu(lambda: last.extend(field.ask(labels, end, end, first)))
    reached = float((last[0].probabilities.argmax(1) == leak.private[end:]).mean())
    found = f"tune {tune:.2f} s, refit {refit:.2f} s, the first {reached:.4f}"
    return f"{questions} questions, {leak.z.shape[1]} columns: {found}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--width", type=int, nargs="+", default=[128])
    options.add_argument("--families", nargs="+", default=["xor", "class-direction"])
    options.add_argument("--peer-epochs", type=int, default=0)
    options.add_argument("--many", type=int, default=0)
    options.add_argument("--no-peers", action="store_true")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    versions = f"torch {torch.__version__}, numpy {np.__version__}, scikit-learn {sklearn.__version__}"
    print(f"Python {platform.python_version()}, {versions}; {chosen.rows:,} rows, Bayes .90")
    print(
        "          family width |  mlp s  test conv. | sk default s  test   ratio | sk early stopping s  test   ratio"
    )
    for width in chosen.width:
        for name in chosen.families:
            field = Field(make(name, chosen.rows, width, 0))
            if not chosen.no_peers:
                print(compare(field, name, chosen.peer_epochs), flush=True)
            if chosen.many:
                print(many(field, chosen.many), flush=True)


if __name__ == "__main__":
    main()
