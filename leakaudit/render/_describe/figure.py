"""
The drawings of a description: one panel per split.

Histograms of the target by private class are the papers' figure 7 (Barbano et al., "Bridging the gap between debiasing
and privacy for deep learning", ICCVW 2021). Two private classes stand on either side of one axis, more in lanes; a
target of classes is drawn as bars, or as shades of a table where the private classes are many.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from leakaudit.description import Attribute, Cross, Description, Label, Reach
from leakaudit.render._drawings.sheets import FEW, TWO, Sheet, bars, count, shades, square
from leakaudit.render._html import strips

WIDE = 440
"""Pixels of a panel."""
LANES = 5
"""Private classes that have a lane; of more, the commonest and the others together."""
BLIND = 108
"""Pixels of an E of .5."""


def panel(made: Description, part: Attribute, place: int, sheet: Sheet, name: str) -> Markup:
    """One split of one attribute."""
    cross = part.crosses[place]
    if not cross.histogram:
        few = len(sheet.columns) <= FEW
        body, high = bars(sheet, WIDE, [_fill(i) for i in range(FEW)]) if few else shades(sheet, WIDE, strips.paint(1))
        said = f"Rows of each {part.private.name} in each class"
    else:
        lanes, names = _lanes(cross, other(made, part).classes)
        body, high = (_mirrored if len(names) == TWO else _stacked)(lanes, names, part.edges)
        said = f"Histogram of the {part.along} of {cross.rows:,} rows by {other(made, part).name}"
    title = f"{part.private.name} in split {cross.split}"
    return strips.svg(WIDE, high, body, kind="pic", title=title, desc=f"{said}.", name=name)


def other(made: Description, part: Attribute) -> Label:
    """The label by which histograms are coloured."""
    return part.private if part.along == made.target.name else made.target


def names(made: Description, part: Attribute, sheet: Sheet) -> tuple[str, ...]:
    """What the colours mean, in their order; empty where there are none."""
    if part.edges:
        return _lanes(part.crosses[0], other(made, part).classes)[1]
    return sheet.columns if len(sheet.columns) <= FEW else ()


def _lanes(cross: Cross, classes: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Histograms of the private classes; of many the first, and the others as one."""
    counts = np.array(cross.histogram)
    if len(classes) <= LANES:
        return counts, tuple(classes)
    kept = LANES - 1
    return np.concatenate([counts[:kept], counts[kept:].sum(axis=0, keepdims=True)]), (
        *classes[:kept],
        f"{len(classes) - kept} others",
    )


def _mirrored(lanes: np.ndarray, names: Sequence[str], edges: Sequence[float]) -> tuple[str, float]:
    left, right, top, middle, bottom = 46.0, WIDE - 6.0, 22.0, 112.0, 202.0
    most = _round_up(int(lanes.max(initial=1)))
    step = (middle - top) / most
    body = ""
    for share in (0.5, 1):
        for side in (-1, 1):
            y = middle + side * share * (middle - top)
            body += strips.line(left, y, right, y, ink=0.13)
            body += (
                strips.text(left - 8, y + 4, count(int(most * share)), anchor="end") if most * share % 1 == 0 else ""
            )
    body += strips.text(left - 8, middle + 4, "0", anchor="end")
    body += _steps(0, lanes[0], edges, (left, right), middle, -step)
    body += _steps(1, lanes[1], edges, (left, right), middle, step)
    body += strips.line(left, middle, right, middle, ink=0.7)
    for place, y in ((0, top - 8), (1, bottom + 16)):
        body += _square(place, left, y - 9)
        body += strips.text(left + 15, y, f"{names[place][:40]}, {count(int(lanes[place].sum()))}", strong=True)
    return body + _axis(edges, (left, right), bottom + 22), bottom + 50


def _stacked(lanes: np.ndarray, names: Sequence[str], edges: Sequence[float]) -> tuple[str, float]:
    left, right, tall = 6.0, WIDE - 6.0, 46.0
    most = max(int(lanes.max(initial=1)), 1)
    body = ""
    for place, (counts, name) in enumerate(zip(lanes, names, strict=True)):
        base = 20 + (tall + 20) * place + tall
        body += _square(place, left, base - tall - 13)
        body += strips.text(left + 15, base - tall - 4, f"{name[:40]}, {count(int(counts.sum()))}", strong=True)
        body += strips.line(left, base, right, base, ink=0.4)
        body += _steps(place, counts, edges, (left, right), base, -tall / most)
    bottom = 20 + (tall + 20) * len(names) - 20
    return body + _axis(edges, (left, right), bottom + 8), bottom + 36


