"""
Continuous private attributes guessed as numbers: ridge regression, and what a distribution over bins says.

The ridge has an intercept per target class, so that it starts from what the target gives away, and slopes that all
target classes share. Its penalty, and whether the components count evenly or by the variance that they have in z, are
chosen by the squared error on held-out groups of the seen rows; an eigendecomposition per part serves all penalties.
Guesses are held against naming the target class's own median (absolute error) and mean (squared error), both of the
seen rows: what is gained over these goes beyond the target.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from leakaudit.finding import Regression
from leakaudit.numerics.holdout import parts
from leakaudit.stats import LEVEL, Interval, widened

Codes = Int64[np.ndarray, " n"]
Values = Float64[np.ndarray, " n"]

PENALTIES = 10.0 ** np.arange(-4, 5)
"""Tried, in units of the mean variance of a column, per row."""
PARTS = 5
"""Of the seen rows, each held out once."""
ROUNDING = 1e-12
DRAWS = 400
"""Of the bootstrap."""


class Usual(NamedTuple):
    """What the target alone says of a number, from the seen rows."""

    mean: Float64[np.ndarray, " strata"]
    median: Float64[np.ndarray, " strata"]


def usual(target: Codes, values: Values, strata: int) -> Usual:
    """Mean and median of each target class; those of all rows for a class without any."""
    means, medians = np.full(strata, values.mean()), np.full(strata, np.median(values))
    for y in np.unique(target):
        means[y], medians[y] = values[target == y].mean(), np.median(values[target == y])
    return Usual(means, medians)


class _Sums(NamedTuple):
    """What a ridge needs of some rows; those of two sets of rows add up."""

    rows: Float64[np.ndarray, " strata"]
    x: Float64[np.ndarray, "strata r"]
    values: Float64[np.ndarray, " strata"]
    squares: Float64[np.ndarray, "r r"]
    products: Float64[np.ndarray, " r"]


def predict(
    x: Float32[np.ndarray, "n r"],
    target: Codes,
    values: Values,
    group: Codes,
    unseen: Float32[np.ndarray, "m r"],
    asked: Int64[np.ndarray, " m"],
    *,
    strata: int,
    seed: int,
    variance: Float64[np.ndarray, " r"] | None = None,
) -> Float64[np.ndarray, " m"]:
    """
    The values of the unseen rows by ridge regression on whitened components, an intercept per target class.

    `asked` are the target classes of the unseen rows; `variance` of each component in z, over the largest, lets the
    components count by their variance too. Seen rows alone choose the penalty, by whole groups; where no penalty beats
    the target classes' means, those are the answer.
    """
    shift = float(values.mean())
    unit = float(np.abs(values - shift).max(initial=0.0)) or 1.0
    scaled = (values - shift) / unit
    scales = [np.ones(x.shape[1])]
    if variance is not None:
        scales.append(np.sqrt(np.maximum(variance, ROUNDING)))
    part = parts(target, group, PARTS, seed)
    pieces = [_sums(x[rows], target[rows], scaled[rows], strata) for k in np.unique(part) for rows in [part == k]]
    whole = _Sums(*(np.sum(each, axis=0) for each in zip(*pieces, strict=True)))
    nothing, loss = 0.0, np.zeros((len(scales), len(PENALTIES)))
    for k, piece in zip(np.unique(part), pieces, strict=True):
        shown = _Sums(*(all_ - own for all_, own in zip(whole, piece, strict=True)))
        held = part == k
        if len(pieces) == 1:
            break
        base = _means(shown)[target[held]]
        nothing += float(((base - scaled[held]) ** 2).sum())
        for i, scale in enumerate(scales):
            made = _ridge(shown, scale, PENALTIES, x[held], target[held])
            loss[i] += ((made - scaled[held, None]) ** 2).sum(axis=0)
    best = int(loss.argmin())
    guesses = _means(whole)[asked]
    if loss.flat[best] < nothing:
        which, penalty = divmod(best, len(PENALTIES))
        guesses = _ridge(whole, scales[which], PENALTIES[[penalty]], unseen, asked)[:, 0]
    named: Float64[np.ndarray, " m"] = guesses * unit + shift
    return named


def _sums(x: Float32[np.ndarray, "n r"], target: Codes, values: Values, strata: int) -> _Sums:
    sums = np.zeros((strata, x.shape[1]))
    for y in np.unique(target):
        sums[y] = x[target == y].sum(axis=0, dtype=np.float64)
    return _Sums(
        np.bincount(target, minlength=strata).astype(np.float64),
        sums,
        np.bincount(target, values, minlength=strata),
        (x.T @ x).astype(np.float64),
        (x.T @ values.astype(np.float32)).astype(np.float64),
    )


def _means(sums: _Sums) -> Float64[np.ndarray, " strata"]:
    """Of the values in each target class; of all where it has no row."""
    own: Float64[np.ndarray, " strata"] = np.full(len(sums.rows), sums.values.sum() / max(sums.rows.sum(), 1))
    np.divide(sums.values, sums.rows, out=own, where=sums.rows > 0)
    return own


def _ridge(
    sums: _Sums,
    scale: Float64[np.ndarray, " r"],
    penalties: Float64[np.ndarray, " p"],
    unseen: Float32[np.ndarray, "m r"],
    asked: Int64[np.ndarray, " m"],
) -> Float64[np.ndarray, "m p"]:
    """One column of guesses per penalty: the target class's mean, and shared slopes on what differs from its centre."""
    rows, means = np.maximum(sums.rows, 1), _means(sums)
    total = max(float(sums.rows.sum()), 1.0)
    centres = np.where(sums.rows[:, None] > 0, sums.x / rows[:, None], sums.x.sum(axis=0) / total)
    spread = (sums.squares - (sums.x / rows[:, None]).T @ sums.x) / total * np.outer(scale, scale)
    shared = (sums.products - centres.T @ sums.values) / total * scale
    eigenvalues, vectors = np.linalg.eigh(spread)
    strengths = penalties * max(float(eigenvalues.mean()), ROUNDING)
    shrunk = (vectors.T @ shared)[:, None] / (np.maximum(eigenvalues, 0.0)[:, None] + strengths)
    slopes = scale[:, None] * (vectors @ shrunk)
    guesses: Float64[np.ndarray, "m p"] = means[asked][:, None] + unseen @ slopes - (centres @ slopes)[asked]
    return guesses


