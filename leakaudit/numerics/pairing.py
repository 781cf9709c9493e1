"""
Differences of two audits on the same rows: how far each figure's difference scatters, by bootstrap.

Rows are drawn within their (target, private) cell, so that the mix of the data stays; grouped rows are drawn by whole
groups. All draws are made at once from counts per cell or per group.

What was never seen is never drawn: where two audits agree on nearly all rows, draws alone miss most of what the rows
leave open. To every draw come rows (or groups) that the second gained and the first lost, `UNSEEN` of each on average:
where no row tells two audits apart, the bounds are the rule of three's.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8

from leakaudit import stats

DRAWS = 2000
UNSEEN = 2.0
"""Rows, or groups, of each direction that a draw has beside those that were seen: as many as pseudo-rows of a cell."""
BLOCK = 100
"""Draws of groups at a time: what is in memory is BLOCK x groups."""

Counts = Float[np.ndarray, "draws cells"]
Shape = tuple[int, int]
Measure = Callable[[Counts, Counts, Shape], Float[np.ndarray, " draws"]]


class Rows(NamedTuple):
    """Rows that two audits both scored."""

    target: Int64[np.ndarray, " n"]
    private: Int64[np.ndarray, " n"]
    group: Int64[np.ndarray, " n"] | None
    """None where rows stand for themselves."""
    hits: dict[str, UInt8[np.ndarray, "2 n"]]
    """First and second audit's hits, by name."""
    gains: Float32[np.ndarray, "2 n"] | None = None
    """What the first and the second audit's winner tells of each row, in bits; None where one does not say."""


def deviations(rows: Rows, hits: str, measures: tuple[Measure, ...]) -> list[Float[np.ndarray, " draws"]]:
    """Second minus first of each measure over the draws, less its mean over them."""
    keep = (rows.target >= 0) & (rows.private >= 0)
    shape = (int(rows.target.max()) + 1, int(rows.private.max()) + 1)
    cell = (rows.target * shape[1] + rows.private)[keep]
    pair = rows.hits[hits][:, keep].astype(np.int64)
    if rows.group is None:
        count, first, second = _by_cell(cell, pair, shape)
    else:
        count, first, second = _by_group(cell, pair, shape, np.unique(rows.group[keep], return_inverse=True)[1])
    unseen = np.diff(np.random.default_rng(1).poisson(UNSEEN, (2, DRAWS)), axis=0)[0]
    changes = [
        measure(count, second, shape) - measure(count, first, shape) + unseen * _one(rows, keep, measure)
        for measure in measures
    ]
    return [change - change.mean() for change in changes]


def _one(rows: Rows, keep: Bool[np.ndarray, " n"], measure: Measure) -> float:
    """What one row, or group, counts in a measure: of E and of a mean of recalls, one of as many as they are worth."""
    weights, stretch = stats.excess_weights(_table(rows, keep))
    worth = float(keep.sum())
    if measure is not accuracy:
        worth = 1 / max(float((weights**2 / np.maximum(_table(rows, keep), 1)).sum()), 1 / worth)
    if rows.group is not None:
        worth = min(worth, len(np.unique(rows.group[keep])))
    return (stretch if measure is excess else 1.0) / worth


def _table(rows: Rows, keep: Bool[np.ndarray, " n"]) -> stats.Table:
    """Rows in each (target, private) cell."""
    target, private = rows.target[keep], rows.private[keep]
    return stats.tabulate(target, private, int(target.max()) + 1, int(private.max()) + 1)


def error_of_mean(gains: Float32[np.ndarray, "2 n"], group: Int64[np.ndarray, " n"] | None) -> float:
    """The standard error of the second mean less the first of what both tell of each row, by row or whole groups."""
    step = (gains[1] - gains[0]).astype(np.float64)
    step -= step.mean()
    sums = step if group is None else np.bincount(np.unique(group, return_inverse=True)[1].ravel(), step)
    return float(np.sqrt(sums @ sums * len(sums) / max(len(sums) - 1, 1))) / len(step)


