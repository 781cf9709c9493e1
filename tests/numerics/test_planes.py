"""Planes of the bottleneck plot: discriminants are those of the definition, and t-SNE gives the same places twice."""

import numpy as np
import pytest
from scipy.linalg import eigh

from leakaudit.numerics import planes
from leakaudit.numerics.moments import moments


def classes(n: int, width: int, count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around a mean per class, far more scattered along the first column than along others."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % count
    means = 4 * np.eye(count, width)[:, ::-1]
    z = means[y] + rng.standard_normal((n, width)) * [20, *[1] * (width - 1)]
    return z.astype(np.float32), y


def parts(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class centroids less the mean, and the rows of each class."""
    centroids = np.array([z[y == k].mean(axis=0) for k in range(y.max() + 1)], float)
    return centroids - z.mean(axis=0), np.bincount(y)


def test_discriminants_are_those_of_the_definition() -> None:
    """They span what the generalised eigenvectors of the scatter between and within classes do, row by row."""
    z, y = classes(900, 6, 4)
    centroids, size = parts(z, y)
    found = planes.discriminants(centroids, size, moments(z))
    unit = z.std(axis=0)
    x = (z - z.mean(axis=0)) / unit
    own = np.array([x[y == k].mean(axis=0) for k in range(4)])
    within = (x - own[y]).T @ (x - own[y]) / 900
    shrunk = 900 / 906 * within + 6 / 906 * np.diag(np.diag(within))
    between = own[y].T @ own[y] / 900
    values, vectors = eigh(between, shrunk)
    for axis in (found.axes * unit[:, None]).T:
        inside, *_ = np.linalg.lstsq(vectors[:, -2:], axis, rcond=None)
        assert vectors[:, -2:] @ inside == pytest.approx(axis, abs=1e-4)
        assert axis @ shrunk @ axis == pytest.approx(1, abs=1e-3)
    assert found.between == pytest.approx(values[-2:].sum() / values[values > 1e-9].sum(), abs=1e-4)


def test_discriminants_pass_by_scatter_that_principal_components_follow() -> None:
    """Of two classes that a quiet column tells apart, the line is that column, however loud another one is."""
    z, y = classes(600, 5, 2)
    centroids, size = parts(z, y)
    line, second = planes.discriminants(centroids, size, moments(z)).axes.T
    along = z @ line
    apart = abs(along[y == 1].mean() - along[y == 0].mean())
    assert apart == pytest.approx(4 * 2**0.5, rel=0.15)  # in deviations within classes
    other = z @ second
    assert abs(np.corrcoef(along - 4 * y, other)[0, 1]) < 0.9
    assert [other[y == k].std() for k in (0, 1)] == pytest.approx([1, 1], rel=0.15)
    assert abs(second[0]) * 20 > 0.9  # the rows' leading principal component


@pytest.mark.parametrize(("width", "rows"), [(300, 40), (1, 60), (2, 60), (5, 6)])
def test_discriminants_exist_where_rows_are_few(width: int, rows: int) -> None:
    """With more columns than rows the scatter is shrunk; a bottleneck of one number has one direction."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    z = (rng.standard_normal((rows, width)) + 3 * y[:, None]).astype(np.float32)
    centroids, size = parts(z, y)
    found = planes.discriminants(centroids, size, moments(z))
    assert np.isfinite(found.axes).all()
    assert found.axes.any(axis=0).tolist() == [True, width > 1]
    assert 0 < found.between <= 1 + 1e-9
    assert 0 < planes.held(found.axes, moments(z)) <= 1 + 1e-6


def test_columns_that_do_not_vary_do_not_matter() -> None:
    """A constant column, and one that is nought, change no place."""
    z, y = classes(300, 4, 3)
    more = np.concatenate([z, np.full((300, 1), 7, np.float32), np.zeros((300, 1), np.float32)], axis=1)
    one = planes.discriminants(*parts(z, y), moments(z)).axes
    other = planes.discriminants(*parts(more, y), moments(more)).axes
    one, other = (part @ axes for part, axes in ((z, one), (more - more.mean(axis=0), other)))
    spread = one - one.mean(axis=0)
    assert np.abs(spread) == pytest.approx(np.abs(other - other.mean(axis=0)), abs=0.02 * np.abs(spread).max())


def test_tsne_gives_the_same_places_twice_and_keeps_classes_together() -> None:
    """Far classes lie apart on it; the seed decides which rows are placed, these alone where."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    z = (10 * np.eye(3, 8)[y] + rng.standard_normal((90, 8))).astype(np.float32)
    asked, known = np.array([3, 70]), moments(z)
    one, two = (planes.neighbours(z, y, asked, known, np.random.default_rng(seed)) for seed in (1, 2))
    assert one.rows.tolist() == two.rows.tolist() == list(range(90))
    assert (one.at == two.at).all()
    near = np.linalg.norm(one.at[:, None] - one.at, axis=2) + 1e9 * np.eye(90)
    assert (y[near.argmin(axis=1)] == y).all()


def test_tsne_places_what_is_asked_and_one_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rows than it places, others are drawn by lot."""
    monkeypatch.setattr(planes, "MAPPED", 40)
    rng = np.random.default_rng(0)
    y = np.zeros(500, np.int64)
    y[[100, 200, 300]] = 1, 2, 3
    z = rng.standard_normal((500, 4)).astype(np.float32)
    asked = np.arange(20) * 25
    found = planes.neighbours(z, y, asked, moments(z), np.random.default_rng(0))
    assert len(found.rows) == len(set(found.rows.tolist())) == 40
    assert set(asked) <= set(found.rows.tolist())
    assert set(y[found.rows]) == {0, 1, 2, 3}
    other = planes.neighbours(z, y, asked, moments(z), np.random.default_rng(1))
    assert set(other.rows) != set(found.rows)
    assert np.isfinite(found.at).all()


@pytest.mark.parametrize(("rows", "width"), [(1, 3), (3, 3), (4, 3), (9, 1), (30, 1), (30, 2)])
def test_tsne_of_few_rows_or_columns_is_finite(rows: int, width: int) -> None:
    """Nothing fails for want of neighbours or of a second direction."""
    z = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    found = planes.neighbours(z, np.arange(rows) % 2, np.zeros(0, np.int64), moments(z), np.random.default_rng(0))
    assert found.at.shape == (rows, 2)
    assert np.isfinite(found.at).all()
