"""
How strongly two labels go together: Cramer's V of a table, and what knowing one tells of the other.

Cramer, "Mathematical Methods of Statistics", 1946, section 21.9: V = sqrt(chi2 / n / (min(lines, columns) - 1)), from 0
to 1, over lines and columns that have rows. In few rows V is above 0 by chance alone; the excess is estimated by the
bootstrap, over rows or over whole groups, and taken off (Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, section 10.6).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from leakaudit.stats import LEVEL, Interval

Table = Int64[np.ndarray, "strata classes"]
DRAWS = 400
FEWEST = 20
"""Rows or groups below which the bootstrap says nothing."""


class Told(NamedTuple):
    """What a target alone tells of a private attribute, on the rows that were counted."""

    majority: float
    """Share of the commonest private class."""
    accuracy: float
    """Share named right by the commonest private class of each target class."""
    balanced_accuracy: float
    """Mean share named right over private classes, by the guess from the target that is best at that."""
    chance: float
    """Balanced accuracy of guessing."""


def cramers_v(table: Table) -> float | None:
    """V, plain, without a correction for chance; None where either label has one class."""
    square = _squared(table[None].astype(np.float64))[0]
    return None if np.isnan(square) else float(np.sqrt(min(1.0, square)))


def association(
    cells: Int64[np.ndarray, " n"], table: Table, group: Int64[np.ndarray, " n"] | None, seed: int
) -> Interval | None:
    """
    V without what chance adds, and its 95 % interval.

    The draws' mean V^2 lies above that of the rows by as much as that lies above the truth's; bounds are percentiles of
    the draws less twice this. None where rows or groups are few, or all draws are the same.

    Args:
        cells: the cell of each row, line by line.
        table: rows in each cell.
        group: of each row; None where each stands for itself.
        seed: of the bootstrap.
    """
    own = _squared(table[None].astype(np.float64))[0]
    units = int(table.sum()) if group is None else len(np.unique(group))
    if np.isnan(own) or units < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    drawn = _squared(_drawn(cells, table, group, units, rng))
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.ptp(drawn) <= np.finfo(np.float64).eps * table.size:
        return None
    excess = max(0.0, float(drawn.mean() - own))
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2]) - 2 * excess
    value, low, high = (float(np.sqrt(min(1.0, max(0.0, part)))) for part in (own - excess, low, high))
    return Interval(value, min(low, value), max(high, value))


def told(table: Table) -> Told | None:
    """What the target alone tells; None without rows."""
    rows = table.sum()
    columns = table.sum(axis=0)
    if not rows:
        return None
    recall = np.divide(table, columns, out=np.zeros(table.shape), where=columns > 0)
    classes = int((columns > 0).sum())
    return Told(
        majority=float(columns.max() / rows),
        accuracy=float(table.max(axis=1).sum() / rows),
        balanced_accuracy=float(recall.max(axis=1).sum() / classes),
        chance=1 / classes,
    )


def _drawn(
    cells: Int64[np.ndarray, " n"], table: Table, group: Int64[np.ndarray, " n"] | None, units: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "draws strata classes"]:  # fmt: skip
    if group is None:
        found = rng.multinomial(units, table.ravel() / units, size=DRAWS)
    else:
        index = np.unique(group, return_inverse=True)[1]
        times = (np.bincount(rng.integers(units, size=units), minlength=units) for _ in range(DRAWS))
        found = np.stack([np.bincount(cells, each[index], minlength=table.size) for each in times])
    return found.reshape(DRAWS, *table.shape).astype(np.float64)


def _squared(tables: Float64[np.ndarray, "draws strata classes"]) -> Float64[np.ndarray, " draws"]:
    """V^2 of each table; NaN where it has one line or column with rows."""
    rows = tables.sum(axis=(1, 2), keepdims=True)
    lines, columns = tables.sum(axis=2, keepdims=True), tables.sum(axis=1, keepdims=True)
    product = lines * columns
    phi = np.divide(tables**2, product, out=np.zeros_like(tables), where=product > 0).sum(axis=(1, 2)) - 1
    least = np.minimum((lines > 0).sum(axis=(1, 2)), (columns > 0).sum(axis=(1, 2))) - 1
    usable = (least > 0) & (rows[:, 0, 0] > 0)
    squared: np.ndarray = np.divide(np.maximum(phi, 0.0), least, out=np.full(len(tables), np.nan), where=usable)
    return squared
