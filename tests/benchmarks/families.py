"""
How near each attacker and the nested winner come to the Bayes rate, family of leaks by family, and in which CPU time.

    python tests/benchmarks/families.py [--rows N] [--width D] [--families F...] [--attackers A...] [--seed S] [--plain]

Rows are divided as from 20,000 rows on: each attacker is tuned on 50 % and answers 20 %, where the winner is chosen
by E; then it is refitted on both with what it settled on, and answers the last 30 %, which are scored. Accuracy is
that under weights that make the attribute even within each target class. CPU seconds are of tuning and refit, one
thread; moments and components are computed once for all attackers and stand in the head of the family.
"""

import argparse
import platform
import time
from dataclasses import dataclass

import numpy as np
import torch
from leaks import FAMILIES, TARGETS, WIDE, Leak, make
from threadpoolctl import threadpool_limits

from leakaudit import catalog
from leakaudit.attackers import Question, Rows
from leakaudit.numerics.moments import moments

PARTS = (0.5, 0.2, 0.3)
SUITE = ("linear", "linear-per-target", "quadratic", "mlp", "nearest")


@dataclass(frozen=True)
class Result:
    """One attacker on one family."""

    chosen: float
    """Accuracy on the validation part."""
    reached: float
    """Accuracy on the scored part."""
    seconds: float
    note: str


def weights(target: np.ndarray, private: np.ndarray) -> np.ndarray:
    """#y / #(y, v), of mean 1."""
    cells = np.bincount(target * 2 + private, minlength=2 * TARGETS).reshape(-1, 2)
    made = cells.sum(1)[target] / np.maximum(cells[target, private], 1) / 2
    return (made / made.mean()).astype(np.float32)


class Field:
    """The rows of a leak in their three parts."""

    def __init__(self, leak: Leak, seed: int) -> None:
        start = time.process_time()
        self.leak, self.known = leak, moments(leak.z)
        self.x = self.known.basis.components(leak.z)
        self.seconds = time.process_time() - start
        order = np.random.default_rng(seed + 1).permutation(len(leak.z))
        first, second = (int(len(order) * share) for share in (PARTS[0], PARTS[0] + PARTS[1]))
        self.parts = [np.sort(part) for part in (order[:first], order[first:second], order[second:])]

    def rows(self, part: np.ndarray) -> Rows:
        """As an attacker gets them."""
        return Rows(self.leak.z[part], self.leak.target[part], TARGETS, part, self.known, self.x[part])

    def ask(self, part: np.ndarray, settled: object = None) -> Question:
        """Balanced within the target."""
        private = self.leak.private[part]
        return Question(private, weights(self.leak.target[part], private), 2, settled)

    def accuracy(self, probabilities: np.ndarray, part: np.ndarray) -> float:
        """Share guessed right, weighted so that the attribute is even within each target class."""
        private = self.leak.private[part]
        return float(np.average(probabilities.argmax(1) == private, weights=weights(self.leak.target[part], private)))

    def run(self, name: str, seed: int, device: str) -> Result:
        """Tune, refit and score one attacker."""
        attack = catalog.thing("attackers", name).attack
        train, validation, test = self.parts
        seen = np.sort(np.concatenate((train, validation)))
        start = time.process_time()
        [first] = attack(self.rows(train), self.rows(validation), (self.ask(train),), seed=seed, device=device)
        [last] = attack(self.rows(seen), self.rows(test), (self.ask(seen, first.settled),), seed=seed, device=device)
        seconds = time.process_time() - start
        note = last.notes[0] if last.notes else ""
        chosen = self.accuracy(first.probabilities, validation)
        reached = self.accuracy(last.probabilities, test)
        return Result(chosen, reached, seconds, note if last.converged else f"{note} (not converged)")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--families", nargs="+", choices=tuple(FAMILIES), default=tuple(FAMILIES))
    options.add_argument("--attackers", nargs="+", default=SUITE)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--plain", action="store_true", help="without the softplus")
    options.add_argument("--notes", action="store_true", help="what each attacker chose")
    options.add_argument("--device", default="cpu")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    versions = f"torch {torch.__version__}, numpy {np.__version__}"
    shape = "rotated" if chosen.plain else "rotated, softplus"
    print(f"Python {platform.python_version()}, {versions}; {chosen.rows:,} rows, {shape}, seed {chosen.seed}")
    attackers = [name for name in chosen.attackers if name in catalog.names("attackers")]
    head = " | ".join(f"{name:>17}" for name in attackers)
    print(
        f"{'family':>16} {'width':>5} {'Bayes':>6} {'shared s':>8} | {head} | nested winner, its accuracy, points short"
    )
    for family in chosen.families:
        field = Field(make(family, chosen.rows, chosen.width, chosen.seed, positive=not chosen.plain), chosen.seed)
        results = {name: field.run(name, chosen.seed, chosen.device) for name in attackers}
        winner = max(results, key=lambda name: results[name].chosen)
        width = WIDE if family == "high-dimensional" else chosen.width
        each = " | ".join(f"{made.reached:>7.4f} {made.seconds:>7.2f} s" for made in results.values())
        gap = 100 * (field.leak.bayes - results[winner].reached)
        print(
            f"{family:>16} {width:>5} {field.leak.bayes:>6.3f} {field.seconds:>8.2f} | {each} | "
            f"{winner} {results[winner].reached:.4f} {gap:+.1f}",
            flush=True,
        )
        if chosen.notes:
            for name, made in results.items():
                print(f"{'':>24} {name}: {made.note}")


if __name__ == "__main__":
    main()
