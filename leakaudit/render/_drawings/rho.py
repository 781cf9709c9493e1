"""
Models over rho, the share of training rows in which target and private attribute agree: twice.

The papers draw a polar plot (Barbano et al., "Bridging the gap between debiasing and privacy for deep learning", 2021,
Fig. 4): the radius is private accuracy, each angle a rho, each line a method. The same beside it as lines that can be
read, with intervals and with the seeds.
"""

import math
from collections.abc import Callable, Sequence

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import axes, forest, rhos, svg
from leakaudit.render._drawings.axes import Axis
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, fine, spread, wide
from leakaudit.render._drawings.rhos import Family
from leakaudit.render._entries import Entry
from leakaudit.stats import Interval

ROUND, WIDE = 404, 470
"""Pixels of the polar plot and of the lines beside it."""
RADIUS, MIDDLE, CENTRE = 160, 202, 206
"""Pixels of the half disc, and where its centre lies."""
LEFT, TOP, TALL, LINE, LABEL = 40, 30, 190, 15, 130
"""Pixels of the lines: where they begin, how high they are, and their names."""
FLAT = 110
"""Pixels of the second panel: the models' own task."""


def draw(report: Report) -> tuple[Drawing, ...]:
    """Two figures per private attribute of which models with at least two values of rho are there."""
    known = [(private, found) for private, group in _entries.questions(report) if (found := rhos.families(group))]
    polar = stems("rho-polar", [private for private, _ in known])
    lines = stems("rho-lines", [private for private, _ in known])
    return tuple(
        made
        for one, other, (private, found) in zip(polar, lines, known, strict=True)
        for made in (_polar(one, private, found), _lines(other, private, found))
    )


def read(entry: Entry) -> Interval:
    """Share of the private attribute that is named right."""
    return entry.attribute.figures.private_accuracy


def polar(found: Sequence[Family], family: Family) -> list[tuple[float, float]]:
    """Where the means of a method lie: the radius is private accuracy, the angles are those of rho, evenly apart."""
    return [_around(found, rho, family.mean(rho, lambda entry: read(entry).value)) for rho in family.rhos]


def _around(found: Sequence[Family], rho: float, share: float) -> tuple[float, float]:
    order = rhos.values(found)
    turn = math.pi * (1 - (order.index(rho) + 0.5) / len(order))
    return MIDDLE + RADIUS * share * math.cos(turn), CENTRE - RADIUS * share * math.sin(turn)


def _polar(name: str, private: str, found: Sequence[Family]) -> Drawing:
    body = svg.text(0, 12, cut(f"Private: {private} named right", ROUND))
    for share in (0.25, 0.5, 0.75, 1):
        body += _ring(share, ink=0.5 if share == 1 else 0.16)
        for side in (-1, 1):
            words = fine(f"{axes.percent(share)} %") if share == 1 and side > 0 else axes.percent(share)
            body += svg.text(MIDDLE + side * RADIUS * share, CENTRE + 18, words, anchor="middle")
    body += svg.text(MIDDLE, CENTRE + 18, "0", anchor="middle")
    body += svg.line(MIDDLE - RADIUS, CENTRE, MIDDLE + RADIUS, CENTRE)
    for chance in sorted({1 / len(model.entry.attribute.classes) for family in found for model in family.models}):
        body += _ring(chance, ink=0.75, dash=svg.DOTS)
    for rho in rhos.values(found):
        x, y = _around(found, rho, 1)
        body += svg.line(MIDDLE, CENTRE, x, y, ink=0.16)
        x, y = _around(found, rho, 1.05)
        anchor = "middle" if abs(x - MIDDLE) < 20 else "end" if x < MIDDLE else "start"  # noqa: PLR2004 (upright)
        body += svg.text(x, y + 2, rhos.written(rho), anchor=anchor)
    for family in found:
        places = polar(found, family)
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        body += f'<path d="M{path}" fill="none" {svg.paint(family.place, stroke=True)} stroke-width="1.6"/>'
        for rho in family.rhos:
            seeds = family.at(rho)
            for entry in seeds if len(seeds) > 1 else ():
                x, y = _around(found, rho, read(entry).value)
                body += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" {svg.paint(family.place)}/>'
        body += "".join(svg.mark(family.place, x, y, 4.5) for x, y in places)
    left, top = 0.0, CENTRE + 44.0
    for family in found:
        label = cut(family.method, ROUND - 20)
        if left + 20 + wide(label) > ROUND:
            left, top = 0.0, top + 20
        body += svg.mark(family.place, left + 6, top - 4, 4.5) + svg.text(left + 16, top, label)
        left += wide(label) + 34
    title = f"{private[:1].upper()}{private[1:]} that is read, by rho: the papers' polar plot"
    drawn = svg.svg(ROUND, top + 12, body, kind="pic", title=title, desc=_said(found), name=name)
    words = (
        f"{rhos.told(found)} Here as the papers draw it: the radius is the share of the {private} that is named right, "
        "each angle is a rho, each line a method. Angles, and the area inside a line, mean nothing. "
        f"{_seeds(found)}Dotted: guessing."
    )
    return Drawing(name, "rho", private, title, words, drawn)


def _ring(share: float, *, ink: float, dash: str = "") -> str:
    radius, dashes = RADIUS * share, f' stroke-dasharray="{dash}"' if dash else ""
    path = f"M{MIDDLE - radius:.1f} {CENTRE}A{radius:.1f} {radius:.1f} 0 0 1 {MIDDLE + radius:.1f} {CENTRE}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity="{ink:g}"{dashes}/>'


