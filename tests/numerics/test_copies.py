"""Copies of a row are known, and rows that are alike by chance are not taken for copies."""

import numpy as np

from leakaudit.numerics.copies import together

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((300, 6)).astype(np.float32)
LABELS = RNG.integers(0, 2, (2, 300))


def test_rows_that_differ_are_alone() -> None:
    """Each row of a continuous z is its own, and so is each of a single column."""
    np.testing.assert_array_equal(together(Z, LABELS), np.arange(300))
    np.testing.assert_array_equal(together(np.repeat(Z[:, :1], 1, axis=1), LABELS), np.arange(300))


def test_copies_bear_one_number() -> None:
    """Rows repeated with their labels, some twice and one forty times, are together in any order."""
    rows = RNG.permutation(np.concatenate([np.arange(300), np.arange(150), np.full(39, 7)]))
    found = together(Z[rows], LABELS[:, rows])
    np.testing.assert_array_equal(found[:, None] == found, rows[:, None] == rows)


def test_rows_alike_with_other_labels_are_no_copies() -> None:
    """Rows of a dead unit, all zero, are alike whatever their labels: each stays alone."""
    z = Z.copy()
    z[:30] = 0
    assert len(np.unique(together(z, LABELS))) == 300


def test_a_code_of_few_states_holds_no_copies() -> None:
    """Bits that coincide by chance, or ten prototypes, are no copies though all labels agree."""
    same = np.zeros((1, 300), np.int64)
    assert len(np.unique(together((Z[:, [0, 1, 2, 3, 4, 5, 0, 1]] > 0).astype(np.float32), same))) == 300
    assert len(np.unique(together((Z > 0.3).astype(np.float32), same))) == 300
    assert len(np.unique(together(Z[np.arange(300) % 10], same))) == 300
