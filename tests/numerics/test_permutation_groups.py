"""Groups of unlike sizes and mixes: what goes with the label there, and not with z, is no leak."""

import numpy as np
import pytest

from leakaudit.numerics import permutation
from leakaudit.numerics.moments import moments

REPLICATES = 40


def world(
    seed: int, rows: np.ndarray, private: np.ndarray, *, tilt: float | None = None, leak: float = 0.0, width: int = 12
) -> float:
    """
    P of one label per group, where rows of a group are alike.

    A group has one target, or 1 in a share `tilt` of its rows where its label is 1, and in the others where it is 0.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(rows)), rows)
    label, target = private[group], rng.integers(0, 2, len(rows))[group]
    if tilt is not None:
        target = (rng.random(len(group)) < np.where(label, tilt, 1 - tilt)).astype(np.int64)
    z = rng.standard_normal((len(group), width)) + 0.7 * rng.standard_normal((len(rows), width))[group]
    z[:, 0] += 2 * target
    z[:, 1] += leak * label
    known = moments(z.astype(np.float32))
    x = known.basis.components(z.astype(np.float32))
    asked = permutation.test(x, known.basis.variance, target, 2, label[None], (2,), group, draws=199, seed=seed)
    return asked[0].p


@pytest.mark.parametrize(("small", "large", "agree", "width"), [(5, 15, 1.0, 12), (3, 12, 0.95, 24)])
def test_a_class_of_larger_groups_is_no_leak(small: int, large: int, agree: float, width: int) -> None:
    """A quarter of the groups is larger and of one class: labels are traded among groups of like size alone."""
    low = 0
    for seed in range(REPLICATES):
        rng = np.random.default_rng(1000 + seed)
        wide = np.arange(120) % 4 == 0
        private = np.where(rng.random(120) < agree, wide, ~wide).astype(np.int64)
        low += world(seed, np.where(wide, large, small), private, width=width) <= 0.05
    assert low <= 5


def test_a_leak_beside_unlike_sizes_is_found() -> None:
    """Strata of like size cost little: a label that goes its own way is told all the same."""
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found += world(seed, rng.integers(3, 25, 120), rng.integers(0, 2, 120), leak=1.0) <= 0.05
    assert found >= 8


def test_where_no_label_can_trade_rounding_is_no_evidence() -> None:
    """Where a group's commonest target tells its label, relabellings change nothing: p is 1, in spite of rounding."""
    for seed in range(REPLICATES):
        private = np.random.default_rng(seed).integers(0, 2, 120)
        assert world(seed, np.full(120, 30), private, tilt=0.95) == 1


def test_groups_of_one_size_trade_as_rows_do() -> None:
    """Equal sizes and single targets make no further strata."""
    table = np.zeros((30, 3), np.int64)
    table[np.arange(30), np.arange(30) % 3] = 7
    np.testing.assert_array_equal(permutation._alike(table), np.arange(30) % 3)
    table[:15] *= 4
    assert len(np.unique(permutation._alike(table))) == 6
