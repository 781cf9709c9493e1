"""Copies of a row are known, and rows that are alike by chance are not taken for copies."""

import numpy as np

from leakaudit.numerics.copies import doubles, joined, together

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


def test_zeros_of_either_sign_are_the_same_number() -> None:
    """A row whose zeros were multiplied by -1 is still the row."""
    z = Z * (np.arange(6) != 2)
    found = together(np.concatenate([z, np.where(z == 0, np.float32(-0.0), z)]), np.tile(LABELS, 2))
    np.testing.assert_array_equal(found, np.tile(np.arange(300), 2))


def test_few_copies_are_together_whatever_their_labels() -> None:
    """A split that labels had a say in would know them: what stands apart would be known to differ."""
    rows = np.concatenate([np.arange(300), np.arange(150)])
    found = together(Z[rows], RNG.integers(-1, 2, (2, 450)))
    np.testing.assert_array_equal(found[:, None] == found, rows[:, None] == rows)


def test_many_copies_are_together_where_one_of_their_labels_agrees() -> None:
    """A row forty times stays whole for the attribute it tells, whatever else is asked; missing labels do not count."""
    rows = np.concatenate([np.arange(300), np.full(39, 7)])
    told, noise = np.where(rows % 3, LABELS[0, rows], -1), RNG.integers(0, 2, 339)
    told[305] = -1
    for labels in (told[None], np.stack([told, noise]), np.stack([noise, told])):
        assert len(np.unique(together(Z[rows], labels))) == 300
    assert len(np.unique(together(Z[rows], noise[None]))) == 339


def test_many_rows_alike_with_other_labels_are_no_copies() -> None:
    """Rows of a dead unit, all zero, are alike whatever their labels: each stays alone."""
    z = Z.copy()
    z[:30] = 0
    assert len(np.unique(together(z, LABELS))) == 300


def test_rows_of_one_source_are_joined() -> None:
    """Copies of one and views of another source are together where a row is both; sources of one row join nothing."""
    group, ids = np.array([0, 1, 1, 3, 4, 5]), np.array([9, 9, 8, 7, 6, 7], np.uint64)
    np.testing.assert_array_equal(joined(group, ids), [0, 0, 0, 3, 4, 3])
    np.testing.assert_array_equal(joined(group, np.arange(6, dtype=np.uint64)), group)


def test_pairs_are_counted() -> None:
    """A row five times is ten pairs, two rows twice are two."""
    assert doubles(np.zeros(5, np.int64)) == 10
    assert doubles(np.array([0, 1, 1, 3, 3])) == 2


def test_a_code_of_few_states_holds_no_copies() -> None:
    """Bits that coincide by chance, or ten prototypes, are no copies though all labels agree."""
    same = np.zeros((1, 300), np.int64)
    assert len(np.unique(together((Z[:, [0, 1, 2, 3, 4, 5, 0, 1]] > 0).astype(np.float32), same))) == 300
    assert len(np.unique(together((Z > 0.3).astype(np.float32), same))) == 300
    assert len(np.unique(together(Z[np.arange(300) % 10], same))) == 300
