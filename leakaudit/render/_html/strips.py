"""
Small drawings: marks, badges, and the strips that make a table a chart.

Presentation attributes alone draw them, so that they stand without a style sheet; classes (`f0`, `s0`, ...) only let
the page tune a colour. A strip is hidden from screen readers, because its numbers stand in the cell beside it.
"""

from collections.abc import Sequence

from markupsafe import Markup

from leakaudit.finding import Verdict
from leakaudit.render import _figures
from leakaudit.render._drawings.svg import COLOURS, DASH, DOTS, FONT, colour, line, mark, paint, svg, text
from leakaudit.stats import Interval

__all__ = [
    "COLOURS",
    "DASH",
    "DOTS",
    "FONT",
    "accuracy",
    "colour",
    "excess",
    "glyph",
    "key",
    "lanes",
    "lesson",
    "line",
    "mark",
    "paint",
    "points",
    "ruler",
    "scale",
    "svg",
    "text",
]

HIGH = 28
"""Height of a table's row in pixels."""
NEAR = 75
"""Pixels within which two labels of a ruler would touch."""


def key(place: int) -> Markup:
    """A model's mark beside its name."""
    return svg(12, 12, mark(place, 6, 6), kind="key")


def glyph(verdict: Verdict) -> Markup:
    """A verdict's shape: full, nearly full, half, a dot, empty."""
    frame = '<rect x="1" y="1" width="10" height="10" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    body = {
        "LEAK": '<rect x="1" y="1" width="10" height="10" fill="currentColor"/>',
        "DETECTED": f'{frame}<rect x="3.2" y="3.2" width="5.6" height="5.6" fill="currentColor"/>',
        "INCONCLUSIVE": f'{frame}<path d="M1 11L11 1V11z" fill="currentColor"/>',
        "WITHIN": f'{frame}<circle cx="6" cy="6" r="1.8" fill="currentColor"/>',
        "NOT_FOUND": frame,
    }[verdict]
    return svg(12, 12, body, kind="glyph")


def excess(place: int, interval: Interval, tolerance: float, *, solid: bool, width: int = 150) -> Markup:
    """E from 0 to 1 in one row, with the tolerance running through it."""
    wide = width - 2
    grid = _grid([1 + wide * at for at in (0, 0.5, 1)], HIGH)
    at = 1 + wide * _unit(tolerance)
    over = line(at, 0, at, HIGH, ink=0.9, dash=DASH, wide=1.3)
    return _strip(place, width, grid, [1 + wide * _unit(part) for part in (0, *interval)], over, solid)


def accuracy(place: int, interval: Interval, chance: float, *, solid: bool) -> Markup:
    """Accuracy from 0 to 1 in one row; the bar grows from guessing outwards."""
    width, grid = 96, _grid([1 + 94 * at for at in (0, 0.5, 1)], HIGH)
    guess = line(1 + 94 * chance, 0, 1 + 94 * chance, HIGH, ink=0.75, dash=DOTS)
    return _strip(place, width, grid, [1 + 94 * _unit(part) for part in (chance, *interval)], guess, solid)


def _strip(place: int, width: int, grid: str, at: list[float], over: str, solid: bool) -> Markup:  # noqa: FBT001
    start, value, low, high = at
    low, high = _at_least(low, high)
    left, long = min(start, value), abs(value - start)
    ink = 0.35 if solid else 0.18
    bar = f'<rect x="{left:.1f}" y="11" width="{long:.1f}" height="6" fill-opacity="{ink}" {paint(place)}/>'
    how = paint(place) if solid else f'fill="none" {paint(place, stroke=True)} stroke-width="1.3"'
    end = f'<rect x="{low:.1f}" y="9.5" width="{high - low:.1f}" height="9" {how}/>'
    return _bare(width, HIGH, grid + bar + end + over)


def _grid(at: Sequence[float], high: float) -> str:
    """Upright hairlines, in one stroke: there are thousands of strips on a page."""
    path = "".join(f"M{x:g} 0V{high:g}" for x in at)
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".13"/>'


def _bare(width: float, high: float, body: str) -> Markup:
    """A strip that holds no words."""
    size = f'width="{width:g}" height="{high:g}" viewBox="0 0 {width:g} {high:g}"'
    return Markup(f'<svg {size} class="strip" aria-hidden="true">{body}</svg>')  # noqa: S704 (numbers alone)


def scale(marks: Sequence[tuple[float, str]], width: int, *, inset: int = 1) -> Markup:
    """The head of a column of strips: what lies where."""
    body, right = "", -9.0
    for at, words in sorted(marks):
        x = inset + (width - 2 * inset) * _unit(at)
        if x - 3.5 * len(words) < right:
            continue
        anchor = "start" if at <= 0 else "end" if at >= 1 else "middle"
        body += text(x, 10, words, anchor=anchor) + line(x, 14, x, 18, ink=0.6)
        right = x + 4 * len(words) + 3
    return svg(width, 18, body, kind="strip")


