"""
How close guessed numbers come: mean absolute error and R^2, with bootstrap intervals.

Percentile intervals of a bootstrap of groups (Efron, Annals of Statistics 7, 1979); rows without a group are groups of
one. Below some thirty groups they are too narrow.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64

from leakaudit.checkpoint import Closeness
from leakaudit.stats import LEVEL, Interval

DRAWS = 2000
HELD = 1 << 24
"""Counts that are held at a time."""


def plain(guess: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> tuple[float, float | None]:
    """Mean absolute error and R^2 alone."""
    mae, r2 = _figures(_columns(guess, truth).sum(axis=0)[None])
    return float(mae[0]), float(r2[0]) if np.isfinite(r2[0]) else None


def closeness(
    guess: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"], group: Int64[np.ndarray, " n"] | None, seed: int
) -> Closeness:
    """
    Mean absolute error in the numbers' unit, and R^2: the share of their variance on these rows that is explained.

    R^2 is None where all numbers are the same.
    """
    columns = _columns(guess, truth)
    if group is not None:
        index = np.unique(group, return_inverse=True)[1]
        columns = np.stack([np.bincount(index, column) for column in columns.T], axis=1)
    n, random = len(columns), np.random.default_rng(seed)
    each = max(1, HELD // n)
    drawn = [
        random.multinomial(n, np.full(n, 1 / n), size=min(each, DRAWS - first)) @ columns
        for first in range(0, DRAWS, each)
    ]
    mae, r2 = plain(guess, truth)
    maes, r2s = _figures(np.concatenate(drawn))
    return Closeness(_interval(mae, maes), None if r2 is None else _interval(r2, r2s[np.isfinite(r2s)]))


def _columns(guess: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> Float64[np.ndarray, "n 5"]:
    """What each row adds to a count of rows, and to sums of errors and of distances from the mean."""
    exact = truth.astype(np.float64)
    away, error = exact - exact.mean(), exact - guess
    return np.stack([np.ones(len(exact)), np.abs(error), error**2, away, away**2], axis=1)


def _figures(
    sums: Float64[np.ndarray, "draws 5"],
) -> tuple[Float64[np.ndarray, " draws"], Float64[np.ndarray, " draws"]]:
    """Mean absolute error and R^2 (NaN without variance) of each draw."""
    rows, absolute, squared, away, spread = sums.T
    variance = spread - away**2 / rows
    real = variance > 1e-12 * np.maximum(spread, np.finfo(float).tiny)
    return absolute / rows, np.where(real, 1 - squared / np.where(real, variance, 1.0), np.nan)


def _interval(value: float, draws: Float64[np.ndarray, " draws"]) -> Interval:
    low, high = np.quantile(draws, (LEVEL / 2, 1 - LEVEL / 2))
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
