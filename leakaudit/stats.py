"""
Intervals and tests, on numpy and scipy alone.

Every share that is reported is a weighted mean of cell proportions, P = sum w_c p_c with sum w_c = 1, where a cell is
one private class inside one target class. Its interval is Clopper-Pearson's on the number of rows it is worth (Korn
and Graubard, Survey Methodology 24, 1998): n_eff = P (1 - P) / V. The excess advantage E is such a P, stretched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped
from scipy.special import betaincinv, ndtr, ndtri, stdtr, stdtrit

LEVEL = 0.05
TWO = 2
"""Private classes that make a question."""
HELD = 1 << 24
"""Numbers of a bootstrap that are held for the next one."""
POWERED = 2.49
"""Standard errors between nothing and an effect found in 80 % of audits by a one-sided 5 % test: 1.645 + 0.842."""

Table = Int64[np.ndarray, "strata classes"]
Weights = Float64[np.ndarray, "strata classes"]
Column = Float64[np.ndarray, "strata 1"]
Labels = Int64[np.ndarray, " n"]


class Interval(NamedTuple):
    """A point estimate and its two-sided 95 % confidence bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """A weighted mean of cell proportions."""

    value: float
    variance: float
    """V: smoothed, with groups never below the sandwich, doubled where rows served on both sides of a fit."""
    worth: float
    """n_eff: independent rows that would know the value as well."""
    degrees: float
    """Of freedom of the variance: groups less two, or infinite."""

    def bounds(self, tail: float) -> tuple[float, float]:
        """Lower and upper Clopper-Pearson bound, each missing with probability `tail` at most."""
        rows = self.worth
        if np.isfinite(self.degrees):
            rows *= float(ndtri(tail) / stdtrit(self.degrees, tail)) ** 2
        return clopper_pearson(self.value, rows, tail)

    @property
    def interval(self) -> Interval:
        """The value and its two-sided bounds."""
        return Interval(self.value, *self.bounds(LEVEL / 2))


def clopper_pearson(share: float, rows: float, tail: float) -> tuple[float, float]:
    """The exact binomial bounds of `share` among `rows`, which need not be whole numbers."""
    hits, misses = share * rows, (1 - share) * rows
    low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - tail)) if misses > 0 else 1.0
    return min(low, share), max(high, share)


def share(
    hits: Bool[np.ndarray, " n"],
    cells: Labels,
    weights: Float64[np.ndarray, " cells"],
    group: Labels | None = None,
    *,
    doubled: bool = False,
) -> Share:
    """
    The weighted mean of the share of hits in each cell, and how well it is known.

    V = sum w^2 p (1 - p) / n with p = (hits + 2 P) / (n + 2); with groups the sandwich of the groups' sums, never
    below V. With no hits or no misses n_eff is Kish's 1 / sum(w^2 / n), or the number of groups where that is fewer.

    Args:
        hits: which rows were guessed right.
        cells: cell of each row.
        weights: of each cell, summing to one; zero for a cell without rows.
        group: group of each row, where rows of one group are alike.
        doubled: the guesses are cross-fitted: each pair of rows serves in both directions, at most twice the variance.
    """
    used = weights[cells] > 0
    hits, cells = hits[used], cells[used]
    rows = np.bincount(cells, minlength=len(weights)).astype(np.float64)
    right = np.bincount(cells, hits, minlength=len(weights))
    per_row = np.divide(weights, rows, out=np.zeros_like(weights), where=rows > 0)
    value = float(min(max(per_row @ right, 0.0), 1.0))
    smooth = (right + 2 * value) / (rows + 2)
    variance = float((per_row * weights) @ (smooth * (1 - smooth)))
    worth, degrees = 1 / float(per_row @ weights), np.inf
    if group is not None:
        proportion = np.divide(right, rows, out=np.zeros_like(right), where=rows > 0)
        _, index = np.unique(group[used], return_inverse=True)
        sums = np.bincount(index, per_row[cells] * (hits - proportion[cells]))
        groups = len(sums)
        variance = max(variance, float(sums @ sums) * groups / max(groups - 1, 1))
        worth, degrees = min(worth, groups), max(groups - 2, 1)
    factor = 2.0 if doubled else 1.0
    if 0 < right.sum() < rows.sum() and 0 < value < 1:
        return Share(value, variance * factor, value * (1 - value) / (variance * factor), degrees)
    return Share(value, variance * factor, worth / factor, degrees)


