"""
Private classes along one direction of the bottleneck, each as a Gaussian over its rows: PC1 and the LDA direction.

PC1 is the papers' figure (Barbano et al., "Bridging the gap between debiasing and privacy for deep learning", ICCV
workshops 2021, figure 8). It is nearly blind, so the direction that separates best stands beside it on one axis.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from leakaudit.audits import Curve, Separation
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, wide
from leakaudit.render._entries import Entry

ALONE, BESIDE, GAP, HEAD, LABEL = 510, 440, 22, 50, 100
"""Pixels: of the figure of one model, of one of several; between panels, above curves, of a class's name at most."""
STEP, TALL, TOGETHER = 20, 26, 76
"""Pixels of a class's line; of a Gaussian of unit deviation there, and where two classes share one line."""
MOST, FARTHEST = 12, 10
"""Private classes drawn; of more, so many of the farthest and a count."""
AXES = (4, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1e3, 1e6)
NAMES = {"pc1": "PC1", "lda": "LDA"}
PAIR = 2


class Panel(NamedTuple):
    """Where one direction is drawn."""

    left: float
    right: float
    far: float
    """Within-class deviations from the middle to each end."""

    def at(self, value: float) -> float:
        """The pixel of so many deviations."""
        share = (max(-self.far, min(self.far, value)) + self.far) / (2 * self.far)
        return self.left + (self.right - self.left) * share


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per model and private attribute of which directions are known; their axes are the same."""
    asked = [(p, [one for one in group if one.attribute.separation]) for p, group in _entries.questions(report)]
    found = [
        (private, entry, reach([part for one in group for part in one.attribute.separation]))
        for private, group in asked
        for entry in group
    ]
    several = len({entry.place for _, entry, _ in found}) > 1
    side = BESIDE if several else ALONE
    names = stems("directions", [f"{private} {entry.name}" if several else private for private, entry, _ in found])
    return tuple(_drawing(entry, far, name, side) for name, (_, entry, far) in zip(names, found, strict=True))


def reach(found: Sequence[Separation]) -> float:
    """Half the width of the axis that all panels share, in within-class deviations."""
    far = max((abs(curve.mean) + 3 * curve.deviation for part in found for curve in part.curves), default=1.0)
    return float(next(step for step in AXES if step >= min(far, AXES[-1])))


def chosen(curves: Sequence[Curve]) -> list[Curve]:
    """Classes that have rows; of many, those farthest from the middle."""
    known = [curve for curve in curves if curve.rows]
    if len(known) <= MOST:
        return known
    middle = float(np.mean([curve.mean for curve in known]))
    far = sorted(known, key=lambda curve: -abs(curve.mean - middle))[:FARTHEST]
    return [curve for curve in known if curve in far]


def caption(entry: Entry) -> str:
    """What is seen, what can be read off, and what it does not say."""
    far = [f"{one.d_prime:.1f} on {_named(one.direction)}" for one in entry.attribute.separation]
    return f"{about([entry])} Here it is {_figures.joined(far)}. A picture of one direction clears no model."


def about(group: Sequence[Entry]) -> str:
    """What is seen in figures of the same private attribute."""
    count = max(len(one.curves) for entry in group for one in entry.attribute.separation)
    some = f", the {FARTHEST} farthest of {count}" if count > MOST else ""
    private = group[0].attribute.private
    return (
        f"One Gaussian for each class of {private}{some}, over its rows (filled). The axis counts within-class "
        f"deviations, the same in all panels, so that d\N{PRIME}, the distance of the two farthest classes, can be "
        f"read off. PC1 is the papers' figure and never decides; the LDA direction is fitted on other rows than it "
        f"is drawn on."
    )


def _named(direction: str) -> str:
    return NAMES.get(direction, direction)


def _drawing(entry: Entry, far: float, name: str, side: int) -> Drawing:
    part = entry.attribute
    title = f"{part.private[:1].upper()}{part.private[1:]} along single directions of {entry.name}"
    said = "; ".join(
        f"{_named(one.direction)}: the two farthest classes lie {one.d_prime:.1f} within-class deviations apart"
        for one in part.separation
    )
    drawn, high = _body(entry, far, side)
    svg_ = svg.svg(side, high, drawn, kind="pic", title=title, desc=f"{said}.", name=name)
    return Drawing(name, "directions", part.private, title, caption(entry), Markup(svg_))  # noqa: S704 (it is one)


def _body(entry: Entry, far: float, side: int) -> tuple[str, float]:
    parts = entry.attribute.separation
    lines = [chosen(one.curves) for one in parts]
    pair = all(len(curves) == PAIR for curves in lines)
    names = [cut(curve.name, LABEL) for curves in lines for curve in curves]
    label = 0.0 if pair else max((wide(name) for name in names), default=0.0) + 10
    broad = (side - label - GAP * (len(parts) - 1)) / len(parts)
    foot = HEAD + (TOGETHER if pair else STEP * max(map(len, lines))) + 8
    body = ""
    for number, (one, curves) in enumerate(zip(parts, lines, strict=True)):
        left = label + (broad + GAP) * number
        panel = Panel(left, left + broad, far)
        share = f", {_figures.percent(one.share)} % of variance" if one.share is not None else ""
        body += svg.text(left, 12, f"{_named(one.direction)}{share}", strong=True)
        body += svg.line(panel.at(0), HEAD - 6, panel.at(0), foot, ink=0.16)
        for i, curve in enumerate(curves):
            base = HEAD + (TOGETHER if pair else STEP * (i + 1))
            body += svg.line(left, base, left + broad, base, ink=0.16)
            body += _curve(entry.place, curve, one.span, panel, base, TOGETHER - 14 if pair else TALL,
                           faint=pair and i == 1)  # fmt: skip
            if not pair and (number == 0 or [c.name for c in curves] != [c.name for c in lines[0]]):
                body += svg.text(label - 8 if number == 0 else left, base - 4, cut(curve.name, LABEL),
                                 anchor="end" if number == 0 else "start")  # fmt: skip
        body += _apart(one, curves, panel, pair=pair) + _axis(panel, foot)
    words = "within-class deviations"
    return body + svg.text((label + side) / 2, foot + 36, words, anchor="middle"), foot + 42


def _apart(part: Separation, curves: Sequence[Curve], panel: Panel, *, pair: bool) -> str:
    """A bracket from the mean of the one farthest class to that of the other, with their distance."""
    if not curves:
        return ""
    ends = sorted(curves, key=lambda curve: curve.mean)
    low, high = (panel.at(curve.mean) for curve in (ends[0], ends[-1]))
    words = f"d\N{PRIME} {part.d_prime:.1f}"
    y, half = HEAD - 20, wide(words) / 2
    middle = max(panel.left + half, min(panel.right - half, (low + high) / 2))
    body = svg.line(low, y, high, y, ink=0.7) + "".join(svg.line(x, y - 3, x, y + 3, ink=0.7) for x in (low, high))
    if high - low < 2 * half + 12:
        right = high + 6 + 2 * half < panel.right
        body += svg.text(high + 6 if right else low - 6, y + 4, words, anchor="start" if right else "end")
    else:
        body = body.replace(svg.line(low, y, high, y, ink=0.7), svg.line(low, y, middle - half - 4, y, ink=0.7)
                            + svg.line(middle + half + 4, y, high, y, ink=0.7))  # fmt: skip
        body += svg.text(middle, y + 4, words, anchor="middle")
    if pair:
        for curve, side in ((ends[0], -1), (ends[-1], 1)):
            x, anchor = panel.at(curve.mean) + 14 * side, "end" if side < 0 else "start"
            room = (x - panel.left if side < 0 else panel.right - x) - 2
            body += svg.text(x, HEAD + 14, cut(curve.name, max(room, 30)), anchor=anchor)
    return body


def _axis(panel: Panel, y: float) -> str:
    body = svg.line(panel.left, y, panel.right, y)
    for value, anchor in ((-panel.far, "start"), (0.0, "middle"), (panel.far, "end")):
        x = panel.at(value)
        body += svg.line(x, y, x, y + 4)
        body += svg.text(x, y + 17, f"{value:g}".replace("-", "\N{MINUS SIGN}"), anchor=anchor)
    return body


def _curve(
    place: int, curve: Curve, span: Sequence[float], panel: Panel, base: float, tall: float, *, faint: bool
) -> str:
    """The rows of a class as steps, and its Gaussian over them."""
    deviation = max(curve.deviation, 1e-3)
    at = np.linspace(curve.mean - 3 * deviation, curve.mean + 3 * deviation, 33)
    heights = tall * np.exp(-(((at - curve.mean) / deviation) ** 2) / 2) / max(1.0, deviation)
    outline = "L".join(f"{panel.at(x):.1f} {base - up:.1f}" for x, up in zip(at, heights, strict=True))
    dash = ' stroke-dasharray="3 1.5"' if faint else ""
    body = _rows(place, curve, span, panel.at, base, tall, faint=faint)
    return body + f'<path d="M{outline}" fill="none" stroke="currentColor" stroke-opacity=".8"{dash}/>'


def _rows(
    place: int,
    curve: Curve,
    span: Sequence[float],
    x: Callable[[float], float],
    base: float,
    tall: float,
    *,
    faint: bool,
) -> str:
    total = sum(curve.histogram)
    if len(span) != PAIR or not span[1] > span[0] or not total:
        return ""
    edges = np.linspace(span[0], span[1], len(curve.histogram) + 1)
    density = np.array(curve.histogram) / (total * (edges[1] - edges[0]))
    steps = tall * np.minimum(density * np.sqrt(2 * np.pi), 1.35)
    blocks = "".join(
        f"M{x(edges[i]):.1f} {base:.1f}V{base - steps[i]:.1f}H{x(edges[i + 1]):.1f}V{base:.1f}z"
        for i in range(len(steps))
        if steps[i] >= 0.05  # noqa: PLR2004 (below a pixel)
    )
    return f'<path d="{blocks}" fill-opacity="{0.2 if faint else 0.4}" {svg.paint(place)}/>'
