"""
How the bottleneck stands beside what was there before it.

E less that of a fresh encoder, and E as a share of the raw input's. Both are paired: the same rows, and the bootstrap's
spread of the difference, widened where guesses are cross-fitted.
"""

from typing import NamedTuple

import numpy as np

from leakaudit.inquest.arena import Codes
from leakaudit.inquest.inquiry import Inquiry
from leakaudit.numerics import pairing
from leakaudit.scoring import Answers
from leakaudit.stats import Interval

NORMAL = 1.959964
"""Standard errors on each side of a two-sided 95 % interval."""


class Beside(NamedTuple):
    """A figure that compares, or why there is none."""

    value: Interval | None
    note: str


def above_random(found: Inquiry) -> Beside:
    """E less that of the random-init encoder's bottleneck."""
    other = found.beside.get("random-init")
    if other is None:
        return Beside(None, _why(found, "random-init"))
    fresh = _excess(found, "random-init")
    value = found.figures.excess.value - fresh.value
    error = _error(found.answers, other, found.guess)
    low, high = max(-2.0, value - NORMAL * error), min(2.0, value + NORMAL * error)
    return Beside(Interval(value, low, high), "")


def share_of_raw(found: Inquiry) -> Beside:
    """E / E(raw input), its interval by the delta method; none where the raw input's own E may be zero."""
    other = found.beside.get("raw-input")
    if other is None:
        return Beside(None, _why(found, "raw-input"))
    raw = _excess(found, "raw-input")
    if raw.low <= 0:
        return Beside(None, "the raw input's own E may be zero")
    share = found.figures.excess.value / raw.value
    own, theirs = (_variance(found.answers, guess) for guess in (found.guess, other))
    together = (own + theirs - _error(found.answers, other, found.guess) ** 2) / 2
    error = np.sqrt(max(own + share**2 * theirs - 2 * share * together, 0.0)) / raw.value
    low, high = share - NORMAL * error, share + NORMAL * error
    if not error:  # everything is read from both, or nothing differs: bounds of each by itself
        low, high = found.figures.excess.low / raw.high, found.figures.excess.high / raw.low
    return Beside(Interval(share, float(min(low, share)), float(max(high, share))), "")


def _why(found: Inquiry, kind: str) -> str:
    return next((each.note for each in found.baselines if each.baseline == kind), "nothing was asked")


def _excess(found: Inquiry, kind: str) -> Interval:
    """E of a baseline that was contested."""
    figures = next(each.figures for each in found.baselines if each.baseline == kind)
    assert figures is not None
    return figures.excess


def _variance(answers: Answers, guess: Codes) -> float:
    part, stretch = answers.advantage(guess)
    return part.variance * stretch**2


def _error(answers: Answers, first: Codes, second: Codes) -> float:
    """Standard error of the difference of E of two guesses about the same rows."""
    rows = answers.scored
    hits = np.stack([guess == answers.private for guess in (first, second)]).astype(np.uint8)
    group = None if answers.group is None else answers.group[rows]
    pair = pairing.Rows(answers.target[rows], answers.private[rows], group, {"both": hits[:, rows]})
    (spread,) = pairing.deviations(pair, "both", (pairing.excess,))
    return float(spread.std() * (np.sqrt(2) if answers.doubled else 1.0))
