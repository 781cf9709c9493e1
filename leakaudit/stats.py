"""Intervals and tests, on numpy and scipy alone."""

from typing import NamedTuple


class Interval(NamedTuple):
    """A point estimate and its two-sided 95 % confidence bounds."""

    value: float
    low: float
    high: float
