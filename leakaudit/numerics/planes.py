"""
The plane on which a bottleneck is drawn: of principal components, of linear discriminants, or of t-SNE.

Principal components are those of the class centroids. Discriminants are Fisher's ("The use of multiple measurements in
taxonomic problems", Annals of Eugenics 7, 1936) of several classes (Rao, "The utilization of multiple measurements in
problems of biological classification", Journal of the Royal Statistical Society B 10, 1948): the plane on which
centroids lie farthest apart in units of the scatter within classes. t-SNE (van der Maaten and Hinton, "Visualizing data
using t-SNE", JMLR 9, 2008) keeps neighbours together; distances between clusters mean nothing on it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.linalg import cholesky, solve_triangular

from leakaudit.numerics.moments import Moments

MAPPED = 2000
"""Rows that t-SNE places, at most."""
COMPONENTS = 50
"""Leading principal components that t-SNE looks at, as its authors did."""
PERPLEXITY = 30.0
"""Neighbours of a row, about; fewer where rows are few."""
FEWEST = 4
"""Rows below which t-SNE has nothing to do."""
TINY = 1e-30
PLANE = 2
NAMES = ("pca", "lda", "tsne")
"""What `--projection` takes."""


class Plane(NamedTuple):
    """Two directions, as columns, and the share of what lies between the centroids that they hold."""

    axes: Float64[np.ndarray, "d 2"]
    between: float


class Places(NamedTuple):
    """Where t-SNE puts rows."""

    rows: Int64[np.ndarray, " m"]
    """Which rows, in ascending order."""
    at: Float64[np.ndarray, "m 2"]


def leading(centroids: Float64[np.ndarray, "k d"], weight: Float64[np.ndarray, " k"], known: Moments) -> Plane:
    """
    The two leading principal components of the weighted centroids, and their share of the variance between these.

    Centroids on one line leave the second direction to the rows: their leading principal component, less the line. A
    bottleneck of one number has no second direction.
    """
    weighted = np.sqrt(weight)[:, None] * (centroids - weight @ centroids)
    _, sizes, found = np.linalg.svd(weighted, full_matrices=False)
    axes = [axis for axis, size in zip(found, _leading(sizes), strict=False) if size]
    for axis in known.eigen[1].T:
        if len(axes) == PLANE:
            break
        rest = axis - sum((axis @ other) * other for other in axes)
        if np.linalg.norm(rest) > 0.1:  # noqa: PLR2004 (not along the line)
            axes.append(rest / np.linalg.norm(rest))
    plane = _columns(axes, centroids.shape[1])
    apart = centroids - centroids.mean(axis=0)
    spread = float((apart**2).sum())
    return Plane(plane, float(((apart @ plane) ** 2).sum()) / spread if spread > 0 else 0.0)


def discriminants(centroids: Float64[np.ndarray, "k d"], size: Int64[np.ndarray, " k"], known: Moments) -> Plane:
    """
    The two leading discriminants of classes of so many rows, in units of the deviation within classes.

    `known`: moments of these rows. Their scatter within classes is shrunk towards its diagonal by d / (d + n), so that
    it can be inverted where rows are fewer than columns. Of two classes, the second direction is the leading principal
    component of the rows that is not correlated, within classes, with the first. The share is that of the trace.
    """
    share, unit = size / size.sum(), known.scale
    spread = np.sqrt(share)[:, None] * (centroids - share @ centroids) / unit
    within = known.covariance / np.outer(unit, unit) - spread.T @ spread
    width = len(within)
    shrink = width / (width + known.rows)
    diagonal = np.maximum(np.diag(within), 0.0)
    within = (1 - shrink) * within + shrink * np.diag(diagonal)
    within[np.diag_indices_from(within)] += 1e-5  # what float32 sums leave is singular up to rounding
    root = cholesky(within, lower=True, check_finite=False)
    _, sizes, found = np.linalg.svd(solve_triangular(root, spread.T, lower=True).T, full_matrices=False)
    axes = [
        solve_triangular(root, axis, lower=True, trans=1)
        for axis, size in zip(found, _leading(sizes), strict=False)
        if size
    ]
    for axis in (known.eigen[1] * unit[:, None]).T:
        if len(axes) == PLANE:
            break
        rest = axis - sum((axis @ within @ other) * other for other in axes)
        long = float(rest @ within @ rest)
        if long > 0.01 * float(axis @ within @ axis):
            axes.append(rest / long**0.5)
    total = float((sizes**2).sum())
    plane = _columns([axis / unit for axis in axes], width)
    return Plane(plane, float((sizes[:PLANE] ** 2).sum()) / total if total > 0 else 0.0)


def neighbours(
    z: Float32[np.ndarray, "n d"],
    target: Int64[np.ndarray, " n"],
    asked: Int64[np.ndarray, " w"],
    known: Moments,
    rng: np.random.Generator,
) -> Places:
    """
    Rows by t-SNE: those that are asked for, one of each class, and by lot others, at most `MAPPED` in all.

    It starts from the two leading principal components (Kobak and Berens, "The art of using t-SNE for single-cell
    transcriptomics", Nature Communications 10, 2019), in one thread: the same rows have the same places.
    """
    order = rng.permutation(len(z))
    of_each = order[np.unique(target[order], return_index=True)[1]]
    wanted = np.concatenate([asked, of_each, order])
    rows = np.sort(wanted[np.sort(np.unique(wanted, return_index=True)[1])][:MAPPED])
    vectors = known.eigen[1][:, :COMPONENTS]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    x = (z[rows] - known.mean) @ (vectors * signs)
    start = np.zeros((len(rows), PLANE))
    start[:, : x.shape[1]] = x[:, :PLANE] / max(float(x[:, 0].std()), TINY)
    if len(rows) < FEWEST:
        return Places(rows, start)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        made = TSNE(
            perplexity=min(PERPLEXITY, (len(rows) - 1) / 3), init=(1e-4 * start).astype(np.float32), random_state=0
        )
        return Places(rows, made.fit_transform(x.astype(np.float32)).astype(np.float64))


def held(axes: Float64[np.ndarray, "d 2"], known: Moments) -> float:
    """Share of the variance of all rows that lies in the plane of these directions."""
    total = float(np.trace(known.covariance))
    flat = np.linalg.qr(axes[:, axes.any(axis=0)])[0]
    return float(np.einsum("ij,ik,kj->", flat, known.covariance, flat)) / total if total > 0 else 0.0


def _leading(sizes: Float64[np.ndarray, " k"]) -> list[bool]:
    """Of the two largest, which are no rounding."""
    return [bool(size > 1e-6 * max(float(sizes[0]), TINY)) for size in sizes[:PLANE]]


def _columns(axes: list[Float64[np.ndarray, " d"]], width: int) -> Float64[np.ndarray, "d 2"]:
    """Two columns, the largest number of each above 0; zero for a direction that there is not."""
    axes = axes + [np.zeros(width)] * (PLANE - len(axes))
    return np.stack([axis * (np.sign(axis[np.abs(axis).argmax()]) or 1.0) for axis in axes], axis=1)