def error(rows: Rows, hits: str) -> float:
    """
    The standard error of the difference of E, in closed form: for many pairs, and where single draws are too coarse.

    From the discordant rows of each cell, with the same two pseudo-rows and the same unseen ones as the draws; with
    groups never below the sandwich of their sums.
    """
    keep = (rows.target >= 0) & (rows.private >= 0)
    target, private = rows.target[keep], rows.private[keep]
    shape = (int(target.max()) + 1, int(private.max()) + 1)
    table = stats.tabulate(target, private, *shape)
    weights, stretch = stats.excess_weights(table)
    cell, size = target * shape[1] + private, np.maximum(table.ravel(), 1).astype(np.float64)
    pair = rows.hits[hits][:, keep].astype(np.int64)
    step = pair[1] - pair[0]
    gained, lost = (np.bincount(cell, step == sign, minlength=table.size) for sign in (1, -1))
    up, down = ((part + 2 * part.sum() / len(step)) / (size + 2) for part in (gained, lost))
    variance = float((weights.ravel() ** 2 / size) @ (up + down - (up - down) ** 2))
    if rows.group is not None:
        per_row = (weights.ravel() / size)[cell] * (step - ((gained - lost) / size)[cell])
        sums = np.bincount(np.unique(rows.group[keep], return_inverse=True)[1].ravel(), per_row)
        variance = max(variance, float(sums @ sums) * len(sums) / max(len(sums) - 1, 1))
    return float(np.sqrt(stretch**2 * variance + 2 * UNSEEN * _one(rows, keep, excess) ** 2))


def _by_cell(
    cell: Int64[np.ndarray, " n"], pair: Int64[np.ndarray, "2 n"], shape: Shape
) -> tuple[Counts, Counts, Counts]:
    """
    Rows, first's and second's hits in draws from each (target, private) cell's own four outcomes.

    Two pseudo-rows per cell follow the pooled outcomes, as the protocol does for its variances: a cell of one row has
    a spread too.
    """
    cells = shape[0] * shape[1]
    kind = pair[0] * 2 + pair[1]
    counts = np.bincount(cell * 4 + kind, minlength=cells * 4).reshape(cells, 4).astype(float)
    rows = counts.sum(1)
    pooled = counts.sum(0) / counts.sum()
    chances = (counts + 2 * pooled) / (rows + 2)[:, None]
    drawn = np.random.default_rng(0).multinomial(rows.astype(np.int64), chances, size=(DRAWS, cells)).astype(float)
    return np.broadcast_to(rows, (DRAWS, cells)), drawn[..., 2] + drawn[..., 3], drawn[..., 1] + drawn[..., 3]


def _by_group(
    cell: Int64[np.ndarray, " n"],
    pair: Int64[np.ndarray, "2 n"],
    shape: Shape,
    cluster: Int64[np.ndarray, " n"],
) -> tuple[Counts, Counts, Counts]:
    """The same in draws of whole groups."""
    cells, groups = shape[0] * shape[1], int(cluster.max()) + 1
    place = cluster * cells + cell
    table = np.concatenate(
        [
            np.bincount(place, weights=weights, minlength=groups * cells).reshape(groups, cells)
            for weights in (None, pair[0], pair[1])
        ],
        axis=1,
    ).astype(float)
    generator = np.random.default_rng(0)
    chances = np.full(groups, 1 / groups)
    blocks = [generator.multinomial(groups, chances, size=BLOCK) @ table for _ in range(DRAWS // BLOCK)]
    rows, first, second = np.split(np.concatenate(blocks), 3, axis=1)
    return rows, first, second


def _recalls(rows: Counts, hits: Counts, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    rows, hits = rows.reshape(-1, *shape), hits.reshape(-1, *shape)
    return rows, np.divide(hits, rows, out=np.zeros_like(hits), where=rows > 0)


def excess(rows: Counts, hits: Counts, shape: Shape) -> Float[np.ndarray, " draws"]:
    """E: sum over target classes of pi_y (BA_y - 1/C_y) / (1 - 1/C_y)."""
    rows, recall = _recalls(rows, hits, shape)
    classes = (rows > 0).sum(-1)
    chance = 1 / np.maximum(classes, 2)
    above = (recall.sum(-1) / np.maximum(classes, 1) - chance) / (1 - chance)
    weight = rows.sum(-1) * (classes > 1)
    return (weight * above).sum(-1) / np.maximum(weight.sum(-1), 1)  # type: ignore[no-any-return]


def private_accuracy(rows: Counts, hits: Counts, shape: Shape) -> Float[np.ndarray, " draws"]:
    """Mean recall over private classes, rows weighted so that the attribute is independent of the target."""
    rows, recall = _recalls(rows, hits, shape)
    scored = ((rows > 0).sum(-1, keepdims=True) > 1) & (rows > 0)
    weight = rows.sum(-1, keepdims=True) * scored
    per_class = (weight * recall).sum(-2) / np.maximum(weight.sum(-2), 1)
    return per_class.sum(-1) / np.maximum((weight.sum(-2) > 0).sum(-1), 1)  # type: ignore[no-any-return]


def accuracy(rows: Counts, hits: Counts, shape: Shape) -> Float[np.ndarray, " draws"]:
    """Plain share of hits."""
    assert rows.shape[-1] == shape[0] * shape[1]
    return hits.sum(-1) / rows.sum(-1)  # type: ignore[no-any-return]
