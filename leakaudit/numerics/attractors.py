"""
Attractors: misclassified rows that lie nearest to the centroid of a class whose dominant private class they share.

The plane is that of the two leading principal components of the class centroids, each counted by the misclassified rows
of its class and near it, as those are looked at; its axes are at right angles and of one scale. Chance permutes the
private labels among all rows of each target class. (Among the misclassified ones alone nothing could be told of two
classes: there is one other centroid.) No row is handed back: rows are counted by cell.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from leakaudit import stats
from leakaudit.finding import Bottleneck, Centroid
from leakaudit.numerics.moments import BLOCK, Moments

CELLS = 40
"""Cells along each side of the plot."""
MOST = 300
"""Misclassified rows that are drawn; of more, so many by lot."""
PLACES = 30
"""Centroids that are drawn; of more classes, those with the most misclassified rows."""
DRAWS, WORK = 999, 2_000_000
"""Permutations; of rows in groups, at most so many rows permuted in all, and at least 99 permutations."""
Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Views:
    """The rows of one attribute as the model has them: none lacks a label."""

    z: Float32[np.ndarray, "n d"]
    target: Codes
    named: Codes
    """The target class that the model names."""
    private: Codes
    targets: int
    privates: int
    group: Codes | None
    """Rows of one group trade labels together; None: each stands for itself."""


def attractors(
    rows: Views, usual: Int64[np.ndarray, " targets"] | None, known: Moments, rng: np.random.Generator
) -> Bottleneck:
    """
    Where the misclassified rows lie among the centroids, and whether the private attribute drew them there.

    `usual`: the dominant private class of each target class in training, where that is known; `known`: moments of z.
    """
    size = np.bincount(rows.target, minlength=rows.targets)
    centroids = _centroids(rows, size, known.mean)
    wrong = np.flatnonzero(rows.named != rows.target)
    near = _nearest(rows.z[wrong], known.mean, centroids, size > 0)
    dominant = _dominant(rows) if usual is None else usual
    own, private = rows.target[wrong], rows.private[wrong]
    away = near != own
    drawn_by = np.where(away, dominant[near], -1)
    shared = drawn_by == private
    chance = _by_chance(rows, wrong, drawn_by, rng)
    total = float(np.trace(known.covariance))
    counted = {
        "rows": size,
        "wrong": np.bincount(own, minlength=rows.targets),
        "drawn": np.bincount(near[away], minlength=rows.targets),
        "shared": np.bincount(near[shared], minlength=rows.targets),
    }
    weight = (1 + counted["wrong"] + counted["drawn"])[size > 0]
    plane, between = _plane(centroids[size > 0], weight / weight.sum(), known)
    chosen = np.argsort(np.where(size > 0, -counted["wrong"], 1), kind="stable")[:PLACES]
    places = np.sort(chosen[size[chosen] > 0])
    part = np.sort(rng.permutation(len(wrong))[:MOST])
    at, where = _cells(centroids[places] @ plane, (rows.z[wrong[part]] - known.mean) @ plane)
    marks, count = np.unique(np.column_stack([where, own[part], private[part]]), axis=0, return_counts=True)
    return Bottleneck(
        rows=len(rows.target),
        wrong=len(wrong),
        away=int(away.sum()),
        shared=int(shared.sum()),
        chance=float(np.mean(chance)),
        p=float((1 + np.sum(chance >= shared.sum())) / (1 + len(chance))),
        draws=len(chance),
        trained=usual is not None,
        between=between,
        share=float(np.einsum("ij,ik,kj->", plane, known.covariance, plane)) / total if total > 0 else 0.0,
        cells=CELLS,
        centroids=tuple(
            Centroid(
                target=int(y),
                x=float(x),
                y=float(up),
                dominant=int(dominant[y]) if dominant[y] >= 0 else None,
                **{name: int(values[y]) for name, values in counted.items()},
            )
            for y, (x, up) in zip(places, at, strict=True)
        ),
        marks=tuple((*map(int, mark), int(n)) for mark, n in zip(marks, count, strict=True)),
    )


def _by_chance(
    rows: Views, wrong: Int64[np.ndarray, " w"], drawn_by: Int64[np.ndarray, " w"], rng: np.random.Generator
) -> Int64[np.ndarray, " draws"]:
    """How many of the rows `wrong` have the private class `drawn_by` (-1: none) in each permutation."""
    if rows.group is not None:
        times = range(int(np.clip(WORK // len(rows.target), 99, DRAWS)))
        drawn = (stats.redraw(rows.target, rows.private, rows.group, rng)[wrong] for _ in times)
        return np.array([int((drawn_by == labels).sum()) for labels in drawn])
    from scipy.stats import random_table

    found = np.zeros(DRAWS, np.int64)
    own = rows.target[wrong]
    for y in np.unique(own):
        names, count = np.unique(rows.private[rows.target == y], return_counts=True)
        by, size = np.unique(drawn_by[own == y], return_counts=True)
        there = np.isin(by, names)
        by, size = by[there], size[there]
        if len(by):
            tables = random_table([*size, count.sum() - size.sum()], count).rvs(DRAWS, random_state=rng)
            found += tables[:, np.arange(len(by)), np.searchsorted(names, by)].sum(axis=1).astype(np.int64)
    return found


def _centroids(
    rows: Views, size: Int64[np.ndarray, " targets"], mean: Float64[np.ndarray, " d"]
) -> Float64[np.ndarray, "targets d"]:
    """The mean of each class's rows, less that of all rows; zero for a class without rows."""
    sums, centre = np.zeros((rows.targets, rows.z.shape[1])), mean.astype(np.float32)
    for start in range(0, len(rows.z), BLOCK):
        target = rows.target[start : start + BLOCK]
        present, place = np.unique(target, return_inverse=True)
        member = (place == np.arange(len(present))[:, None]).astype(np.float32)
        sums[present] += member @ (rows.z[start : start + BLOCK] - centre)
    sums += size[:, None] * (centre - mean)
    centroids: Float64[np.ndarray, "targets d"] = sums / np.maximum(size, 1)[:, None]
    return centroids


