"""
The largest difference and the smallest share among many cells, with bounds that hold for an extreme.

The equalised-odds gap is the largest |P(guess = g | y, v) - P(guess = g | y, v')| over target classes y, guessed
classes g and private classes v, v' (Hardt, Price and Srebro, NIPS 2016, definition 2.1, which asks for none). For two
target classes it is the larger of the differences of true and of false positive rates. The worst group is the (y, v)
cell with the smallest share of hits.

The extreme of many estimates is biased outwards, and the percentiles of its bootstrap are biased once more. The bounds
here are those of the single estimates. On the far side (above a maximum, below a minimum) each bound holds by itself:
the true extreme is one of the many, whichever it is, so the farthest of their pointwise bounds misses no more often
than one of them (Berger, Technometrics 24, 1982). On the near side all bounds have to hold at once, and Bonferroni's
share of the error goes to each. A cell's share has the bounds of Clopper and Pearson on the rows that it is worth, two
shares are set against each other by Newcombe's squares (Statistics in Medicine 17, 1998). All of it is conservative:
intervals are wider than they need be, most so with many small cells, where their middle says nothing.

Cells of fewer than `SMALL` rows (or groups) are left out: their shares are all but any number.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from scipy.special import betaincinv, ndtri, stdtrit

from leakaudit.stats import LEVEL, Interval

SMALL = 5
"""Rows, or groups, below which a cell has no share."""
TINY = 1e-12

Codes = Int64[np.ndarray, " n"]
Group = Shaped[np.ndarray, " n"] | None
Table = Float64[np.ndarray, "cells classes"]


class Shares(NamedTuple):
    """What share of the rows of each cell bears each label, and how well that is known."""

    value: Table
    worth: Table
    """Independent rows that would know the share as well."""
    degrees: Float64[np.ndarray, " cells"]
    """Of freedom of the variance: groups less one, or infinite."""

    def bounds(self, tail: float) -> tuple[Table, Table]:
        """Lower and upper bound of each share, each missing with probability `tail` at most."""
        degrees = np.where(np.isinf(self.degrees), 1e12, np.maximum(self.degrees, 1))
        rows = self.worth * ((ndtri(tail) / stdtrit(degrees, tail)) ** 2)[:, None]
        hits, misses = self.value * rows, (1 - self.value) * rows
        low = np.where(hits > 0, betaincinv(np.maximum(hits, TINY), misses + 1, tail), 0.0)
        high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, TINY), 1 - tail), 1.0)
        return np.minimum(low, self.value), np.maximum(high, self.value)

    def take(self, cells: Int64[np.ndarray, " some"], labels: Int64[np.ndarray, " few"]) -> "Shares":
        """Those of some cells and some labels."""
        at = np.ix_(cells, labels)
        return Shares(self.value[at], self.worth[at], self.degrees[cells])


class Extreme(NamedTuple):
    """The extreme of many figures, and what it is made of."""

    interval: Interval
    """The plug-in value, which is biased outwards, and two-sided 95 % bounds of the true extreme."""
    place: tuple[int, ...]
    """Target class, guessed class, private class with more, and with less; or target and private class of the cell."""
    cells: tuple[int, int]
    """Cells that were looked at, and cells with rows."""


def shares(labels: Codes, cell: Codes, shape: tuple[int, int], group: Group = None) -> Shares:
    """
    The share of each label in each cell; `shape` is cells by labels.

    With groups the variance is the sandwich of their sums, never below that of as many rows; a share of 0 or 1 is worth
    the groups of its cell.
    """
    cells, classes = shape
    rows = np.maximum(np.bincount(cell, minlength=cells), 1).astype(np.float64)[:, None]
    count = np.bincount(cell * classes + labels, minlength=cells * classes).reshape(cells, classes)
    value = count / rows
    if group is None:
        return Shares(value, np.repeat(rows, classes, axis=1), np.full(cells, np.inf))
    home, index = _parts(cell, group)
    units = np.bincount(home, minlength=cells).astype(np.float64)
    hits = np.zeros((len(home), classes))
    np.add.at(hits, (index, labels), 1.0)
    squares = np.zeros(shape)
    np.add.at(squares, home, (hits - hits.sum(axis=1, keepdims=True) * value[home]) ** 2)
    alone = value * (1 - value)
    variance = np.maximum(squares / rows**2 * (units / np.maximum(units - 1, 1))[:, None], alone / rows)
    worth = np.divide(alone, variance, out=np.repeat(units[:, None], classes, axis=1), where=variance > 0)
    return Shares(value, worth, units - 1)


def _parts(cell: Codes, group: Shaped[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " parts"], Codes]:
    """The cell of each part that a group has in a cell, and which part each row is of."""
    both = np.stack([np.unique(group, return_inverse=True)[1].ravel(), cell])
    parts, index = np.unique(both, axis=1, return_inverse=True)
    return parts[1], index.ravel()


def units(cell: Codes, cells: int, group: Group = None) -> Int64[np.ndarray, " cells"]:
    """Rows, or groups, in each cell."""
    found: Int64[np.ndarray, " cells"] = np.bincount(cell if group is None else _parts(cell, group)[0], minlength=cells)
    return found


def gap(named: Codes, target: Codes, private: Codes, shape: tuple[int, int], group: Group = None) -> Extreme | None:
    """
    The equalised-odds gap of a model that names the target class `named` on each row; `shape` is targets by privates.

    None where no target class has two private classes with rows enough.
    """
    targets, privates = shape
    classes = max(targets, int(named.max(initial=0)) + 1)
    size = units(target * privates + private, targets * privates, group).reshape(shape)
    enough = size >= SMALL
    per = enough.sum(axis=1)
    asked = 1 if classes == 2 else classes  # noqa: PLR2004 (what is not named the one is named the other)
    contrasts = int((per * (per - 1)).sum()) * asked
    if not contrasts:
        return None
    order = np.argsort(target, kind="stable")
    ends = np.searchsorted(target[order], np.arange(targets + 1))
    value, low, high, place = -1.0, 0.0, 0.0, (0, 0, 0, 0)
    for y in np.flatnonzero(per > 1).tolist():
        rows = order[ends[y] : ends[y + 1]]
        every = shares(named[rows], private[rows], (privates, classes), None if group is None else group[rows])
        inside = np.flatnonzero(enough[y])
        seen = np.flatnonzero(every.value[inside].any(axis=0))
        never = np.setdiff1d(np.arange(classes), seen)[:1]  # of those never named, one stands for all
        columns = np.union1d(seen, never)
        some = every.take(inside, columns)
        steps, down, up = _steps(some, LEVEL / 2 / contrasts)
        low, high = max(low, float((steps - down).max())), max(high, float((steps + up).max()))
        if steps.max() > value:
            value = float(steps.max())
            more, less, guess = np.unravel_index(int(steps.argmax()), steps.shape)
            less = less if more != less else (more + 1) % len(inside)  # where there is no difference at all
            place = (y, int(columns[guess]), int(inside[more]), int(inside[less]))
    interval = Interval(value, min(low, value), min(max(high, value), 1.0))
    return Extreme(interval, place, (int(enough.sum()), int((size > 0).sum())))


def _steps(found: Shares, tail: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each cell's share less each other's, how far down that may be off at `tail`, and how far up by itself."""
    share, near, far = found.value, found.bounds(tail), found.bounds(LEVEL / 2)
    down = np.hypot((share - near[0])[:, None], (near[1] - share)[None])
    up = np.hypot((far[1] - share)[:, None], (share - far[0])[None])
    alone = np.arange(len(share))
    up[alone, alone] = 0.0
    return share[:, None] - share[None], down, up


