"""The linear attacker reaches what a hyperplane can reach, and no more."""

import numpy as np
import pytest
from scipy.stats import norm

from leakaudit.attackers import Guesses, Question, Rows, linear

SEEN = 3000


def ask(z: np.ndarray, labels: np.ndarray, seen: int = SEEN, weights: np.ndarray | None = None) -> Guesses:
    """Guess the labels of the rows behind the first `seen`."""
    z, n = z.astype(np.float32), len(z)
    target = np.zeros(n, np.int64)
    rows = [Rows(z[part], target[part], 1, np.arange(n)[part]) for part in (slice(seen), slice(seen, None))]
    weights = np.ones(seen) if weights is None else weights
    question = Question(labels[:seen], weights.astype(np.float32), int(labels.max()) + 1)
    return linear.attack(*rows, (question,), seed=0, device="cpu")[0]


def accuracy(guesses: Guesses, labels: np.ndarray, seen: int = SEEN) -> float:
    """Share of the unseen rows guessed right."""
    return float((guesses.probabilities.argmax(1) == labels[seen:]).mean())


def gaussians(gap: float, width: int = 8, rows: int = 13_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two unit Gaussians `gap` apart along a diagonal."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 2, rows)
    return chance.normal(size=(rows, width)) + gap * labels[:, None] / width**0.5, labels


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_linear_reaches_the_bayes_rate(gap: float) -> None:
    """Two unit Gaussians `gap` apart are told apart with probability Phi(gap / 2), no better."""
    z, labels = gaussians(gap)
    guesses = ask(z, labels)
    # 10,000 rows: 3 standard errors of a share; and what 3,000 rows of 8 columns leave unlearned.
    assert accuracy(guesses, labels) == pytest.approx(norm.cdf(gap / 2), abs=0.015 + 0.005)
    assert guesses.converged


def test_probabilities_are_calibrated() -> None:
    """The cross-entropy on unseen rows comes within 0.01 nats of that of the true probabilities."""
    z, labels = gaussians(1.5)
    logit = 1.5 * (z.sum(1) / 8**0.5 - 0.75)
    truth = -np.log(1 / (1 + np.exp(-np.where(labels == 1, logit, -logit))))[SEEN:].mean()
    ours = -np.log(np.take_along_axis(ask(z, labels).probabilities, labels[SEEN:, None], 1)).mean()
    assert ours == pytest.approx(truth, abs=0.01)


def test_opposite_labels_get_opposite_guesses() -> None:
    """An attribute asked for upside down is read as well: the columns are swapped."""
    z, labels = gaussians(1.0, rows=4000)
    plain, turned = ask(z, labels).probabilities, ask(z, 1 - labels).probabilities
    np.testing.assert_allclose(plain, turned[:, ::-1], atol=2e-3)


@pytest.mark.parametrize("component", [0, 7, 31])
def test_a_leak_in_a_direction_of_tiny_variance_is_read(component: int) -> None:
    """A component with a millionth of the leading variance is read as well as the leading one."""
    chance = np.random.default_rng(component)
    labels = chance.integers(0, 2, 5000)
    u = chance.normal(size=(5000, 32))
    u[:, component] += 2 * labels
    turn = np.linalg.qr(chance.normal(size=(32, 32)))[0]
    z = (u * np.geomspace(1, 1e-3, 32)) @ turn
    assert accuracy(ask(z, labels), labels) == pytest.approx(norm.cdf(1.0), abs=0.03)


def test_units_of_columns_do_not_matter() -> None:
    """Columns in units from 1e-15 to 1e15 are read as well as standardised ones, by the same guesses."""
    z, labels = gaussians(2.0, rows=5000)
    wild = z * 10.0 ** np.linspace(-15, 15, 8)
    plain, scaled = ask(z, labels), ask(wild, labels)
    assert accuracy(scaled, labels) == pytest.approx(accuracy(plain, labels), abs=0.01)
    assert scaled.converged


def test_repeated_columns_do_not_matter() -> None:
    """A z without full rank is read as well as the columns it repeats."""
    z, labels = gaussians(1.0, rows=5000)
    guesses = ask(np.concatenate((z, z, -z, z[:, :2] + z[:, 2:4]), axis=1), labels)
    assert accuracy(guesses, labels) == pytest.approx(accuracy(ask(z, labels), labels), abs=0.01)
    assert guesses.converged


def test_separable_classes_are_read_without_error_and_converge() -> None:
    """Ten classes on ten corners: all unseen rows right, solved to the certificate."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 10, 2000)
    guesses = ask(np.eye(10)[labels] + 0.05 * chance.normal(size=(2000, 10)), labels, seen=1000)
    assert accuracy(guesses, labels, 1000) == 1.0
    assert guesses.converged


def test_weights_are_obeyed() -> None:
    """Rows of weight 0 with wrong labels change nothing; with weight 1 they turn the guesses."""
    z, labels = gaussians(3.0, rows=4000)
    lies = np.where(np.arange(4000) % 3 == 0, labels, 1 - labels)
    honest = np.where(np.arange(SEEN) % 3 == 0, 3.0, 0.0)
    assert accuracy(ask(z, lies, weights=honest), labels) == pytest.approx(norm.cdf(1.5), abs=0.05)
    assert accuracy(ask(z, lies), labels) == pytest.approx(1 - norm.cdf(1.5), abs=0.05)


def test_missing_labels_do_not_count() -> None:
    """Rows without a label change nothing about the guesses of the others."""
    z, labels = gaussians(1.0, rows=4000)
    half = np.where(np.arange(4000) < SEEN // 2, labels, -1)
    assert accuracy(ask(z, half), labels) == pytest.approx(norm.cdf(0.5), abs=0.05)


def test_balanced_rows_read_the_colour_beside_the_digit() -> None:
    """Of (digit, half-strength colour), independent of each other, the colour is read in every row."""
    chance = np.random.default_rng(0)
    digit, colour = chance.integers(0, 10, (2, 3000))
    z = np.concatenate((np.eye(10)[digit], 0.5 * np.eye(10)[colour]), axis=1) / 1.25**0.5
    assert accuracy(ask(z, colour, seen=2000), colour, 2000) == 1.0


def test_what_was_settled_is_kept_when_asked_again() -> None:
    """The second call, on more rows, chooses nothing: the same note, guesses no worse, and converged."""
    z, labels = gaussians(1.0, rows=4000)
    first = ask(z, np.where(np.arange(4000) < SEEN // 2, labels, -1))
    seen, unseen = (Rows(z[part].astype(np.float32), np.zeros(len(z[part]), np.int64), 1, np.arange(len(z[part])))
                    for part in (slice(SEEN), slice(SEEN, None)))  # fmt: skip
    question = Question(labels[:SEEN], np.ones(SEEN, np.float32), 2, first.settled)
    [again] = linear.attack(seen, unseen, (question,), seed=1, device="cpu")
    assert again.notes == first.notes
    assert again.converged
    assert accuracy(again, labels) == pytest.approx(norm.cdf(0.5), abs=0.04)
