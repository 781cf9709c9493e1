"""The papers' figure is Bayes' rule on PC1, and blind behind it."""

import numpy as np
import pytest
from scipy.stats import norm

from leakaudit.attackers import Question, Rows, gaussian_pca


def accuracy(column: int, scale: float = 1.0) -> float:
    """Of two classes 3 apart along one column, where column 0 has the larger variance."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 8000)
    z = chance.normal(size=(8000, 4)) * [1, 0.1, 0.1, 0.1]
    unit = 1.0 if column == 0 else 0.1
    z[:, column] += 3 * unit * labels
    rows = Rows((z * scale).astype(np.float32), np.zeros(8000, np.int64), 1, np.arange(8000))
    question = Question(labels, np.ones(8000, np.float32), 2)
    [guesses] = gaussian_pca.attack(rows, rows, (question,), seed=0, device="cpu")
    return float((guesses.probabilities.argmax(1) == labels).mean())


def test_a_leak_along_pc1_is_read_at_the_bayes_rate() -> None:
    """Two Gaussians 3 apart on PC1 are told apart with probability Phi(1.5)."""
    assert accuracy(0) == pytest.approx(norm.cdf(1.5), abs=0.012)


def test_a_leak_beside_pc1_is_not_seen() -> None:
    """The same leak along another column stays at chance: the figure must never decide."""
    assert accuracy(1) == pytest.approx(0.5, abs=0.03)


def test_sizes_count_as_well_as_places() -> None:
    """Two classes with one mean and deviations 1 and 3 are told apart by Bayes' rule of their Gaussians."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 8000)
    z = np.where(labels, 3.0, 1.0)[:, None] * chance.normal(size=(8000, 1))
    rows = Rows(z.astype(np.float32), np.zeros(8000, np.int64), 1, np.arange(8000))
    [guesses] = gaussian_pca.attack(rows, rows, (Question(labels, np.ones(8000, np.float32), 2),), seed=0, device="cpu")
    edge = (2 * np.log(3) / (1 - 1 / 9)) ** 0.5
    bayes = 0.5 * (2 * norm.cdf(edge) - 1) + 0.5 * 2 * norm.cdf(-edge / 3)
    assert (guesses.probabilities.argmax(1) == labels).mean() == pytest.approx(bayes, abs=0.015)
