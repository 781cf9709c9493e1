"""The papers' own attacker says which cue is easiest, not whether the attribute can be read."""

import functools

import numpy as np
import pytest

from leakaudit.attackers import Guesses, Question, Rows, linear, linear_sgd


def coloured(rho: float, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit-norm z of digit and half-strength colour, the digit's own with probability rho; digit; colour."""
    chance = np.random.default_rng(seed)
    digit = chance.integers(0, 10, rows)
    other = (digit + chance.integers(1, 10, rows)) % 10
    colour = np.where(chance.random(rows) < rho, digit, other)
    z = np.concatenate((np.eye(10)[digit], 0.5 * np.eye(10)[colour]), axis=1) / 1.25**0.5
    return z.astype(np.float32), digit, colour


@functools.cache
def ask(attacker: object, rho: float) -> tuple[Guesses, float]:
    """Train at `rho`, and the accuracy on unbiased rows."""
    z, digit, colour = coloured(rho, 60_000, 0)
    new, new_digit, new_colour = coloured(0.1, 2_000, 1)
    seen, unseen = Rows(z, digit, 10, np.arange(len(z))), Rows(new, new_digit, 10, np.arange(len(new)))
    question = Question(colour, np.ones(len(z), np.float32), 10)
    [guesses] = attacker.attack(seen, unseen, (question,), seed=0, device="cpu")  # type: ignore[attr-defined]
    return guesses, float((guesses.probabilities.argmax(1) == new_colour).mean())


def test_trained_on_biased_rows_it_reads_the_digit() -> None:
    """Where colour is the digit in 99.9 % of its rows, it stays at chance on unbiased rows, though all is there."""
    assert ask(linear_sgd, 0.999)[1] == pytest.approx(0.1, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("attacker", [linear_sgd, linear])
def test_trained_on_unbiased_rows_it_reads_the_colour(attacker: object) -> None:
    """The same family on rows where colour is independent of the digit reads every one."""
    assert ask(attacker, 0.1)[1] == pytest.approx(1.0, abs=0.001)


def test_the_papers_schedule_is_not_convergence() -> None:
    """On features of unit norm its loss is still falling after 50 epochs, and it says so."""
    guesses, _ = ask(linear_sgd, 0.999)
    assert not guesses.converged
    assert "training loss" in guesses.notes[0]


def test_nothing_left_to_learn_is_convergence() -> None:
    """On rows that lie far apart its training loss reaches zero, and it says so."""
    labels = np.random.default_rng(0).integers(0, 2, 5000)
    z = (20.0 * labels[:, None] - 10).astype(np.float32)
    rows = Rows(z, np.zeros(5000, np.int64), 1, np.arange(5000))
    [guesses] = linear_sgd.attack(rows, rows, (Question(labels, np.ones(5000, np.float32), 2),), seed=0, device="cpu")
    assert guesses.converged