def tabulate(target: Labels, private: Labels, strata: int, classes: int) -> Table:
    """Rows in each (target, private) cell."""
    table: Table = np.bincount(target * classes + private, minlength=strata * classes).reshape(strata, classes)
    return table


def covered(table: Table) -> Bool[np.ndarray, "strata classes"]:
    """Cells that E speaks of: those with a row, in target classes with at least two private classes."""
    present = table > 0
    cells: Bool[np.ndarray, "strata classes"] = present & (present.sum(axis=1, keepdims=True) >= TWO)
    return cells


def _frequencies(table: Table) -> tuple[Column, Column]:
    """pi_y over the target classes covered, and C_y, each as a column; C_y is 2 where a target class is left out."""
    cells = covered(table)
    rows = np.where(cells, table, 0).sum(axis=1, keepdims=True)
    return rows / max(rows.sum(), 1), np.where(rows > 0, cells.sum(axis=1, keepdims=True), 2).astype(np.float64)


def excess_weights(table: Table) -> tuple[Weights, float]:
    """
    Weights w and stretch s with E = 1 - s (1 - P), P = sum w p.

    From E = sum_y pi_y (BA_y - 1/C_y) / (1 - 1/C_y): each cell of y counts pi_y / (C_y - 1), and s is their sum.
    """
    frequency, classes = _frequencies(table)
    weights = np.where(covered(table), frequency / (classes - 1), 0.0)
    stretch = float(weights.sum())
    return weights / max(stretch, np.finfo(float).tiny), stretch


def balanced_weights(table: Table) -> Weights:
    """Weights of sum_y pi_y BA_y."""
    frequency, classes = _frequencies(table)
    weights: Weights = np.where(covered(table), frequency / classes, 0.0)
    return weights


def private_weights(table: Table) -> Weights:
    """Weights of the mean recall over private classes, the rows weighted so that v is independent of y."""
    weights = np.where(covered(table), _frequencies(table)[0], 0.0)
    recall = weights.sum(axis=0, keepdims=True)
    within: Weights = np.divide(weights, recall, out=np.zeros_like(weights), where=recall > 0)
    return within / max(int((recall > 0).sum()), 1)


def stretched(part: Share, stretch: float) -> Interval:
    """The interval of E from that of P."""
    value, low, high = part.interval
    return Interval(1 - stretch * (1 - value), 1 - stretch * (1 - low), 1 - stretch * (1 - high))


def excess(guess: Labels, target: Labels, private: Labels, strata: int, classes: int) -> float:
    """E alone, without its interval; 0 where no target class has two private classes."""
    table = tabulate(target, private, strata, classes)
    weights, stretch = excess_weights(table)
    cells = target * classes + private
    right = np.bincount(cells, guess == private, minlength=table.size).reshape(table.shape)
    return 1 - stretch * (1 - float((weights * right / np.maximum(table, 1)).sum())) if stretch else 0.0


def exceeds_zero(part: Share, stretch: float) -> float:
    """One-sided p of E > 0: normal, or t with the groups' degrees of freedom."""
    value = 1 - stretch * (1 - part.value)
    z = value / (stretch * np.sqrt(max(part.variance, np.finfo(float).tiny)))
    return float(ndtr(-z) if np.isinf(part.degrees) else stdtr(part.degrees, -z))


def detectable(table: Table, *, doubled: bool) -> float:
    """MDE: 2.49 standard errors of the E of uniform guessing in these cells; 1 where no cell is covered."""
    weights, stretch = excess_weights(table)
    _, classes = _frequencies(table)
    variance = (weights**2 / classes * (1 - 1 / classes) / np.maximum(table, 1)).sum() * stretch**2
    return float(min(POWERED * np.sqrt(variance * (2 if doubled else 1)), 1.0)) if stretch else 1.0


