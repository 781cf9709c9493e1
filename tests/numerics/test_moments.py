"""Moments are numpy's, and whitened components have unit variance down to the rounding of float32."""

import numpy as np
import pytest

from leakaudit.numerics.moments import moments


def spread(n: int = 3000, d: int = 24, decades: float = 3, mean: float = 2.0, seed: int = 0) -> np.ndarray:
    """Rows whose eigenvalues span twice as many decades."""
    chance = np.random.default_rng(seed)
    turn = np.linalg.qr(chance.normal(size=(d, d)))[0]
    return ((chance.normal(size=(n, d)) * np.geomspace(1, 10**-decades, d)) @ turn + mean).astype(np.float32)


def test_moments_are_those_of_numpy() -> None:
    """Mean, deviation and covariance agree with numpy's in float64, in more than one block of rows."""
    z = spread(20_000)
    known = moments(z)
    wide = z.astype(np.float64)
    np.testing.assert_allclose(known.mean, wide.mean(0), rtol=1e-7)
    np.testing.assert_allclose(known.covariance, np.cov(wide.T, bias=True), atol=1e-8)
    np.testing.assert_allclose(known.scale, wide.std(0), rtol=1e-6)
    values, vectors = known.eigen
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, known.covariance, atol=1e-12)
    assert (np.diff(values) <= 0).all()


@pytest.mark.parametrize("decades", [0, 1, 3])
def test_components_are_white(decades: float) -> None:
    """Components of the seen rows have mean 0, variance 1 and no correlation, over six decades of variance."""
    z = spread(decades=decades)
    known = moments(z)
    for whitening in (known.whitening, known.leading(24)):
        components = whitening.components(z).astype(np.float64)
        assert components.shape == (3000, 24)
        np.testing.assert_allclose(components.mean(0), 0, atol=2e-3)
        np.testing.assert_allclose(np.cov(components.T, bias=True), np.eye(24), atol=5e-3)


def test_leading_components_come_first() -> None:
    """The leading components are the first ones of all, and their variance falls."""
    z = spread()
    known = moments(z)
    few, many = known.leading(5), known.leading(24)
    np.testing.assert_allclose(few.components(z), many.components(z)[:, :5], atol=1e-4)
    assert (np.diff(many.variance) < 0).all()
    assert many.variance[0] == 1


def test_repeated_and_constant_columns_add_no_component() -> None:
    """Rank is counted above rounding: repeated, mixed and constant columns add nothing."""
    z = spread(d=6, decades=0.5)
    more = np.concatenate((z, z, z[:, :1] + z[:, 1:2], np.full((3000, 2), 0.1, np.float32)), axis=1)
    known = moments(more)
    assert known.whitening.components(more).shape[1] == 6
    assert known.leading(15).components(more).shape[1] == 6
    assert (known.scale[-2:] == 1).all()


def test_units_change_nothing() -> None:
    """Columns in units from 1e-15 to 1e15 have the same components of standardised columns."""
    z = spread(d=8, decades=0.5)
    unit = 10.0 ** np.linspace(-15, 15, 8)
    plain, wild = moments(z).whitening, moments((z * unit).astype(np.float32)).whitening
    ours, theirs = plain.components(z), wild.components((z * unit).astype(np.float32))
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_rows_than_columns(n: int) -> None:
    """There are at most n - 1 components, and they are finite."""
    z = spread(n, 24)
    components = moments(z).whitening.components(z)
    assert components.shape[1] <= n - 1
    assert np.isfinite(components).all()
