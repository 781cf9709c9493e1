"""One hyperplane per target class finds attributes whose direction depends on the target."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from leakaudit.attackers import Question, Rows, linear, linear_per_target

Leak = Callable[..., Any]


def test_a_class_dependent_leak_is_found(leak: Leak) -> None:
    """Of Bayes E .6, linear reads nearly nothing and this attacker most."""
    made = leak("class", 0.6, rows=6000, width=48, seed=1)
    guesses, found = made.ask("linear-per-target", 2000)
    assert made.ask("linear", 2000)[1] < 0.2
    assert found > 0.5
    assert guesses.converged


def test_few_rows_share_what_target_classes_have_in_common(leak: Leak) -> None:
    """With 30 rows per target class a leak common to all is read nearly as well as by one hyperplane."""
    made = leak("linear", 0.6, rows=4300, width=24, seed=1)
    assert made.ask("linear-per-target", 300)[1] == pytest.approx(made.ask("linear", 300)[1], abs=0.1)


@pytest.mark.parametrize("targets", [2, 10])
def test_weak_leaks_are_found_at_2000_rows(targets: int) -> None:
    """Of Bayes E .3 in one of the leading components of each target class, most is read, and half of it with ten."""
    chance = np.random.default_rng(targets)
    rows, seen = 12_000, 2_000
    target, private = chance.integers(0, targets, rows), chance.integers(0, 2, rows)
    u = chance.normal(size=(rows, 32))
    gap = norm.ppf(0.65)
    own, turned = chance.permutation(16)[:targets][target], (chance.integers(0, 2, targets) * 2 - 1)[target]
    u[np.arange(rows), own] += turned * gap * (2 * private - 1)
    z = (u * np.geomspace(1, 0.01, 32)).astype(np.float32)
    old, new = (
        Rows(z[part], target[part], targets, np.arange(rows)[part]) for part in (slice(seen), slice(seen, None))
    )
    question = Question(private[:seen], np.ones(seen, np.float32), 2)
    [guesses] = linear_per_target.attack(old, new, (question,), seed=0, device="cpu")
    found = 2 * (guesses.probabilities.argmax(1) == private[seen:]).mean() - 1
    assert found > (0.2 if targets == 2 else 0.15)
    assert guesses.converged


def test_a_thousand_target_classes_share_what_they_have_in_common() -> None:
    """Of four rows each: a leak common to all is read as by one hyperplane that all had been given."""
    chance = np.random.default_rng(0)
    target, private = np.arange(8000) % 1000, chance.integers(0, 2, 8000)
    z = chance.normal(size=(8000, 12)).astype(np.float32)
    z[:, 0] += 2 * private
    old, new = (Rows(z[part], target[part], 1000, np.arange(8000)[part]) for part in (slice(4000), slice(4000, None)))
    question = Question(private[:4000], np.ones(4000, np.float32), 2)
    [guesses] = linear_per_target.attack(old, new, (question,), seed=0, device="cpu")
    assert (guesses.probabilities.argmax(1) == private[4000:]).mean() == pytest.approx(norm.cdf(1), abs=0.03)


def test_an_attribute_that_the_target_class_hides_is_read() -> None:
    """The class moves what the attribute moves, the other way: only who knows the class reads it in one direction."""
    chance = np.random.default_rng(1)
    target, private = chance.integers(0, 2, (2, 6000))
    z = chance.normal(size=(6000, 4)).astype(np.float32)
    z[:, 0] += 3 * private - 6 * target
    old, new = (Rows(z[part], target[part], 2, np.arange(6000)[part]) for part in (slice(3000), slice(3000, None)))
    question = Question(private[:3000], np.ones(3000, np.float32), 2)
    blind, sees = (
        attacker.attack(old, new, (question,), seed=0, device="cpu")[0].probabilities.argmax(1) == private[3000:]
        for attacker in (linear, linear_per_target)
    )
    assert sees.mean() == pytest.approx(norm.cdf(1.5), abs=0.02)
    assert blind.mean() < 0.75