def _lines(name: str, private: str, found: Sequence[Family]) -> Drawing:
    entries = [model.entry for family in found for model in family.models]
    right = WIDE - min(LABEL, max(wide(family.method) for family in found)) - 46
    tall = max(TALL, LINE * len(found))
    low = min(rhos.excess(entry).low for entry in entries)
    floor = max(-0.3, math.floor(10 * low) / 10) if low < -0.02 else 0.0  # noqa: PLR2004 (hardly below nothing)
    body, up, foot = svg.text(0, 12, "E", strong=True), Axis(floor, 1.0, TOP + tall, TOP), TOP + tall
    for value in (0, 0.25, 0.5, 0.75, 1):
        body += svg.line(LEFT, up.at(value), right + 14, up.at(value), ink=0.13 if value else 0.5)
        body += svg.text(LEFT - 8, up.at(value) + 4, f"{value:g}", anchor="end")
    for tolerance in forest.taus(entries):
        body += svg.line(LEFT, up.at(tolerance), right + 14, up.at(tolerance), ink=0.9, dash=svg.DASH, wide=1.3)
        body += svg.text(LEFT + 2, up.at(tolerance) - 4, "τ")
    body += _panel(found, right, up, rhos.excess, named=True)
    tasks = {entry.audit.utility.target for entry in entries if entry.audit.utility}
    if tasks and all(entry.audit.utility for entry in entries):
        body += svg.text(0, foot + 34, cut(f"{' or '.join(sorted(tasks))} named right by the model, %", WIDE))
        ends = axes.span([end for entry in entries for end in _task(entry)], step=0.05)
        up = Axis(*ends, foot + 52 + FLAT, foot + 52)
        body += axes.beside(up, LEFT) + _panel(found, right, up, _task, named=False)
        foot += 52 + FLAT
    for i, rho in enumerate(order := rhos.values(found)):
        x = _slot(i, len(order), right)
        body += svg.line(x, foot + 8, x, foot + 12) + svg.text(x, foot + 26, rhos.written(rho), anchor="middle")
    body += svg.line(LEFT, foot + 8, right + 14, foot + 8)
    body += svg.text((LEFT + right) / 2, foot + 46, "rho of the training data", anchor="middle")
    title = f"E of the {private}, by rho"
    drawn = svg.svg(WIDE, foot + 54, body, kind="pic", title=title, desc=_said(found), name=name)
    words = (
        f"{rhos.told(found)} One line per method, on an axis on which the values of rho stand evenly apart. Upright: "
        f"95 % intervals of each audit. {_seeds(found)}Dashed: τ."
    )
    if tasks and all(entry.audit.utility for entry in entries):
        words += " Below: the models' own task; its axis need not begin at zero."
    return Drawing(name, "rho", private, title, words, drawn)


def _slot(i: int, count: int, right: float) -> float:
    return LEFT + (right - LEFT) * (i + 0.5) / count


def _task(entry: Entry) -> Interval:
    assert entry.audit.utility is not None
    return entry.audit.utility.accuracy


def _panel(found: Sequence[Family], right: float, up: Axis, figure: Callable[[Entry], Interval], *, named: bool) -> str:
    """Every audit with its interval, the mean of the seeds, and a line per method; the names where the lines end."""
    order, body = rhos.values(found), ""
    step = min(9.0, 0.7 * (right - LEFT) / len(order) / max(len(found), 1))
    ends = []
    for lane, family in enumerate(found):
        aside, places = step * (lane - (len(found) - 1) / 2), []
        how = svg.paint(family.place, stroke=True)
        for rho in family.rhos:
            x, seeds = _slot(order.index(rho), len(order), right) + aside, family.at(rho)
            places.append((x, up.at(family.mean(rho, lambda entry: figure(entry).value))))
            for k, entry in enumerate(seeds):
                at = x + 2.5 * (k - (len(seeds) - 1) / 2)
                low, high = up.at(figure(entry).low), up.at(figure(entry).high)
                width = 2 if len(seeds) == 1 else 1
                body += (
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}" {how} stroke-width="{width}"/>'
                )
                if len(seeds) > 1:
                    y = up.at(figure(entry).value)
                    body += f'<circle cx="{at:.1f}" cy="{y:.1f}" r="1.8" {svg.paint(family.place)}/>'
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        body += f'<path d="M{path}" fill="none" {how} stroke-width="1.5"/>'
        body += "".join(svg.mark(family.place, x, y, 4) for x, y in places)
        ends.append(places[-1])
    if named:
        apart = spread([y for _, y in ends], LINE, up.end, up.start)
        for family, (x, y), where in zip(found, ends, apart, strict=True):
            body += svg.line(x + 6, y, right + 28, where, ink=0.35) + svg.mark(family.place, right + 36, where, 4)
            body += svg.text(right + 46, where + 4, cut(family.method, LABEL))
    return body


def _seeds(found: Sequence[Family]) -> str:
    """What a mark is where there are several seeds."""
    several = any(len(family.at(rho)) > 1 for family in found for rho in family.rhos)
    return (
        "Small dots: models of one method and rho that differ in their seed; large marks: their mean. "
        if several
        else ""
    )


def _said(found: Sequence[Family]) -> str:
    """Every mean, in words."""
    return "; ".join(
        f"{family.method}: "
        + ", ".join(
            f"{_figures.percent(family.mean(rho, lambda entry: read(entry).value))} % at rho {rhos.written(rho)}"
            for rho in family.rhos
        )
        for family in found
    )
