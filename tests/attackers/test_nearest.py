"""Neighbours find what only a look at the place itself tells."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leakaudit.attackers import Guesses, Question, Rows, nearest

Leak = Callable[..., Any]


def chequered(rows: int, seed: int, *, turned: bool = False) -> tuple[Rows, np.ndarray]:
    """A 4 x 4 chequerboard of labels that nine in ten rows keep to; `turned` in the odd target classes."""
    chance = np.random.default_rng(seed)
    z, target = chance.uniform(0, 4, (rows, 2)), chance.integers(0, 2, rows)
    labels = np.floor(z).astype(np.int64).sum(1) % 2
    labels = np.where(chance.random(rows) < 0.9, labels, 1 - labels)
    labels = (labels + target) % 2 if turned else labels
    return Rows(z.astype(np.float32), target, 2, np.arange(rows)), labels


def ask(seen: Rows, labels: np.ndarray, unseen: Rows) -> Guesses:
    """One question of two classes."""
    question = Question(labels, np.ones(len(labels), np.float32), 2)
    return nearest.attack(seen, unseen, (question,), seed=0, device="cpu")[0]


@pytest.mark.parametrize("turned", [False, True])
def test_a_chequerboard_is_read(turned: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Where no mean, covariance or hyperplane tells anything, nearly all of the Bayes rate of .9 is reached."""
    (seen, labels), (unseen, truth) = chequered(4000, 0, turned=turned), chequered(4000, 1, turned=turned)
    guesses = ask(seen, labels, unseen)
    # What is lost lies within a tenth of a field of an edge, where neighbours of both fields vote.
    assert (guesses.probabilities.argmax(1) == truth).mean() > 0.8
    assert ("same target class" in guesses.notes[0]) is turned


def test_without_a_leak_chance_is_reached() -> None:
    """Labels that no place tells are guessed at one half, within 3.5 standard errors."""
    (seen, _), (unseen, _) = chequered(2000, 0), chequered(4000, 1)
    truth = np.random.default_rng(2).integers(0, 2, 4000)
    guesses = ask(seen, np.random.default_rng(3).integers(0, 2, 2000), unseen)
    assert abs((guesses.probabilities.argmax(1) == truth).mean() - 0.5) < 3.5 * 0.5 / 4000**0.5


def test_a_sample_that_votes_is_said(leak: Leak) -> None:
    """Fewer references than rows stand in the notes, and all rows do not."""
    made = leak("linear", 0.5, rows=1500, width=8, seed=0)
    few, all_of = (made.ask("nearest", 1000, references=count)[0] for count in (400, 1000))
    assert "a sample of 400 of 1,000 labelled rows votes" in few.notes
    assert len(all_of.notes) == 1


def test_a_question_with_few_labels_does_not_starve() -> None:
    """A question that shows a tenth of the rows gets the same guesses beside one that shows all."""
    (seen, labels), (unseen, truth) = chequered(4000, 0), chequered(1000, 1)
    few = Question(np.where(np.arange(4000) % 10, -1, labels), np.ones(4000, np.float32), 2)
    full = Question(labels, np.ones(4000, np.float32), 2)
    [alone] = nearest.attack(seen, unseen, (few,), seed=0, device="cpu")
    beside, _ = nearest.attack(seen, unseen, (few, full), seed=0, device="cpu")
    np.testing.assert_array_equal(alone.probabilities, beside.probabilities)
    assert (beside.probabilities.argmax(1) == truth).mean() > 0.6