def _steps(
    place: int, counts: np.ndarray, edges: Sequence[float], ends: tuple[float, float], base: float, scale: float
) -> str:
    """A histogram as one path, filled and outlined; a bar that has rows is at least a pixel high."""
    x = _scale(edges, ends)
    path, open_ = "", False
    for i, rows in enumerate(counts.tolist()):
        if rows:
            high = base + np.sign(scale) * max(1.0, abs(scale) * rows)
            path += f"{'' if open_ else f'M{x(edges[i]):.1f} {base:.1f}'}V{high:.1f}H{x(edges[i + 1]):.1f}"
        elif open_:
            path += f"V{base:.1f}z"
        open_ = bool(rows)
    path += f"V{base:.1f}z" if open_ else ""
    if not path:
        return ""
    return (
        f'<path d="{path}" fill-opacity=".45" {strips.paint(place)}/>'
        f'<path d="{path}" fill="none" {strips.paint(place, stroke=True)} stroke-width="1.2"/>'
    )


def _axis(edges: Sequence[float], ends: tuple[float, float], y: float) -> str:
    """A ruler with some five round numbers."""
    x, (low, high) = _scale(edges, ends), (edges[0], edges[-1])
    power = 10.0 ** np.floor(np.log10((high - low) / 4))
    step = next(times * power for times in (1, 2, 2.5, 5, 10) if (high - low) / (times * power) <= 6)  # noqa: PLR2004
    body = strips.line(*ends[:1], y, ends[1], y)
    first = int(np.ceil(low / step - 1e-9))
    for number in range(first, int(np.floor(high / step + 1e-9)) + 1):
        at = x(number * step)
        body += strips.line(at, y, at, y + 4)
        anchor = "start" if at < ends[0] + 8 else "end" if at > ends[1] - 12 else "middle"
        body += strips.text(at, y + 18, f"{number * step:,g}".replace("-", "\N{MINUS SIGN}"), anchor=anchor)
    return body


def _scale(edges: Sequence[float], ends: tuple[float, float]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def x(value: float) -> float:
        return float(ends[0] + (ends[1] - ends[0]) * (value - edges[0]) / (edges[-1] - edges[0]))

    return x


def blind(reach: Reach, tolerance: float) -> Markup:
    """From 0 on the E that cannot be told from 0, with the tolerance across; beyond it that of groups, hollow."""
    end, worst = (BLIND * min(1.0, part / 0.5) for part in (reach.mde, reach.mde_grouped or reach.mde))
    at = 1 + BLIND * min(1.0, tolerance / 0.5)
    body = strips.line(1, 14, 1 + BLIND, 14, ink=0.2) + strips.line(
        1 + BLIND * 0.4, 5, 1 + BLIND * 0.4, 23, ink=0.75, dash="1 2.5"
    )
    body += f'<rect x="1" y="9" width="{end:.1f}" height="10" fill-opacity=".55" {strips.paint(0)}/>'
    if worst > end:
        how = f'fill="none" {strips.paint(0, stroke=True)} stroke-width="1.2"'
        body += f'<rect x="{1 + end:.1f}" y="9.6" width="{worst - end:.1f}" height="8.8" {how}/>'
    body += strips.line(at, 1, at, 27, ink=0.9, dash=strips.DASH, wide=1.3)
    return strips.svg(BLIND + 2, 28, body, kind="strip")


def strength(cross: Cross) -> Markup:
    """V from 0 to 1: plain hollow, and without what chance adds, with its interval."""
    body = "".join(strips.line(7 + 136 * at, 3, 7 + 136 * at, 25, ink=0.13) for at in (0, 0.5, 1))
    found = cross.association
    if found is not None:
        low, high = 7 + 136 * found.low, 7 + 136 * found.high
        how = f'{strips.paint(1, stroke=True)} stroke-width="3"'
        body += f'<line x1="{low:.1f}" y1="14" x2="{max(high, low + 2):.1f}" y2="14" {how}/>'
        body += strips.mark(0, 7 + 136 * found.value, 14, 4.5).replace(strips.paint(0), strips.paint(1))
    if cross.cramers_v is not None:
        body += strips.mark(0, 7 + 136 * cross.cramers_v, 14, 4.5, hollow=True).replace(
            strips.paint(0, stroke=True), strips.paint(1, stroke=True)
        )
    return strips.svg(150, 28, body, kind="strip")


def key(place: int) -> Markup:
    """The colour of a private class."""
    return strips.svg(12, 12, _square(place, 1, 1), kind="key")


def _square(place: int, x: float, y: float) -> str:
    return square(_fill(place), x, y)


def _fill(place: int) -> str:
    return f'fill-opacity=".75" {strips.paint(place)}'


def _round_up(most: int) -> int:
    """The next 1, 2, 4 or 6 times a power of ten."""
    power: int = 10 ** max(len(str(most)) - 1, 0)
    return next(times * power for times in (1, 2, 3, 4, 5, 6, 8, 10) if times * power >= most)
