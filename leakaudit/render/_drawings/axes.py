"""Axes: which part of a scale is drawn, where it is marked, and how it stands on the page."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.render._drawings import svg

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


class Axis(NamedTuple):
    """Part of a scale, between two places of the page."""

    low: float
    high: float
    start: float
    """Pixels at `low`."""
    end: float
    """Pixels at `high`; less than `start` where the axis goes up."""

    def at(self, value: float) -> float:
        """Where a value lies; what lies beyond an end stands on it."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def marks(self) -> list[float]:
        """At most five values that are marked, both ends among them where they are round."""
        step = next(step for step in STEPS if (self.high - self.low) / step <= 4 + 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        return [round(step * i, 9) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def span(values: Sequence[float], *, step: float = 0.1) -> tuple[float, float]:
    """The part of a scale from 0 to 1 that the values need, in whole steps, and no less than two of them."""
    start = max(0.0, step * math.floor((min(values) - 0.01) / step + 1e-9))
    end = min(1.0, step * math.ceil((max(values) + 0.01) / step - 1e-9))
    while end - start < 2 * step - 1e-9:
        start, end = max(0.0, start - step), min(1.0, end + step)
    return round(start, 9), round(end, 9)


def percent(value: float) -> str:
    """A share as a mark of an axis."""
    return f"{100 * value:g}".replace("-", "\N{MINUS SIGN}")


def below(axis: Axis, y: float, *, unit: str = " %") -> str:
    """A horizontal axis of shares in percent; the last mark has the unit."""
    body = svg.line(axis.start, y, axis.end, y)
    for value in axis.marks:
        last = value == axis.marks[-1]
        words = f"{percent(value)}{unit.replace(' ', chr(0x202F)) if last else ''}"
        body += svg.line(axis.at(value), y, axis.at(value), y + 4)
        body += svg.text(axis.at(value), y + 18, words, anchor="middle")
    return body


def beside(axis: Axis, x: float) -> str:
    """A vertical axis of shares in percent, left of a figure."""
    body = svg.line(x, axis.end, x, axis.start)
    for value in axis.marks:
        body += svg.line(x - 4, axis.at(value), x, axis.at(value))
        body += svg.text(x - 8, axis.at(value) + 4, percent(value), anchor="end")
    return body
