"""
Attractors: misclassified rows that lie nearest to the centroid of a class whose dominant private class they share.

The plane is one of `planes`: of the class centroids, each counted by the misclassified rows of its class and near it,
as those are looked at; of linear discriminants; or of t-SNE, on which a centroid is the mean place of its class's rows.
It changes what is drawn and no count: "nearest" is measured in the whole bottleneck. Chance permutes the private labels
among all rows of each target class. (Among the misclassified ones alone nothing could be told of two classes: there is
one other centroid.) No row is handed back: rows are counted by cell.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from leakaudit import stats
from leakaudit.finding import Bottleneck, Centroid
from leakaudit.numerics import planes
from leakaudit.numerics.moments import BLOCK, Moments, moments

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


@dataclass(frozen=True)
class Layout:
    """Where centroids and rows lie on a plane."""

    centroids: Float64[np.ndarray, "k 2"]
    rows: Float64[np.ndarray, "n 2"]
    between: float = 0.0
    share: float = 0.0
    mapped: int = 0
    """Rows that were placed to find it."""


def attractors(
    rows: Views,
    usual: Int64[np.ndarray, " targets"] | None,
    known: Moments,
    rng: np.random.Generator,
    projection: str = "pca",
) -> Bottleneck:
    """
    Where the misclassified rows lie among the centroids, and whether the private attribute drew them there.

    `usual`: the dominant private class of each target class in training, where that is known; `known`: moments of z, or
    of more rows than these; `projection`: which plane, `pca`, `lda` or `tsne`.
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
    counted = {
        "rows": size,
        "wrong": np.bincount(own, minlength=rows.targets),
        "drawn": np.bincount(near[away], minlength=rows.targets),
        "shared": np.bincount(near[shared], minlength=rows.targets),
    }
    chosen = np.argsort(np.where(size > 0, -counted["wrong"], 1), kind="stable")[:PLACES]
    places = np.sort(chosen[size[chosen] > 0])
    part = wrong[np.sort(rng.permutation(len(wrong))[:MOST])]
    if projection == "tsne":
        laid = _mapped(rows, places, part, known, rng)
    else:
        weight = size if projection == "lda" else 1 + counted["wrong"] + counted["drawn"]
        laid = _flat(rows, centroids, (places, part), weight * (size > 0), known, discriminate=projection == "lda")
    at, where = _cells(laid.centroids, laid.rows)
    drawn = np.column_stack([where, rows.target[part], rows.private[part]])
    marks, count = np.unique(drawn, axis=0, return_counts=True)
    return Bottleneck(
        rows=len(rows.target),
        wrong=len(wrong),
        away=int(away.sum()),
        shared=int(shared.sum()),
        chance=float(np.mean(chance)),
        p=float((1 + np.sum(chance >= shared.sum())) / (1 + len(chance))),
        draws=len(chance),
        trained=usual is not None,
        between=laid.between,
        share=laid.share,
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
        projection=projection,
        mapped=laid.mapped,
    )


def _flat(
    rows: Views,
    centroids: Float64[np.ndarray, "targets d"],
    shown: tuple[Codes, Int64[np.ndarray, " w"]],
    weight: Int64[np.ndarray, " targets"],
    known: Moments,
    *,
    discriminate: bool,
) -> Layout:
    """The centroids of some classes, and some rows, on a plane in z; classes count by `weight`."""
    places, part = shown
    there = weight > 0
    if discriminate:
        own = known if known.rows == len(rows.z) else moments(rows.z)
        plane = planes.discriminants(centroids[there], weight[there], own)
    else:
        plane = planes.leading(centroids[there], weight[there] / weight.sum(), known)
    at, among = centroids[places] @ plane.axes, (rows.z[part] - known.mean) @ plane.axes
    return Layout(at, among, plane.between, planes.held(plane.axes, known))


def _mapped(
    rows: Views, places: Codes, part: Int64[np.ndarray, " w"], known: Moments, rng: np.random.Generator
) -> Layout:
    """The same by t-SNE: centroids at the mean place of the rows of their class."""
    found = planes.neighbours(rows.z, rows.target, part, known, rng)
    member = (rows.target[found.rows] == places[:, None]).astype(np.float64)
    at = member @ found.at / np.maximum(member.sum(axis=1, keepdims=True), 1)
    return Layout(at, found.at[np.searchsorted(found.rows, part)], mapped=len(found.rows))


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