def worst(
    hits: Shaped[np.ndarray, " n"], target: Codes, private: Codes, shape: tuple[int, int], group: Group = None
) -> Extreme:
    """The (target, private) cell with the smallest share of hits; where no cell has rows enough, of all with rows."""
    cell = target * shape[1] + private
    found = shares(hits.astype(np.int64), cell, (shape[0] * shape[1], 2), group)
    size = units(cell, shape[0] * shape[1], group)
    enough = size >= min(SMALL, size.max())
    share = np.where(enough, found.value[:, 1], 2.0)
    home = int(share.argmin())
    near, far = found.bounds(LEVEL / 2 / enough.sum())[1][:, 1], found.bounds(LEVEL / 2)[0][:, 1]
    interval = Interval(float(share[home]), float(far[enough].min()), float(near[enough].min()))
    return Extreme(interval, divmod(home, shape[1]), (int(enough.sum()), int((size > 0).sum())))


def apart(first: Interval, second: Interval) -> Interval:
    """
    Second less first, of two extremes on the same rows or on different ones: the ends as far apart as both allow.

    It lies on one side of 0 exactly where the two intervals have nothing in common. It holds wherever both do, at worst
    in nine cases of ten, and in the benchmark `extremes` in more than 95 %. Sums of squares, and what two models on the
    same rows have in common, would make it narrower and do not hold: the two values are biased by unlike amounts.
    """
    return Interval(second.value - first.value, second.low - first.high, second.high - first.low)
