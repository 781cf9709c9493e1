"""
Private classes along one direction of the bottleneck, each as a Gaussian: PC1, the papers' figure, and LDA's.

PC1 of Barbano, Tartaglione and Grangetto, "Bridging the gap between debiasing and privacy for deep learning", ICCV
workshops 2021, figure 8. It is nearly blind, so Fisher's direction stands beside it. The distance of two class means
is measured in units of the pooled within-class deviation (d', Green and Swets 1966); along LDA on the half of the
rows that the direction was not fitted to, both ways.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.linalg import cholesky, solve_triangular

from leakaudit.numerics.holdout import parts
from leakaudit.numerics.moments import BLOCK, Moments, moments

SPAN = 4.0
"""Histograms reach this many within-class deviations beyond the outermost class means."""


@dataclass(frozen=True)
class Bell:
    """One class along a direction, in units of the pooled within-class deviation."""

    rows: int
    mean: float
    deviation: float
    histogram: Int64[np.ndarray, " bins"]
    """Counts in equal bins over the span; what lies beyond counts in the outermost bins."""


@dataclass(frozen=True)
class Line:
    """All classes along a direction; a class without rows has a Bell of 0 rows."""

    d_prime: float
    """Largest distance of two class means, in units of the pooled within-class deviation."""
    share: float | None
    """Share of the total variance; None for LDA."""
    span: tuple[float, float]
    bells: tuple[Bell, ...]


@dataclass(frozen=True)
class Halves:
    """Standardised rows in two halves that keep groups whole, computed once for all attributes."""

    x: tuple[Float32[np.ndarray, "n1 d"], Float32[np.ndarray, "n2 d"]]
    rows: tuple[Int64[np.ndarray, " n1"], Int64[np.ndarray, " n2"]]
    """Where the rows of each half stand among all."""
    unit: Float64[np.ndarray, " d"]
    squares: Float64[np.ndarray, "2 d d"]
    """Sum of the outer products of the rows of each half."""


def halves(
    z: Float32[np.ndarray, "n d"],
    *,
    group: Int64[np.ndarray, " n"] | None = None,
    seed: int = 0,
    known: Moments | None = None,
) -> Halves:
    """Two halves of the rows, dealt by group without a look at any label."""
    known = known or moments(z)
    side = parts(np.zeros(len(z), np.int64), np.arange(len(z)) if group is None else group, 2, seed)
    first, second = np.flatnonzero(side == 0), np.flatnonzero(side == 1)
    one, two = (((z[half] - known.mean) / known.scale).astype(np.float32) for half in (first, second))
    squares = np.stack([(x.T @ x).astype(np.float64) for x in (one, two)])
    return Halves((one, two), (first, second), known.scale, squares)


def first(z: Float32[np.ndarray, "n d"], known: Moments) -> Float64[np.ndarray, " n"]:
    """The rows along the first principal component."""
    axis, centre = known.eigen[1][:, 0].astype(np.float32), known.mean.astype(np.float32)
    parts = [(z[start : start + BLOCK] - centre) @ axis for start in range(0, len(z), BLOCK)]
    along: Float64[np.ndarray, " n"] = np.concatenate([*parts, np.zeros(0)], dtype=np.float64)
    return along


def pc1(
    z: Float32[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    *,
    known: Moments | None = None,
    along: Float64[np.ndarray, " n"] | None = None,
    bins: int = 40,
) -> Line:
    """
    The classes along the first principal component; rows with label -1 are left out of the classes.

    `along`: what `first` says of these rows, where it was asked already.
    """
    known = known or moments(z)
    values = known.eigen[0]
    total = float(values.sum())
    scores = first(z, known) if along is None else along
    return _line(scores, labels, classes, bins, float(values[0]) / total if total > 0 else 0.0)


def lda(
    z: Float32[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    *,
    group: Int64[np.ndarray, " n"] | None = None,
    seed: int = 0,
    bins: int = 40,
    split: Halves | None = None,
) -> Line:
    """
    The classes along Fisher's first direction, cross-fitted.

    The direction is fitted on one half of the groups and measured on the other, both ways; the halves are laid over
    each other in units of their own deviation, and d' is the mean of the two halves'. `split`: halves of these rows
    that are there already.
    """
    split = split or halves(z, group=group, seed=seed)
    scores = np.zeros(len(z))
    distances = []
    for half in (0, 1):
        measured, fitted = split.rows[half], split.rows[1 - half]
        axis = _fisher(split.x[1 - half], labels[fitted], classes, split.squares[1 - half])
        along = (split.x[half] @ axis.astype(np.float32)).astype(np.float64)
        line = _line(along, labels[measured], classes, 1, None)
        distances.append(line.d_prime)
        centre, deviation = _units(along, labels[measured], classes)
        scores[measured] = (along - centre) / deviation
    line = _line(scores, labels, classes, bins, None)
    return Line(float(np.mean(distances)), None, line.span, line.bells)


def direction(
    z: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], classes: int
) -> Float64[np.ndarray, " d"]:
    """The direction along which class means differ most in units of the within-class deviation."""
    split = halves(z)
    x, rows = np.concatenate(split.x), np.concatenate(split.rows)
    along: Float64[np.ndarray, " d"] = _fisher(x, labels[rows], classes, split.squares.sum(axis=0)) / split.unit
    return along


def _fisher(
    x: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], classes: int, squares: Float64[np.ndarray, "d d"]
) -> Float64[np.ndarray, " d"]:
    """
    Fisher's first direction; rows with label -1 are a class of their own that says nothing but how rows scatter.

    The within-class covariance is shrunk towards its diagonal by d / (d + n); the sign makes the last class lie to the
    right of the first.
    """
    counts = np.bincount(labels + 1, minlength=classes + 1).astype(np.float64)
    member = (labels == np.arange(-1, classes)[:, None]).astype(np.float32)
    sums = (member @ x).astype(np.float64)
    present = np.flatnonzero(counts[1:]) + 1
    if len(present) <= 1:
        return np.zeros(x.shape[1])
    means = sums / np.maximum(counts, 1)[:, None]
    covariance = (squares - sums.T @ means) / max(len(x), 1)
    shrink = x.shape[1] / (x.shape[1] + len(x))
    diagonal = np.maximum(np.diag(covariance), 0.0)
    covariance = (1 - shrink) * covariance + shrink * np.diag(diagonal)
    # float32 sums leave a covariance that is singular up to rounding; columns have unit variance
    covariance[np.diag_indices_from(covariance)] += 1e-5
    means, counts = means[present], counts[present]
    spread = (means - counts @ means / counts.sum()) * np.sqrt(counts / counts.sum())[:, None]
    # Generalised eigenproblem between / within: the leading right singular vector of spread @ within^-1/2.
    root = cholesky(covariance, lower=True, check_finite=False)
    white = solve_triangular(root, spread.T, lower=True, check_finite=False)
    leading = np.linalg.svd(white.T, full_matrices=False)[2][0]
    along: Float64[np.ndarray, " d"] = solve_triangular(root, leading, lower=True, trans=1, check_finite=False)
    turned: Float64[np.ndarray, " d"] = along * (np.sign((means[-1] - means[0]) @ along) or 1.0)
    return turned


def _units(scores: Float64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"], classes: int) -> tuple[float, float]:
    """Mean of the class means, and pooled within-class deviation (1 where there is none)."""
    squares, rows, means = 0.0, 0, []
    for c in range(classes):
        part = scores[labels == c]
        if len(part):
            means.append(float(part.mean()))
            squares += float(((part - part.mean()) ** 2).sum())
            rows += len(part) - 1
    deviation = (squares / rows) ** 0.5 if rows > 0 else 0.0
    return (float(np.mean(means)) if means else 0.0), deviation if deviation > 0 else 1.0


def _line(
    scores: Float64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"], classes: int, bins: int, share: float | None
) -> Line:
    centre, deviation = _units(scores, labels, classes)
    scaled = (scores - centre) / deviation
    present = [scaled[labels == c] for c in range(classes)]
    means = [float(part.mean()) for part in present if len(part)]
    reach = SPAN + max((abs(mean) for mean in means), default=0.0)
    edges = np.linspace(-reach, reach, bins + 1)
    bells = tuple(
        Bell(
            len(part),
            float(part.mean()) if len(part) else 0.0,
            float(part.std()) if len(part) else 0.0,
            np.histogram(np.clip(part, -reach, reach), edges)[0].astype(np.int64),
        )
        for part in present
    )
    return Line(max(means) - min(means) if means else 0.0, share, (-reach, reach), bells)
