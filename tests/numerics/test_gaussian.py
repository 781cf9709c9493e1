"""The distance of two Gaussians along a direction is the one they were made with."""

import numpy as np
import pytest

from leakaudit.numerics import gaussian

ROWS = 20_000


def pair(gap: float, width: int = 10, seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated Gaussians whose Mahalanobis distance is `gap`; column variances span four decades."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 2, rows)
    u = chance.normal(size=(rows, width))
    u[:, -1] += gap * labels
    turn = np.linalg.qr(chance.normal(size=(width, width)))[0]
    return ((u * np.geomspace(1, 0.01, width)) @ turn + 1).astype(np.float32), labels


@pytest.mark.parametrize("gap", [0.5, 1.0, 3.0])
def test_lda_measures_the_distance(gap: float) -> None:
    """Along LDA, d' is the Mahalanobis distance of the two classes."""
    line = gaussian.lda(*pair(gap), 2)
    assert line.d_prime == pytest.approx(gap, abs=0.05)
    assert line.bells[1].mean - line.bells[0].mean == pytest.approx(gap, abs=0.05)
    assert [bell.deviation for bell in line.bells] == pytest.approx([1, 1], abs=0.03)


def test_lda_finds_nothing_where_there_is_nothing() -> None:
    """On random labels and few rows the cross-fitted d' is that of two means of random rows; the fitted one is not."""
    z, labels = pair(0, width=60, rows=240)
    labels = np.random.default_rng(1).permutation(labels)
    along = (z - z.mean(0)) @ gaussian.direction(z, labels, 2)
    fitted = abs(along[labels == 1].mean() - along[labels == 0].mean()) / along.std()
    assert fitted > 0.6
    # Two halves of 120 rows, 60 a class: the mean of |N(0, 1/30)| over two is .15; three deviations above, .35.
    assert gaussian.lda(z, labels, 2).d_prime < 0.35


def test_pc1_is_blind_where_lda_is_not() -> None:
    """A leak of 3 in the smallest component shows as nothing along PC1, which has the largest share of variance."""
    z, labels = pair(3.0)
    line = gaussian.pc1(z, labels, 2)
    assert line.share is not None
    assert line.share > 0.4
    assert line.d_prime < 0.5
    assert gaussian.lda(z, labels, 2).d_prime > 2.9


def test_pc1_measures_a_leak_along_it() -> None:
    """Classes 4 apart on the leading component are 4 apart on PC1."""
    z, labels = pair(0.0)
    z = z + 4 * labels[:, None] * np.linalg.svd(z - z.mean(0), full_matrices=False)[2][:1]
    assert gaussian.pc1(z.astype(np.float32), labels, 2).d_prime == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("draw", [gaussian.pc1, gaussian.lda])
def test_histograms_count_every_row(draw: object) -> None:
    """Counts of each class add up to its rows; three classes are three bells; missing labels are in none."""
    z, labels = pair(2.0, rows=3000)
    labels = np.where(np.arange(3000) % 5 == 0, -1, labels + (np.arange(3000) % 7 == 1))
    line = draw(z, labels, 4, bins=30)  # type: ignore[operator]
    assert [bell.rows for bell in line.bells] == [int((labels == c).sum()) for c in range(4)]
    assert [int(bell.histogram.sum()) for bell in line.bells] == [bell.rows for bell in line.bells]
    assert all(len(bell.histogram) == 30 for bell in line.bells)
    assert line.span[0] == -line.span[1]


@pytest.mark.parametrize("draw", [gaussian.pc1, gaussian.lda])
def test_degenerate_rows_have_no_distance(draw: object) -> None:
    """One class, no label or a constant z: d' is 0, nothing is NaN."""
    z, labels = pair(2.0, rows=50)
    for part, given in ((z, np.zeros(50, np.int64)), (z, np.full(50, -1)), (np.ones_like(z), labels)):
        line = draw(part, given, 2)  # type: ignore[operator]
        assert line.d_prime == 0
        assert all(np.isfinite([bell.mean, bell.deviation]).all() for bell in line.bells)
