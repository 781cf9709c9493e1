"""
E inside each target class, as a heat map: one line per model, one ink scale for all.

Ink stops at two fifths, so that the numbers on it can be read on a light page and on a dark one.
"""

from collections.abc import Sequence

from leakaudit.finding import Cell
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, fine, wide
from leakaudit.render._entries import Entry

WIDE, STEP, HEAD, NARROW, BROAD, LABEL = 510, 26, 22, 44, 96, 150
"""Pixels: of the figure, of a line, of the names of classes; a cell at least and at most; a model's name at most."""
LEAST = 30
"""Rows of a class below which its cell stays empty."""
INK = 0.4
"""Opacity of E = 1."""
MOST = 60
"""Classes that are drawn; of more, those in which surely most is read."""


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute with more than one target class."""
    known = [(private, found) for private, group in _entries.questions(report) if (found := mapped(group))]
    names = stems("cells", [private for private, _ in known])
    return tuple(_drawing(name, private, group) for name, (private, group) in zip(names, known, strict=True))


def mapped(group: Sequence[Entry]) -> list[Entry]:
    """The models with more than one target class."""
    return [entry for entry in group if len(entry.attribute.cells) > 1]


def classes(group: Sequence[Entry]) -> list[str]:
    """The target classes, in the order of the audits; of very many, those in which surely most is read."""
    lows: dict[str, float] = {}
    for entry in group:
        for cell in entry.attribute.cells:
            lows[cell.target] = max(lows.get(cell.target, cell.excess.low), cell.excess.low)
    kept = set(sorted(lows, key=lambda name: -lows[name])[:MOST])
    return [name for name in lows if name in kept]


def shown(cell: Cell | None) -> bool:
    """Whether a class has rows enough for a figure of its own."""
    return cell is not None and cell.rows >= LEAST


def told(group: Sequence[Entry]) -> str:
    """Where most and least is read, over all models."""
    known = [(entry, cell) for entry in group for cell in entry.attribute.cells if shown(cell)]
    target, private = group[0].attribute.target or "stratum", group[0].attribute.private
    if not known:
        return f"No {target} has {LEAST} rows: of the {private}, nothing can be said class by class."
    (most, high), (least, low) = (pick(known, key=lambda pair: pair[1].excess.value) for pick in (max, min))
    of_high, of_low = (f" ({entry.name})" * (len(group) > 1) for entry in (most, least))
    return (
        f"E of the {private} runs from {_figures.three(low.excess.value)}, where the {target} is {low.target}"
        f"{of_low}, to {_figures.three(high.excess.value)}, where it is {high.target}{of_high}."
    )


def caption(group: Sequence[Entry]) -> str:
    """What is seen, and how it is drawn."""
    target = group[0].attribute.target or "stratum"
    words = (
        f"{told(group)} Each cell is E of the attacker that decides, inside one {target}; the darker, the more is "
        "read, on one scale for all models."
    )
    cells = [cell for entry in group for cell in entry.attribute.cells]
    if not all(map(shown, cells)) or len(cells) < len(group) * len({cell.target for cell in cells}):
        words += f" A cross: fewer than {LEAST} rows to say."
    if len({cell.target for cell in cells}) > MOST:
        words += f" Drawn are the {MOST} classes in which surely most is read."
    return f"{words} Their intervals, which are wider than that of the whole, are not drawn."


def _drawing(name: str, private: str, group: Sequence[Entry]) -> Drawing:
    left = 18 + min(LABEL, max(wide(entry.name) for entry in group)) + 10
    order = classes(group)
    room = WIDE - left
    side = min(BROAD, room, max(NARROW, max(wide(label) for label in order) + 8))
    across = max(1, min(int(room // side), len(order)))
    blocks = -(-len(order) // across)
    across = -(-len(order) // blocks)
    side = min(BROAD, room / across)
    body, y = (
        svg.text(0, 12, cut(f"E by {group[0].attribute.target or 'stratum'}", WIDE, strong=True), strong=True),
        18.0,
    )
    for start in range(0, len(order), across):
        part = order[start : start + across]
        for i, label in enumerate(part):
            body += svg.text(left + side * (i + 0.5), y + 15, cut(label, side - 4), anchor="middle")
        y += HEAD
        for entry in group:
            body += _line(entry, part, left, side, y)
            y += STEP
        y += 8
    body += _scale(left, y + 8)
    title = f"E of the {private} in each {group[0].attribute.target or 'stratum'}"
    drawn = svg.svg(WIDE, y + 40, body, kind="pic", title=title, desc=told(group), name=name)
    return Drawing(name, "cells", private, title, caption(group), drawn)


def _line(entry: Entry, part: Sequence[str], left: float, side: float, y: float) -> str:
    known = {cell.target: cell for cell in entry.attribute.cells}
    body = svg.mark(entry.place, 6, y + STEP / 2, 4.5)
    body += svg.text(18, y + STEP / 2 + 4, cut(entry.name, left - 24))
    for i, label in enumerate(part):
        cell, x = known.get(label), left + side * i
        if cell is not None and shown(cell):
            body += square(x, y, side, cell.excess.value)
            words = fine(_figures.three(cell.excess.value))
            body += svg.text(x + side / 2, y + STEP / 2 + 4, words, anchor="middle", full=True)
        else:
            body += _cross(x, y, side)
    return body


def ink(excess: float) -> float:
    """Opacity of a cell: none where nothing is read."""
    return round(INK * max(0.0, min(1.0, excess)), 3)


def square(x: float, y: float, side: float, excess: float) -> str:
    """One cell, with a hair of space around it."""
    place = f'x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}" height="{STEP - 1:.1f}"'
    frame = 'stroke="currentColor" stroke-opacity=".13"'
    return f'<rect {place} fill="currentColor" fill-opacity="{ink(excess):g}" {frame}/>'


def _cross(x: float, y: float, side: float) -> str:
    middle, height = x + side / 2, y + STEP / 2
    place = f'x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}" height="{STEP - 1:.1f}"'
    body = f'<rect {place} fill="none" stroke="currentColor" stroke-opacity=".13"/>'
    body += svg.line(middle - 4, height - 4, middle + 4, height + 4, ink=0.6)
    return body + svg.line(middle - 4, height + 4, middle + 4, height - 4, ink=0.6)


def _scale(left: float, y: float) -> str:
    """The ink scale, from nothing to everything."""
    body = svg.text(left, y + 13, "E", strong=True)
    for i in range(5):
        x = left + 18 + 40 * i
        body += (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="40" height="10" fill="currentColor" fill-opacity="{ink(i / 4):g}"'
        )
        body += ' stroke="currentColor" stroke-opacity=".13"/>'
        body += svg.text(x + 20, y + 24, f"{i / 4:g}", anchor="middle")
    return body
