"""
How well probabilities order the rows: AUC inside target classes, and the true positive rate at a false positive rate.

A row's placement is the share of the other side that its score is on the right side of, ties counting half; the AUC is
its mean over either side, and its variance the sum of the variances of both means (DeLong, DeLong and Clarke-Pearson,
Biometrics 44, 1988). The interval is Clopper-Pearson's on the rows that the AUC is worth, as for every other share of
this house: within 0 and 1, and not of no width where everything is in order. Nothing here needs a draw.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from leakaudit import stats
from leakaudit.stats import TWO, Interval, Labels, Share

Chances = Shaped[np.ndarray, "n k"]

RATE = 0.01
"""False positive rate at which true positives are counted."""
FEWEST = 299
"""Negatives of which, with probability .95, at least one scores above the true threshold of RATE: 1 - .99^299."""
TAIL = stats.LEVEL / 2


@dataclass(frozen=True)
class Operating:
    """How many rows of one private class are named where so few of the others are."""

    private: str
    """The private class."""
    rate: float
    """False positive rate that is allowed."""
    value: Interval | None
    """True positive rate, the rows weighted so that v is independent of y; None with the reason in `note`."""
    negatives: int
    """Rows of other private classes that set the threshold, or what they are worth where they count unevenly."""
    note: str = ""


def auc(
    chances: Chances, target: Labels, private: Labels, group: Labels | None = None, *, doubled: bool = False
) -> Share:
    """
    Sum over target classes of pi_y AUC_y: the mean over the private classes of y of class against the rest.

    Target classes with a single private class are left out, and chances are shared out among the classes present. With
    two classes both columns say the same, and one is counted. The variance on either side counts two rows more than
    there are, of variance AUC (1 - AUC), the largest there is. Groups: the sandwich, never below the rows' variance.
    `doubled` as for `stats.share`.

    Raises:
        ValueError: no target class has two private classes.
    """
    table = stats.tabulate(target, private, int(target.max(initial=0)) + 1, chances.shape[1])
    cells = stats.covered(table)
    if not cells.any():
        raise ValueError("no target class has two private classes")
    rows = np.where(cells, table, 0).sum(axis=1)
    frequency = rows / rows.sum()
    pull, smooth = np.zeros(len(target)), np.zeros(len(target))
    value, spread, kish = 0.0, 0.0, 0.0
    for y in np.flatnonzero(rows):
        here = np.flatnonzero(target == y)
        present = np.flatnonzero(cells[y])
        asked = present[1:] if len(present) == TWO else present
        side = private[here][:, None] == asked
        placed = placements(share_out(chances[here], present)[:, np.searchsorted(present, asked)], side)
        weight = frequency[y] / len(asked)
        positives, negatives = side.sum(axis=0), (~side).sum(axis=0)
        areas = np.where(side, placed, 0).sum(axis=0) / positives
        count = np.where(side, positives, negatives)
        pull[here] = weight * ((placed - areas) / count).sum(axis=1)
        smooth[here] = weight * ((placed - areas) / np.sqrt(count * (count + 2.0))).sum(axis=1)
        value += weight * float(areas.sum())
        sizes = np.stack((positives, negatives))
        spread += weight**2 * float((2 / (sizes * (sizes + 2))).sum())
        kish += weight**2 * float((1 / sizes.min(axis=0)).sum())
    value = float(min(max(value, 0.0), 1.0))
    variance = float(smooth @ smooth) + spread * value * (1 - value)
    worth, degrees = 1 / kish, np.inf
    if group is not None:
        used = cells[target, private]
        sums = np.bincount(np.unique(group[used], return_inverse=True)[1], pull[used])
        groups = len(sums)
        variance = max(variance, float(sums @ sums) * groups / max(groups - 1, 1))
        worth, degrees = min(worth, groups), max(groups - 2, 1)
    factor = 2.0 if doubled else 1.0
    if 0 < value < 1 and variance > 0:
        worth = value * (1 - value) / variance
    return Share(value, variance * factor, worth / factor, degrees)


def placements(scores: Float64[np.ndarray, "n c"], side: Bool[np.ndarray, "n c"]) -> Float64[np.ndarray, "n c"]:
    """Of each row and column the share of the other side that it is placed rightly against, ties counting half."""
    n = len(scores)
    order = np.argsort(scores, axis=0, kind="stable")
    ordered, true = np.take_along_axis(scores, order, 0), np.take_along_axis(side, order, 0)
    number = np.broadcast_to(np.arange(n)[:, None], scores.shape)
    new = np.ones(scores.shape, bool)
    new[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(new, number, 0), axis=0)
    ends = np.ones(scores.shape, bool)
    ends[:-1] = new[1:]
    last = np.minimum.accumulate(np.where(ends, number, n)[::-1], axis=0)[::-1]
    below = np.concatenate((np.zeros((1, scores.shape[1]), np.int64), true.cumsum(axis=0)))
    under, upto = np.take_along_axis(below, first, 0), np.take_along_axis(below, last + 1, 0)
    positives = (under + upto) / 2
    negatives = (first + last + 1) / 2 - positives
    total = below[-1]
    right = np.where(true, negatives / np.maximum(n - total, 1), 1 - positives / np.maximum(total, 1))
    placed = np.empty(scores.shape)
    np.put_along_axis(placed, order, right, 0)
    return placed


def share_out(chances: Chances, present: Int64[np.ndarray, " c"]) -> Float64[np.ndarray, "n c"]:
    """The chances of the classes present, summing to one; even where none of them has any."""
    part = chances[:, present].astype(np.float64)
    total = part.sum(axis=1, keepdims=True)
    even: Float64[np.ndarray, "n c"] = np.full_like(part, 1 / len(present))
    np.divide(part, total, out=even, where=total > 0)
    return even


def operating(
    chances: Chances,
    target: Labels,
    private: Labels,
    names: tuple[str, ...],
    group: Labels | None = None,
    *,
    rate: float = RATE,
    doubled: bool = False,
) -> tuple[Operating, ...]:
    """
    The true positive rate of each private class at a false positive rate of at most `rate`.

    Positives and negatives of a class are weighted to the same shares of target classes, so that what knows the target
    alone has both rates equal. The threshold is the lowest that leaves the negatives' weight above it at `rate` or
    less; a tie with it is not named. The positives' share and the threshold are uncertain independently: each end adds
    the distances to both bounds in quadrature (Zou and Donner, Statistics in Medicine 27, 2008). Refused below 299
    negatives (their worth in even weights, or their groups).
    """
    table = stats.tabulate(target, private, int(target.max(initial=0)) + 1, chances.shape[1])
    cells = stats.covered(table)
    fair = np.zeros(chances.shape)
    for y in np.flatnonzero(cells.any(axis=1)):
        here, present = np.flatnonzero(target == y), np.flatnonzero(cells[y])
        fair[np.ix_(here, present)] = share_out(chances[here], present)
    return tuple(
        _operate(fair[:, v], target, private == v, cells[:, v], table, name, group, rate, doubled=doubled)
        for v, name in enumerate(names)
    )


def _operate(
    score: Float64[np.ndarray, " n"],
    target: Labels,
    side: Bool[np.ndarray, " n"],
    asked: Bool[np.ndarray, " strata"],
    table: stats.Table,
    name: str,
    group: Labels | None,
    rate: float,
    *,
    doubled: bool,
) -> Operating:
    if not asked.any():
        return Operating(name, rate, None, 0, "refused: no row of this class beside another class of its target")
    rows = np.where(asked, table.sum(axis=1), 0).astype(np.float64)
    frequency = rows / rows.sum()
    others = np.bincount(target, ~side, minlength=len(rows))
    pulls = np.divide(frequency, others, out=np.zeros_like(frequency), where=asked)
    negative = ~side & asked[target]
    weight = pulls[target[negative]]
    worth = 1 / float(weight @ weight)
    if group is not None:
        worth = min(worth, len(np.unique(group[negative])))
    negatives = round(worth)
    if negatives < FEWEST:
        note = f"refused: {negatives} negatives, {FEWEST} are needed"
        return Operating(name, rate, None, negatives, note)
    factor = 2.0 if doubled else 1.0
    least, middle, most = _thresholds(score[negative], weight, rate, worth / factor)
    positive = side & asked[target]
    groups = None if group is None else group[positive]

    def named(threshold: float) -> Share:
        hits = score[positive] > threshold
        return stats.share(hits, target[positive], frequency, groups, doubled=doubled)

    found = named(middle)
    value, (low, high) = found.value, found.bounds(TAIL)
    low = value - np.hypot(value - low, value - named(least).value)
    high = value + np.hypot(high - value, named(most).value - value)
    return Operating(name, rate, Interval(value, max(0.0, float(low)), min(1.0, float(high))), negatives)


def _thresholds(
    score: Float64[np.ndarray, " n"], weight: Float64[np.ndarray, " n"], rate: float, worth: float
) -> tuple[float, float, float]:
    """
    Scores to be exceeded: so high that `rate` is surely not, as it is in these rows, so low that it surely is.

    The middle one is the lowest with at most `rate` of the weight strictly above it; the others are the lowest whose
    upper Clopper-Pearson bound is at most the rate (infinite where there is none), and the highest whose lower bound is
    at least that.
    """
    values, place = np.unique(score, return_inverse=True)
    mass = np.bincount(place, weight)
    above = np.maximum(mass[::-1].cumsum()[::-1] - mass, 0.0) / float(weight.sum())
    middle = int(np.argmax(above <= rate * (1 + 1e-12)))
    sure = middle
    while sure < len(values) and stats.clopper_pearson(float(above[sure]), worth, TAIL)[1] > rate:
        sure += 1
    loose = middle
    while loose >= 0 and stats.clopper_pearson(float(above[loose]), worth, TAIL)[0] < rate:
        loose -= 1
    least = float(values[sure]) if sure < len(values) else np.inf
    return least, float(values[middle]), float(values[loose]) if loose >= 0 else -np.inf
