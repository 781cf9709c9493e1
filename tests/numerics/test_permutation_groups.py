"""Groups of unlike sizes and mixes: what goes with the label there, and not with z, is no leak."""

import numpy as np
import pytest

from leakaudit.numerics import permutation
from leakaudit.numerics.moments import moments

REPLICATES = 40


def world(seed: int, rows: np.ndarray, private: np.ndarray, tilt: float = 0.5, leak: float = 0.0) -> float:
    """P of one label per group, where rows of a group are alike, and the target is 1 in a share `tilt` of its rows."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(rows)), rows)
    label = private[group]
    target = (rng.random(len(group)) < np.where(label, tilt, 1 - tilt)).astype(np.int64)
    z = rng.standard_normal((len(group), 12)) + 0.7 * rng.standard_normal((len(rows), 12))[group]
    z[:, 0] += 2 * target
    z[:, 1] += leak * label
    known = moments(z.astype(np.float32))
    x = known.basis.components(z.astype(np.float32))
    asked = permutation.test(x, known.basis.variance, target, 2, label[None], (2,), group, draws=99, seed=seed)
    return asked[0].p


@pytest.mark.parametrize("sizes", [(3, 24), (4, 12)])
def test_a_class_of_larger_groups_is_no_leak(sizes: tuple[int, int]) -> None:
    """A quarter of the groups are larger and nearly all of one class: traded among groups of like size alone."""
    low = 0
    for seed in range(REPLICATES):
        rng = np.random.default_rng(1000 + seed)
        large = np.arange(120) % 4 == 0
        private = np.where(rng.random(120) < 0.9, large, ~large).astype(np.int64)
        low += world(seed, np.where(large, sizes[1], sizes[0]), private) <= 0.05
    assert low <= 6


def test_a_leak_beside_unlike_sizes_is_found() -> None:
    """Strata of like size cost little: a label that goes its own way is told all the same."""
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found += world(seed, rng.integers(3, 25, 120), rng.integers(0, 2, 120), leak=0.8) <= 0.05
    assert found >= 8


def test_where_hardly_a_label_can_trade_rounding_is_no_evidence() -> None:
    """Where commonest targets nearly tell the label, relabellings change nothing, or next to nothing."""
    low = [
        world(seed, np.full(120, 12), np.random.default_rng(seed).integers(0, 2, 120), tilt=0.92)
        for seed in range(REPLICATES)
    ]
    assert sum(p <= 0.05 for p in low) <= 3
    assert sum(p == 1 for p in low) >= REPLICATES // 2


def test_groups_of_one_size_trade_as_rows_do() -> None:
    """Equal sizes and single targets make no further strata."""
    table = np.zeros((30, 3), np.int64)
    table[np.arange(30), np.arange(30) % 3] = 7
    np.testing.assert_array_equal(permutation._alike(table), np.arange(30) % 3)
    table[:15] *= 4
    assert len(np.unique(permutation._alike(table))) == 6
