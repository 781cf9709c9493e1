"""Wild columns are brought to where float32 serves, exactly; ordinary ones are not touched."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leakaudit.numerics.ranges import FAR, ranges


def made(n: int = 400, d: int = 5, seed: int = 0) -> np.ndarray:
    """Unit Gaussians."""
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def test_ordinary_columns_are_not_touched() -> None:
    """Gaussians, sparse activations, offsets of a few spreads and constant columns come back as the same array."""
    z = made()
    z[:, 1] = np.maximum(z[:, 1] - 2, 0)
    z[:, 2] += 50
    z[:, 3] = 0
    assert ranges(z)(z) is z
    assert ranges(z).note == ""


@given(power=st.integers(-100, 120), seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_unit_of_a_power_of_two_makes_no_difference(power: int, seed: int) -> None:
    """Columns in a unit so large or small that squares overflow come back at ordinary sizes, to the last bit."""
    z = made(seed=seed)
    wild = z * np.float32(2.0**power)
    brought = ranges(wild)(wild)
    ratio = brought / z
    assert (ratio == ratio[0, 0]).all()
    assert 2.0**-33 < np.abs(brought).max() < 2.0**33
    assert ranges(wild).note == ""


def test_columns_of_units_apart_are_brought_together() -> None:
    """One column at 1e-30 beside one at 1e30: both are there afterwards, in proportion to what they were."""
    z = made(d=3)
    wild = z * np.array([1e-30, 1, 1e30], np.float32)
    brought = ranges(wild)(wild)
    assert ((brought.std(axis=0) > 0.2) & (brought.std(axis=0) < 2)).all()
    for column in range(3):
        assert np.corrcoef(brought[:, column], z[:, column])[0, 1] > 1 - 1e-6


def test_a_large_offset_is_taken_off_exactly() -> None:
    """What float32 holds of a small spread on a large offset is kept to the last bit."""
    z = made() + np.float32(1e6)
    brought = ranges(z)(z)
    offsets = z.astype(np.float64) - brought
    assert (offsets == offsets[0]).all()
    assert np.abs(brought).max() < 10


def test_rounding_on_a_constant_stays_what_it_is() -> None:
    """The last bit of a constant column is not blown up."""
    z = made()
    z[:, 0] = np.float32(1e6)
    z[::2, 0] = np.nextafter(np.float32(1e6), np.float32(0))
    assert ranges(z)(z) is z


def test_a_value_out_of_all_proportion_is_clipped_and_counted() -> None:
    """One row of 1e20 is brought near the others, still the farthest, and said; the other rows stay as they are."""
    z = made()
    wild = z.copy()
    wild[7] = 1e20
    found = ranges(wild)
    brought = found(wild)
    others = np.arange(400) != 7
    np.testing.assert_array_equal(brought[others], z[others])
    assert (brought[7] > np.abs(z).max()).all()
    assert (brought[7] < FAR * np.abs(z).max() + 1).all()
    assert found.note.startswith("5 values of z further than 100 times what is usual in their column")


def test_constant_columns_of_any_size_come_back_finite() -> None:
    """A column of the largest float32 in every row is a constant still."""
    z = made()
    z[:, 2] = np.finfo(np.float32).max
    z[:, 3] = 1e-44
    brought = ranges(z)(z)
    assert np.isfinite(brought).all()
    assert (np.ptp(brought[:, 2:4], axis=0) == 0).all()
    assert (np.abs(brought[:, 2:4]) < 4).all()