def lanes(found: Sequence[tuple[int, Interval]], tolerance: float, *, width: int = 300) -> Markup:
    """E of several models in one row, each in its own lane."""
    high, step = max(HIGH, 12 * len(found) + 10), 12
    wide, top = width - 12, (max(HIGH, 12 * len(found) + 10) - step * (len(found) - 1)) / 2
    body = _grid([6 + wide * at for at in (0, 0.25, 0.5, 0.75, 1)], high)
    for lane, (place, interval) in enumerate(found):
        value, low, high_end = (6 + wide * _unit(part) for part in interval)
        low, high_end = _at_least(low, high_end)
        y = top + step * lane
        how = f'{paint(place, stroke=True)} stroke-width="3"'
        body += f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high_end:.1f}" y2="{y:.1f}" {how}/>' + mark(place, value, y, 4)
    at = 6 + wide * _unit(tolerance)
    return _bare(width, high, body + line(at, 0, at, high, ink=0.9, dash=DASH, wide=1.3))


def points(place: int, at: Sequence[tuple[float, bool]], lines: Sequence[float], *, width: int) -> Markup:
    """Points by their share of the way; those that decide are filled, `lines` are dashed."""
    wide = width - 12
    body = line(6, HIGH / 2, 6 + wide, HIGH / 2, ink=0.2)
    body += "".join(line(6 + wide * x, 0, 6 + wide * x, HIGH, ink=0.9, dash=DASH, wide=1.3) for x in lines)
    for x, full in sorted(at, key=lambda point: point[1]):
        how = paint(place) if full else f'fill="none" {paint(place, stroke=True)} stroke-width="1.5"'
        body += f'<circle cx="{6 + wide * x:.1f}" cy="{HIGH / 2:g}" r="{5 if full else 4.5}" {how}/>'
    return _bare(width, HIGH, body)


def ruler(place: int, interval: Interval, tolerance: float, *, name: str, label: str) -> Markup:
    """E on a scale from 0 to 1, in a card."""
    value, low, high = (6 + 376 * _unit(part) for part in interval)
    low, high = _at_least(low, high)
    at = 6 + 376 * _unit(tolerance)
    body = line(6, 26, 382, 26, ink=0.35) + "".join(line(x, 23, x, 29) for x in (6, 194, 382))
    body += (
        text(0, 47, "0 guessing")
        + text(194, 47, "0.5", anchor="middle")
        + text(388, 47, "1 always right", anchor="end")
    )
    body += line(at, 2, at, 34, ink=0.95, dash=DASH, wide=1.4)
    how = f'{paint(place, stroke=True)} stroke-width="5"'
    body += f'<line x1="{low:.1f}" y1="26" x2="{high:.1f}" y2="26" {how}/>' + mark(place, value, 26, 6)
    words, said = f"E {interval.value:z.3f}".replace("-", "\N{MINUS SIGN}"), f"τ {_figures.tau(tolerance)}"
    if abs(value - at) >= NEAR:
        right = at < 300  # noqa: PLR2004 (room for the word beside the line)
        body += text(at + 5 if right else at - 5, 11, said, anchor="start" if right else "end")
        body += text(min(max(value, 22), 366), 11, words, anchor="middle", strong=True)
    elif value > at:
        body += text(max(at - 5, 30), 11, said, anchor="end") + text(max(value - 4, at + 8), 11, words, strong=True)
    elif at >= 40:  # noqa: PLR2004 (room for E left of the line)
        body += text(at + 5, 11, said) + text(at - 6, 11, words, anchor="end", strong=True)
    else:
        body += text(at + 5, 11, said) + text(at + 52, 11, words, strong=True)
    desc = f"95 % interval {interval.low:z.3f} to {interval.high:z.3f}; the tolerance is {_figures.tau(tolerance)}."
    return svg(
        388, 52, body, kind="pic", title=f"E of {label}: {interval.value:z.3f}, from 0 to 1", desc=desc, name=name
    )


def lesson(low: float, high: float, *, open_end: bool = False) -> Markup:
    """How an interval of E lies against the tolerance, as an example."""
    at, scale_to = 66.0, 500.0
    left, right = 6 + scale_to * low, min(206.0, 6 + scale_to * high)
    body = line(6, 20, 206, 20, ink=0.35) + line(at, 4, at, 30, ink=0.95, dash=DASH, wide=1.4) + text(at + 5, 11, "τ")
    dash = ' stroke-dasharray="4 3"' if open_end else ""
    body += f'<line x1="{left:.1f}" y1="20" x2="{right:.1f}" y2="20" stroke="currentColor" stroke-width="4"{dash}/>'
    return svg(
        212, 34, body + f'<circle cx="{(left + right) / 2:.1f}" cy="20" r="4.5" fill="currentColor"/>', kind="strip"
    )


def _unit(value: float) -> float:
    return max(0.0, min(1.0, value))


def _at_least(low: float, high: float, pixels: float = 3) -> tuple[float, float]:
    """The two ends at least three pixels apart: an interval is always seen."""
    if high - low >= pixels:
        return low, high
    middle = (low + high) / 2
    return middle - pixels / 2, middle + pixels / 2