def balanced_rows(tolerance: float, classes: int, *, doubled: bool) -> int:
    """Rows that make the MDE the tolerance where the attribute is balanced within target."""
    return int(np.ceil((POWERED / tolerance) ** 2 / (classes - 1) * (2 if doubled else 1)))


def redraw(target: Labels, private: Labels, group: Labels | None, rng: np.random.Generator) -> Labels:
    """
    The private labels permuted within target strata.

    Whole groups trade labels, among groups of the same commonest target: rows get labels, in random order, of the other
    group's rows of the same target, over again where those are fewer, and of any group's where there are none.
    """
    if group is not None:
        _, first, index = np.unique(group, return_index=True, return_inverse=True)
        strata = int(target.max(initial=0)) + 1
        commonest = np.bincount(index * strata + target, minlength=len(first) * strata).reshape(-1, strata)
        giver = redraw(commonest.argmax(axis=1), np.arange(len(first)), None, rng)
        if (private == private[first][index]).all():
            whole: Labels = private[first][giver][index]
            return whole
        own, others = index * strata + target, giver[index] * strata + target
        rows = commonest.ravel()
        start = np.cumsum(rows) - rows
        order = np.lexsort((rng.random(len(private)), own))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        given = private[order][
            np.minimum(start[others] + (place - start[own]) % np.maximum(rows[others], 1), len(own) - 1)
        ]
        traded: Labels = np.where(rows[others] > 0, given, redraw(target, private, None, rng))
        return traded
    drawn = np.empty_like(private)
    order = np.lexsort((rng.random(len(private)), target))
    drawn[np.argsort(target, kind="stable")] = private[order]
    return drawn


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p, in the order given."""
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate([min(1.0, (len(p) - i) * p[j]) for i, j in enumerate(order)])
    result = np.empty(len(p))
    result[order] = adjusted
    return [float(value) for value in result]


def bootstrap_mean(
    values: Shaped[np.ndarray, " n"], group: Labels | None, seed: int, draws: int = 400, *, doubled: bool = False
) -> Interval:
    """The mean, and the percentile interval of its bootstrap over rows or whole groups; `doubled` as for `share`."""
    index = np.arange(len(values)) if group is None else np.unique(group, return_inverse=True)[1]
    sums, rows = np.bincount(index, values), np.bincount(index).astype(np.float64)
    times = _resamples(len(sums), draws, seed) if len(sums) * draws <= HELD else _resampled(len(sums), draws, seed)
    columns = np.stack([sums, rows], axis=1)
    drawn = np.concatenate([part @ columns.astype(part.dtype) for part in times])
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [LEVEL / 2, 1 - LEVEL / 2])
    value = float(values.mean())
    found = Interval(value, min(float(low), value), max(float(high), value))
    return widened(found) if doubled else found


def widened(found: Interval) -> Interval:
    """The interval of twice the variance, as guesses that are cross-fitted have at most."""
    return Interval(found.value, *(found.value + float(np.sqrt(2)) * (end - found.value) for end in found[1:]))


@lru_cache(maxsize=1)
def _resamples(units: int, draws: int, seed: int) -> tuple[Float32[np.ndarray, "draws units"], ...]:
    """The same, held: the figures of one audit are all of as many units."""
    return (np.concatenate([*_resampled(units, draws, seed)], dtype=np.float32),)


def _resampled(units: int, draws: int, seed: int) -> Iterator[Float64[np.ndarray, "1 units"]]:
    """How often each unit is drawn, draw by draw."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(units, size=units), minlength=units).astype(np.float64)[None]


def conditional_entropy(table: Table) -> float:
    """H(v|y) in bits, over the rows that E covers."""
    rows = np.where(covered(table), table, 0).astype(np.float64)
    total = rows.sum(axis=1, keepdims=True)
    given = np.divide(rows, total, out=np.ones_like(rows), where=rows > 0)
    return float(-(rows * np.log2(given)).sum() / max(rows.sum(), 1))
