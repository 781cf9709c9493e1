"""Labels trade places as permutations would have them, and are drawn at once."""

import numpy as np
import pytest

from leakaudit import exchange, stats
from leakaudit.exchange import permutation_p


def world(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Guesses and labels that lean on the target, and no more."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    lean = np.where(rng.random((2, rows)) < 0.4, target % classes, rng.integers(0, classes, (2, rows)))
    return lean[0], target, lean[1]


@pytest.mark.parametrize("classes", [2, 4])
def test_random_tables_are_permutations(classes: int) -> None:
    """E of random tables has the mean and the spread of E of labels permuted one by one."""
    guess, target, private = world(200, classes, 0)
    sizes = 3, classes
    drawn = exchange._tables(guess, target, private, sizes, np.random.default_rng(1), 4000)
    one = exchange._redrawn(guess, target, private, None, sizes, np.random.default_rng(2), 1000)
    error = one.std() / np.sqrt(1000)
    assert drawn.mean() == pytest.approx(one.mean(), abs=5 * error)
    assert drawn.std() == pytest.approx(one.std(), rel=0.1)
    assert np.quantile(drawn, 0.95) == pytest.approx(np.quantile(one, 0.95), abs=6 * error)


def test_groups_trade_at_once_what_they_trade_one_by_one() -> None:
    """Whole groups of unequal sizes and several targets: both ways give one distribution of E."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 60, 400)
    _, index = np.unique(group, return_inverse=True)
    private = rng.integers(0, 2, 60)[index]
    target = np.where(rng.random(400) < 0.8, rng.integers(0, 3, 60)[index], rng.integers(0, 3, 400))
    guess = rng.integers(0, 2, 400)
    drawn = exchange._grouped(guess, target, private, group, (3, 2), np.random.default_rng(4), 3000)
    one = exchange._redrawn(guess, target, private, group, (3, 2), np.random.default_rng(5), 800)
    assert drawn.mean() == pytest.approx(one.mean(), abs=5 * one.std() / np.sqrt(800))
    assert drawn.std() == pytest.approx(one.std(), rel=0.12)


def test_many_classes_are_drawn_one_by_one() -> None:
    """Beyond forty classes tables of counts would be mostly empty: labels are permuted, with the same answer."""
    rng = np.random.default_rng(6)
    private, target = rng.integers(0, 50, 600), rng.integers(0, 2, 600)
    assert permutation_p(private, target, private, None, rng=rng, draws=19, doubled=False) == 1 / 20
    other = rng.integers(0, 50, 600)
    assert permutation_p(other, target, private, None, rng=rng, draws=19, doubled=False) > 1 / 20


def test_the_identity_counts() -> None:
    """P is never below one over the draws and the identity, and one where everything is as good."""
    guess, target, private = world(300, 2, 7)
    assert permutation_p(private, target, private, None, rng=np.random.default_rng(0), draws=99, doubled=False) == 0.01
    constant = np.zeros_like(guess)
    assert permutation_p(constant, target, private, None, rng=np.random.default_rng(0), draws=99, doubled=False) == 1
    assert stats.excess(constant, target, private, 3, 2) == pytest.approx(0)


@pytest.mark.slow
def test_permutation_p_holds_where_groups_are_alike_but_for_a_few_rows() -> None:
    """Guesses and labels that each follow the group are no leak, and one odd row in a hundred changes nothing."""
    rng, rejected = np.random.default_rng(3), 0
    group = np.repeat(np.arange(60), 20)
    for _ in range(100):
        target, private, guess = (np.repeat(rng.integers(0, 2, 60), 20) for _ in range(3))
        private = np.where(rng.random(1200) < 0.01, 1 - private, private)
        rejected += permutation_p(guess, target, private, group, rng=rng, draws=39, doubled=False) <= 0.05
    assert rejected / 100 <= 0.05 + 3 * 0.022
    half = np.tile([0, 1], 600)
    assert permutation_p(half, target, half, group, rng=rng, draws=39, doubled=False) == 1 / 40


@pytest.mark.parametrize("grouped", [False, True])
def test_permutation_p_is_uniform_on_nothing_and_small_on_something(*, grouped: bool) -> None:
    """Guesses blind to the label are rejected in about 5 %; guesses that are right are rejected always."""
    rng, rejected = np.random.default_rng(2), 0
    group = np.arange(120) // 4 if grouped else None
    for _ in range(120):
        private = rng.integers(0, 2, 30)[group] if group is not None else rng.integers(0, 2, 120)
        guess, target = rng.integers(0, 2, 120), np.zeros(120, np.int64)
        rejected += permutation_p(guess, target, private, group, rng=rng, draws=39, doubled=False) <= 0.05
    assert rejected / 120 <= 0.05 + 3 * 0.02
    assert permutation_p(private, target, private, group, rng=rng, draws=39, doubled=True) == 1 / 40
