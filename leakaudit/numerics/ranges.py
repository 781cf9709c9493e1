"""
Columns of any unit and offset, brought to where float32 arithmetic serves; ordinary ones stay as they are.

A column whose mean dwarfs its spread is centred, one in units that float32 squares or sums cannot hold is multiplied
by a power of two: both are exact. A value further than `FAR` times the 99th percentile of its column's deviations is
clipped there: a handful of them would otherwise be all that second moments see, and blind every attacker.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

FAR = 100.0
"""Usual deviations beyond which a value is clipped."""
USUAL = 0.99
"""The quantile of the deviations that is usual."""
OFFSET = 256.0
"""Times its spread that a column's middle lies off zero before it is centred."""
ULPS = 2 * float(np.finfo(np.float32).eps)
"""A spread below this share of the middle is rounding, and stays what it is."""
WIDEST = 2.0**32
"""Spreads further from 1, or from the largest of all columns, are brought to 1."""
SAMPLE = 4096
"""Rows from which a column's middle and its usual deviation are guessed."""
BLOCK = 8192


@dataclass(frozen=True)
class Ranges:
    """What is done to each column: (clip(z) - centre) * factor."""

    low: Float32[np.ndarray, " d"]
    high: Float32[np.ndarray, " d"]
    centre: Float32[np.ndarray, " d"]
    factor: Float64[np.ndarray, " d"]
    clipped: int
    """Values beyond `low` and `high`."""

    @property
    def idle(self) -> bool:
        """Whether nothing is done."""
        return not self.clipped and not self.centre.any() and bool((self.factor == 1).all())

    @property
    def note(self) -> str:
        """What a reader of the audit must know; empty where nothing was lost."""
        one = self.clipped == 1
        words = f"{'a value' if one else f'{self.clipped:,} values'} of z further than {FAR:g} times what is usual in"
        return f"{words} {'its' if one else 'their'} column clipped there" if self.clipped else ""

    def __call__(self, z: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
        """The rows of z in their new ranges; z itself where nothing is done."""
        if self.idle:
            return z
        out = np.empty(z.shape, np.float32)
        for start in range(0, len(z), BLOCK):
            part = np.clip(z[start : start + BLOCK], self.low, self.high)
            out[start : start + BLOCK] = (part.astype(np.float64) - self.centre) * self.factor
        return out


def ranges(z: Float32[np.ndarray, "n d"]) -> Ranges:
    """What the columns of z need; z is finite and has a row."""
    least, most = z.min(axis=0).astype(np.float64), z.max(axis=0).astype(np.float64)
    some = z[:: -(-len(z) // SAMPLE)].astype(np.float64)
    middle = np.median(some, axis=0).astype(np.float32).astype(np.float64)
    usual = _usual(np.abs(some - middle))
    spread = np.maximum(most - middle, middle - least)
    wild = np.flatnonzero((spread > FAR * usual) & (spread > 0))
    low, high, count = np.full(len(least), -np.inf), np.full(len(least), np.inf), 0
    for j in wild:
        reach = FAR * _usual(np.abs(z[:, [j]].astype(np.float64) - middle[j]))[0]
        low[j], high[j] = middle[j] - reach, middle[j] + reach
        count += int(((z[:, j] < np.float32(low[j])) | (z[:, j] > np.float32(high[j]))).sum())
        spread[j] = min(spread[j], reach)
    varies = spread > ULPS * np.abs(middle)
    centre = np.where(varies & (np.abs(middle) > OFFSET * spread), middle, 0.0)
    factor = _factors(np.where(varies, spread, 0.0), np.abs(middle))
    bounds = low.astype(np.float32), high.astype(np.float32)
    return Ranges(*bounds, centre.astype(np.float32), factor, count)


def _usual(deviation: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " d"]:
    """The usual deviation of each column; where it is 0, that of the values that deviate at all."""
    found: Float64[np.ndarray, " d"] = np.quantile(deviation, USUAL, axis=0, method="lower")
    for j in np.flatnonzero(found == 0):
        other = deviation[deviation[:, j] > 0, j]
        found[j] = np.quantile(other, USUAL, method="lower") if len(other) else 0.0
    return found


def _factors(spread: Float64[np.ndarray, " d"], middle: Float64[np.ndarray, " d"]) -> Float64[np.ndarray, " d"]:
    """Powers of two: one for all columns, and one of its own for a column far below or above the others."""
    varies: Bool[np.ndarray, " d"] = spread > 0
    factor = np.ones(len(spread))
    if varies.any():
        top = float(spread[varies].max())
        if not 1 / WIDEST < top < WIDEST:
            factor /= _power(np.array([top]))
        far = varies & (spread * WIDEST < top)
        factor[far] = 1 / _power(spread[far])
    still = ~varies & (middle > 0) & ~((middle > 1 / WIDEST) & (middle < WIDEST))
    factor[still] = 1 / _power(middle[still])
    return factor


def _power(size: Float64[np.ndarray, " d"]) -> Float64[np.ndarray, " d"]:
    """The power of two at or below."""
    found: Float64[np.ndarray, " d"] = np.exp2(np.floor(np.log2(size)))
    return found
