"""Boosted trees find boxes and thresholds, and stop where rounds no longer help."""

import numpy as np

from leakaudit.attackers import Guesses, Question, Rows, trees


def boxed(rows: int, seed: int) -> tuple[Rows, np.ndarray]:
    """A label that tells in which of two shells of boxes a row lies; nine in ten rows keep to it."""
    chance = np.random.default_rng(seed)
    z, target = chance.normal(size=(rows, 3)), chance.integers(0, 3, rows)
    labels = ((np.abs(z[:, 0]) < 0.7) ^ (np.abs(z[:, 1]) < 0.7)).astype(np.int64)
    labels = np.where(chance.random(rows) < 0.9, labels, 1 - labels)
    return Rows((z * [3, 2, 1]).astype(np.float32), target, 3, np.arange(rows)), labels


def ask(seen: Rows, labels: np.ndarray, unseen: Rows, **knobs: int) -> Guesses:
    """One question of two classes."""
    question = Question(labels, np.ones(len(labels), np.float32), 2)
    return trees.attack(seen, unseen, (question,), seed=0, device="cpu", **knobs)[0]


def test_boxes_are_read() -> None:
    """Nearly all of the Bayes rate of .9, and the rounds that did it are settled on."""
    (seen, labels), (unseen, truth) = boxed(3000, 0), boxed(3000, 1)
    guesses = ask(seen, labels, unseen)
    assert (guesses.probabilities.argmax(1) == truth).mean() > 0.85
    assert guesses.converged
    assert 1 <= guesses.settled.rounds < 200


def test_too_few_rounds_are_said_and_stay_said() -> None:
    """Where the last round allowed still helped, the attacker did not converge, asked again with that included."""
    (seen, labels), (unseen, _) = boxed(1500, 0), boxed(10, 1)
    guesses = ask(seen, labels, unseen, rounds=3)
    assert not guesses.converged
    assert "the last round still helped" in guesses.notes
    question = Question(labels, np.ones(1500, np.float32), 2, guesses.settled)
    [again] = trees.attack(seen, unseen, (question,), seed=0, device="cpu", rounds=3)
    assert not again.converged


def test_a_sample_is_said() -> None:
    """Fewer references than rows stand in the notes; all rows do not."""
    (seen, labels), (unseen, _) = boxed(600, 0), boxed(10, 1)
    assert "learned from a sample of 400 of 600 labelled rows" in ask(seen, labels, unseen, references=400).notes
    assert len(ask(seen, labels, unseen).notes) == 1


def test_without_a_leak_chance_is_reached() -> None:
    """Labels that nothing tells are guessed at one half, within 3.5 standard errors, after few rounds."""
    (seen, _), (unseen, _) = boxed(1000, 0), boxed(4000, 1)
    chance = np.random.default_rng(2)
    guesses = ask(seen, chance.integers(0, 2, 1000), unseen)
    hits = guesses.probabilities.argmax(1) == chance.integers(0, 2, 4000)
    assert abs(hits.mean() - 0.5) < 3.5 * 0.5 / 4000**0.5
    assert guesses.settled.rounds < 20
