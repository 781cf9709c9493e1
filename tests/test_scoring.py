"""Scoring: what is printed of guesses agrees with how alike rows of one group are, and with cross-fitting."""

from dataclasses import replace

import numpy as np
import pytest

from leakaudit import stats
from leakaudit.scoring import Answers


def answers(rng: np.random.Generator, *, groups: int, size: int) -> tuple[Answers, np.ndarray]:
    """Two strata, two classes, one label per group; guesses blind to it, alike inside a group."""
    unit = np.repeat(np.arange(groups), size)
    target, private, guess = (rng.integers(0, 2, groups)[unit] for _ in range(3))
    return Answers(target, private, 2, 2, unit, doubled=True, seed=0), guess


def test_the_mde_counts_groups_where_their_rows_are_guessed_alike() -> None:
    """400 groups of ten equal rows detect what 400 rows do, not what 4,000 do."""
    held, guess = answers(np.random.default_rng(0), groups=400, size=10)
    alone, same = answers(np.random.default_rng(0), groups=400, size=1)
    assert held.mde() == pytest.approx(alone.mde() / np.sqrt(10))
    assert held.mde(guess) == pytest.approx(alone.mde(), rel=0.1)
    assert replace(held, group=None).mde(guess) == held.mde()
    assert alone.mde(same) == pytest.approx(alone.mde(), rel=0.05)


def test_plain_accuracy_is_widened_where_guesses_are_cross_fitted() -> None:
    """Its interval is that of half the rows, as the other figures' are."""
    held, guess = answers(np.random.default_rng(1), groups=600, size=1)
    held = replace(held, group=None)
    found = held.figures(guess).accuracy
    hits = float((guess == held.private).mean())
    assert found[1:] == pytest.approx(stats.clopper_pearson(hits, 300, 0.025))
    assert replace(held, doubled=False).figures(guess).accuracy[1:] == pytest.approx(
        stats.clopper_pearson(hits, 600, 0.025)
    )


def test_groups_whose_rows_are_all_named_right_have_a_smallest_detectable_excess() -> None:
    """Where every row is hit, or none is, the hits say nothing of groups: the MDE is that of the rows."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 5)
    target, private = rng.integers(0, 2, (2, 40))[:, group]
    answers = Answers(target, private, 2, 2, group, doubled=False, seed=0)
    assert answers.mde(private) == answers.mde(1 - private) == answers.mde() < 1
    assert answers.mde(np.where(group % 2, private, 1 - private)) > 1.5 * answers.mde()


def test_bits_are_widened_where_guesses_are_cross_fitted() -> None:
    """Both ends lie the square root of 2 further off, as those of every other figure do."""
    held, guess = answers(np.random.default_rng(2), groups=300, size=1)
    chances = np.where(np.arange(2) == guess[:, None], 0.7, 0.3).astype(np.float32)
    once, both = replace(held, doubled=False).bits(chances), held.bits(chances)
    assert once is not None
    assert both is not None
    assert both == pytest.approx([once.value, *(once.value + 2**0.5 * (end - once.value) for end in once[1:])])
    assert once.low < once.value < once.high
