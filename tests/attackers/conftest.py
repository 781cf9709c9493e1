"""Made-up leaks whose Bayes rate is known, and the questions about them."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.catalog import thing

TARGETS = 10
COMPONENTS = 16
"""Leaks are written into the leading components."""


class Leak:
    """A binary private label written into z with Bayes excess `size`, of one shape, in a correlated z."""

    def __init__(self, shape: str, size: float, rows: int, width: int, seed: int, decades: float = 3.0) -> None:
        chance = np.random.default_rng(seed)
        u = chance.normal(size=(rows, width))
        self.target = chance.integers(0, TARGETS, rows)
        self.private = chance.integers(0, 2, rows)
        sign = 2 * self.private - 1
        picked = chance.permutation(min(COMPONENTS, width))
        each = np.arange(rows)
        if shape == "linear":
            _write(u, each, picked[0], sign, (1 + size) / 2)
        elif shape == "class":
            turned = chance.integers(0, 2, TARGETS) * 2 - 1
            _write(
                u, each, picked[chance.integers(0, 4, TARGETS)][self.target], turned[self.target] * sign, (1 + size) / 2
            )
        elif shape == "xor":
            bit = chance.integers(0, 2, rows) * 2 - 1
            read = (1 + size**0.5) / 2
            _write(u, each, picked[0], bit, read)
            _write(u, each, picked[1], bit * sign, read)
        elif shape == "radial":
            # Two deviations of one component: told apart best by its size.
            u[:, picked[0]] *= np.where(sign > 0, 3.0, 1 / 3)
        else:
            assert shape == "none"
        turn = np.linalg.qr(chance.normal(size=(width, width)))[0]
        self.z = ((u * np.geomspace(1, 10**-decades, width)) @ turn + 3).astype(np.float32)

    def rows(self, part: slice) -> Rows:
        """Some of the rows, as an attacker gets them."""
        return Rows(self.z[part], self.target[part], TARGETS, np.arange(len(self.z))[part])

    def ask(self, name: str, seen: int, **knobs: object) -> tuple[Guesses, float]:
        """What an attacker says after `seen` rows, and its excess over chance on the others."""
        question = Question(self.private[:seen], np.ones(seen, np.float32), 2)
        attack = thing("attackers", name).attack
        guesses = attack(
            self.rows(slice(seen)), self.rows(slice(seen, None)), (question,), seed=0, device="cpu", **knobs
        )
        hits = guesses[0].probabilities.argmax(1) == self.private[seen:]
        return guesses[0], float(2 * hits.mean() - 1)


def _write(u: np.ndarray, each: np.ndarray, component: np.ndarray, sign: np.ndarray, read: float) -> None:
    """Put `sign` into a component so that it is read right with probability `read`; its variance stays 1."""
    gap = norm.ppf(read)
    share = gap / np.sqrt(1 + gap**2)
    u[each, component] = sign * share + np.sqrt(1 - share**2) * u[each, component]


@pytest.fixture(scope="session")
def leak() -> Callable[..., Leak]:
    """Make a leak: `leak("xor", 0.5, rows=3000, width=32, seed=0)`."""
    return Leak