def quantiles(values: Values, count: int) -> tuple[Codes, Float64[np.ndarray, " b"]]:
    """At most `count` bins of equal shares of the rows, as codes, and the median of each; ties share a bin."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    _, codes = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)
    middles = np.array([np.median(values[codes == code]) for code in range(int(codes.max(initial=0)) + 1)])
    return codes.astype(np.int64), middles


def read(
    chances: Shaped[np.ndarray, "m b"],
    middles: Float64[np.ndarray, " b"],
    asked: Int64[np.ndarray, " m"],
    table: Int64[np.ndarray, "strata b"],
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """
    Mean and median of a distribution over bins that was learnt with v independent of y.

    Bayes' rule with the seen rows' table of (target, bin) brings it back to rows as they come. The median is
    interpolated between the middles of the bins.
    """
    prior = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    joint = np.maximum(chances, 1e-12) * (prior[asked] + 1e-9)
    joint = joint / joint.sum(axis=1, keepdims=True)
    mean = joint @ middles
    upto = joint.cumsum(axis=1)
    centre = upto - joint / 2
    after = np.minimum((centre < 0.5).sum(axis=1), len(middles) - 1)  # noqa: PLR2004 (the middle)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(joint))
    step = centre[rows, after] - centre[rows, before]
    way = np.divide(0.5 - centre[rows, before], step, out=np.ones(len(rows)), where=step > 0)
    return mean, middles[before] + np.clip(way, 0, 1) * (middles[after] - middles[before])


def score(
    attacker: str,
    mean: Values,
    median: Values,
    values: Values,
    usual_mean: Values,
    usual_median: Values,
    group: Codes | None,
    *,
    seed: int,
    doubled: bool = False,
    bits: Interval | None = None,
    notes: tuple[str, ...] = (),
) -> Regression:
    """
    The figures of guesses, each row guessed once by an attacker that did not see it.

    `mean` is held against squared error, `median` against absolute error (a ridge gives its guess as both); `usual_*`
    are what the target alone says of each row (`usual` of the rows that its attacker saw). Intervals: percentiles of
    the bootstrap over rows, or over whole groups, `doubled` in variance where guesses are cross-fitted.

    Raises:
        ValueError: the target classes' means leave no error, so that there is nothing to explain.
    """
    unit = float(np.abs(values - values.mean()).max(initial=0.0)) or 1.0
    columns = np.stack(
        [
            np.abs(median - values) / unit,
            np.abs(usual_median - values) / unit,
            ((mean - values) / unit) ** 2,
            ((usual_mean - values) / unit) ** 2,
            np.ones(len(values)),
        ],
        axis=1,
    )
    if not columns[:, 3].any():
        raise ValueError("the means of the target classes leave no error")
    index = np.arange(len(values)) if group is None else np.unique(group, return_inverse=True)[1]
    sums = np.stack([np.bincount(index, column) for column in columns.T], axis=1)
    units, rng = len(sums), np.random.default_rng(seed)
    drawn = np.empty((DRAWS, 3))
    for draw in range(DRAWS):
        times = np.bincount(rng.integers(units, size=units), minlength=units)
        drawn[draw] = _figures(times @ sums)
    point = _figures(sums.sum(axis=0))
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    mae, gain, r2 = (
        Interval(float(point[i]), float(min(low[i], point[i])), float(max(high[i], point[i]))) for i in range(3)
    )
    if doubled:
        mae, gain, r2 = map(widened, (mae, gain, r2))
    mae, gain = (Interval(*(float(end * unit) for end in part)) for part in (mae, gain))
    mae, r2 = mae._replace(low=max(mae.low, 0.0)), r2._replace(high=min(r2.high, 1.0))
    mae_target = float(columns[:, 1].mean() * unit)
    return Regression(attacker, mae, mae_target, gain, r2, bits, notes)


def _figures(sums: Float64[np.ndarray, " 5"]) -> Float64[np.ndarray, " 3"]:
    absolute, absolute_usual, squared, squared_usual, rows = sums
    tiny = np.finfo(np.float64).tiny
    return np.array(
        [absolute / rows, (absolute_usual - absolute) / rows, 1 - squared / max(squared_usual, tiny)], np.float64
    )