def _nearest(
    z: Float32[np.ndarray, "n d"],
    mean: Float64[np.ndarray, " d"],
    centroids: Float64[np.ndarray, "targets d"],
    present: Bool[np.ndarray, " targets"],
) -> Codes:
    """The class whose centroid lies nearest to each row; of several as near, the first."""
    lengths = np.where(present, (centroids**2).sum(axis=1), np.inf)
    near = [
        (lengths - 2 * ((z[start : start + BLOCK] - mean) @ centroids.T)).argmin(axis=1)
        for start in range(0, len(z), BLOCK)
    ]
    found: Codes = np.concatenate([*near, np.zeros(0, np.int64)])
    return found


def _dominant(rows: Views) -> Int64[np.ndarray, " targets"]:
    """The private class that most rows of each class have; -1 where several have as many."""
    table = stats.tabulate(rows.target, rows.private, rows.targets, rows.privates)
    most = table.max(axis=1)
    alone: Int64[np.ndarray, " targets"] = np.where((table == most[:, None]).sum(axis=1) == 1, table.argmax(axis=1), -1)
    return alone


def _plane(
    centroids: Float64[np.ndarray, "k d"], weight: Float64[np.ndarray, " k"], known: Moments
) -> tuple[Float64[np.ndarray, "d 2"], float]:
    """
    Two directions at right angles, and their share of the variance between centroids.

    Centroids on one line leave the second direction to the rows: their leading principal component, less the line. A
    bottleneck of one number has no second direction.
    """
    weighted = np.sqrt(weight)[:, None] * (centroids - weight @ centroids)
    _, sizes, found = np.linalg.svd(weighted, full_matrices=False)
    axes = [axis for axis, size in zip(found[:2], sizes[:2], strict=True) if size > 1e-6 * max(sizes[0], 1e-30)]
    for axis in known.eigen[1].T:
        if len(axes) == 2:  # noqa: PLR2004 (a plane)
            break
        rest = axis - sum((axis @ other) * other for other in axes)
        if np.linalg.norm(rest) > 0.1:  # noqa: PLR2004 (not along the line)
            axes.append(rest / np.linalg.norm(rest))
    axes += [np.zeros(centroids.shape[1])] * (2 - len(axes))
    plane = np.stack([axis * (np.sign(axis[np.abs(axis).argmax()]) or 1.0) for axis in axes], axis=1)
    apart = centroids - centroids.mean(axis=0)
    spread = float((apart**2).sum())
    return plane, float(((apart @ plane) ** 2).sum()) / spread if spread > 0 else 0.0


def _cells(
    centroids: Float64[np.ndarray, "k 2"], rows: Float64[np.ndarray, "n 2"]
) -> tuple[Float64[np.ndarray, "k 2"], Int64[np.ndarray, "n 2"]]:
    """Both in cells of a square around the centroids and all but the outermost 2 % of rows on each side."""
    inner = np.quantile(rows, [0.02, 0.98], axis=0) if len(rows) else centroids[:0]
    ends = np.concatenate([centroids, inner])
    low, high = ends.min(axis=0), ends.max(axis=0)
    side = 1.1 * float((high - low).max()) or 1.0
    corner = (low + high - side) / 2
    at, where = (CELLS * (part - corner) / side for part in (centroids, rows))
    return at, np.clip(np.floor(where), 0, CELLS - 1).astype(np.int64)
