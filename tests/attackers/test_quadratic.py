"""A quadric finds leaks by interaction and by size."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.attackers import Question, Rows, quadratic
from leakaudit.numerics.moments import moments

Leak = Callable[..., Any]


@pytest.mark.parametrize("shape", ["xor", "radial"])
def test_what_no_hyperplane_reads_is_found(leak: Leak, shape: str) -> None:
    """An XOR of Bayes E .5, and two deviations of one component, are read where linear reads next to nothing."""
    made = leak(shape, 0.5, rows=6000, width=48, seed=1)
    guesses, found = made.ask("quadratic", 2000)
    assert made.ask("linear", 2000)[1] < 0.15
    assert found > 0.4
    assert guesses.converged


def test_a_leak_whose_direction_depends_on_the_target_is_read(leak: Leak) -> None:
    """A hyperplane per target class stands beside the quadrics."""
    made = leak("class", 0.5, rows=6000, width=48, seed=1)
    assert made.ask("quadratic", 2000)[1] > 0.4


def test_a_quadric_whose_sign_depends_on_the_target_is_read(leak: Leak) -> None:
    """An XOR that is turned round in the odd target classes tells nothing on the whole; most of Bayes E .5 is read."""
    made = leak("xor", 0.5, rows=9000, width=12, seed=1)
    made.private = (made.private + made.target) % 2
    assert made.ask("quadratic", 5000)[1] > 0.3


def test_a_softplus_costs_little(leak: Leak) -> None:
    """What a softplus bent is straightened by the columns' normal scores: within .05 of what is read without it."""
    made = leak("xor", 0.6, rows=12_000, width=32, seed=0, decades=1.0)
    plain = made.ask("quadratic", 8000)[1]
    made.z = np.logaddexp(0, 2 * made.z - 6).astype(np.float32)
    guesses, found = made.ask("quadratic", 8000)
    assert found > plain - 0.05
    assert "normal scores" in guesses.notes[0]


def test_without_a_leak_there_is_nothing_to_read(leak: Leak) -> None:
    """The excess stays within 3.5 standard errors of 0, and guesses hardly leave one half."""
    guesses, found = leak("none", 0, rows=5000, width=48, seed=2).ask("quadratic", 1000)
    assert abs(found) < 3.5 / 4000**0.5
    assert np.abs(guesses.probabilities - 0.5).mean() < 0.1


def test_three_classes_of_unlike_spread_are_told_apart() -> None:
    """Deviations 1/3, 1 and 3 of four columns are told apart as well as Bayes' rule does, within 2 %."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, 9000)
    spreads = np.array([1 / 3, 1, 3])
    z = (spreads[labels][:, None] * chance.normal(size=(9000, 4))).astype(np.float32)
    target, group = np.zeros(9000, np.int64), np.arange(9000)
    seen, unseen = (Rows(z[part], target[part], 1, group[part]) for part in (slice(5000), slice(5000, None)))
    question = Question(labels[:5000], np.ones(5000, np.float32), 3)
    [guesses] = quadratic.attack(seen, unseen, (question,), seed=0, device="cpu")
    nats = -0.5 * (z[5000:, None] ** 2).sum(2) / spreads**2 - 4 * np.log(spreads)
    bayes = (nats.argmax(1) == labels[5000:]).mean()
    assert (guesses.probabilities.argmax(1) == labels[5000:]).mean() > bayes - 0.02


def test_what_was_settled_in_other_components_is_whitened_anew(leak: Leak) -> None:
    """The same rows in a basis turned round, of equal width: what was settled in the old one says the same in it."""
    made = leak("xor", 0.5, rows=6000, width=48, seed=1)
    z = made.z + 0.5 * (made.target[:, None] % 3).astype(np.float32)
    known = moments(z)
    turned = replace(known)
    matrix = known.basis.matrix * np.where(np.arange(48) % 2, -1, 1)
    turned.__dict__["basis"] = replace(known.basis, matrix=matrix)
    said = []
    question = Question(made.private[:4000], np.ones(4000, np.float32), 2)
    for mine in (known, turned):
        x = mine.basis.components(z)
        seen, unseen = (
            Rows(z[part], made.target[part], int(made.target.max()) + 1, np.arange(6000)[part], mine, x[part])
            for part in (slice(4000), slice(4000, None))
        )
        [guesses] = quadratic.attack(seen, unseen, (question,), seed=0, device="cpu")
        said.append(guesses)
        question = replace(question, settled=guesses.settled)
    assert np.mean((said[0].probabilities[:, 1] > 0.5) == made.private[4000:]) > 0.7
    np.testing.assert_allclose(said[0].probabilities, said[1].probabilities, atol=0.02)
