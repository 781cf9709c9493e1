"""
The bottleneck plot: class centroids large, misclassified samples small, coloured by truth, shaped by private class.

A large mark has the shape of the class's dominant private class, so that a small mark of the same shape and another
colour beside it is a row that the private attribute drew there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from leakaudit.finding import Bottleneck, Centroid
from leakaudit.render import Report, _entries, _figures, _further
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section

COLOURS = ("#4b8cfb", "#975414", "#067c5f", "#92098a", "#460de1")
"""Of target classes; the page has others for light and for dark. They stay apart for the colour-blind."""
FILLED = 2 * len(COLOURS)
"""Target classes until colours return: as many hollow ones follow the filled."""
ALONE, BESIDE, EDGE = 510, 440, 12
"""Pixels along each side of the plot of one model and of one of several, and to the outermost cells."""
LARGE, SMALL = 10.0, 3.6
LONG = 16
"""Letters of a class's name beside its centroid."""
ROBERTS = 1.32471795724474602596
"""The real root of x^3 = x + 1."""
FEW = 3
"""Models, and private attributes, of which each is spoken of."""
OPEN = 4
"""Private attributes whose plots stand open; of more, the others are folded."""
PLACES = ((18, 5, 0), (-18, 5, 1), (0, -18, 0.5), (0, 28, 0.5), (12, -9, 0), (-12, -9, 1), (12, 19, 0), (-12, 19, 1))
"""Where a name may stand: pixels from its centroid, and how much of it lies to the left of that."""
STAR = [(1, 0), (0.3, 0.3), (0, 1), (-0.3, 0.3), (-1, 0), (-0.3, -0.3), (0, -1), (0.3, -0.3)]
PLUS = [(1, 0.36), (0.36, 0.36), (0.36, 1), (-0.36, 1), (-0.36, 0.36), (-1, 0.36),
        (-1, -0.36), (-0.36, -0.36), (-0.36, -1), (0.36, -1), (0.36, -0.36), (1, -0.36)]  # fmt: skip
SHAPES = (
    (),  # a disc
    ((0.86, 0.86), (-0.86, 0.86), (-0.86, -0.86), (0.86, -0.86)),
    ((0, -1.1), (1.1, 0.85), (-1.1, 0.85)),
    ((0, 1.2), (1.2, 0), (0, -1.2), (-1.2, 0)),
    tuple((1.15 * x, 1.15 * y) for x, y in PLUS),
    ((0, 1.1), (1.1, -0.85), (-1.1, -0.85)),
    tuple((0.85 * (x + y), 0.85 * (x - y)) for x, y in PLUS),
    ((1.35, 0.48), (-1.35, 0.48), (-1.35, -0.48), (1.35, -0.48)),
    ((0.48, 1.35), (-0.48, 1.35), (-0.48, -1.35), (0.48, -1.35)),
    tuple((1.45 * x, 1.45 * y) for x, y in STAR),
)
"""Corners, in units of a mark's size; private classes beyond the last but one share the last."""
Box = tuple[float, float, float, float]
Pair = tuple[Entry, Bottleneck]


class Place(NamedTuple):
    """A centroid in pixels."""

    x: float
    y: float
    of: Centroid


def bottleneck(report: Report) -> Section | None:
    """Centroids and misclassified rows of every model that names the target."""
    panels: list[dict[str, Any]] = []
    ledes = []
    for private, asked in _entries.questions(report):
        group = [(entry, found) for entry in asked if (found := entry.attribute.bottleneck) is not None]
        if not group:
            continue
        classes = group[0][0].attribute.classes
        shapes = _shapes([found for _, found in group], len(classes))
        number, side = len(panels), ALONE if len(group) == 1 else BESIDE
        panels.append(
            {
                "private": private,
                "target": group[0][0].attribute.target,
                "folded": number >= OPEN,
                "alone": len(group) == 1,
                "shown": [
                    _panel(entry, found, _plot(entry, found, shapes, (f"b{number}-{i}", side)))
                    for i, (entry, found) in enumerate(group)
                ],
                "key": _key(shapes, classes),
                "classes": max(len(entry.attribute.target_classes) for entry, _ in group),
                "colours": FILLED,
                "cells": group[0][1].cells,
                "tables": [_table(entry, found) for entry, found in group],
                "trained": all(found.trained for _, found in group),
                "draws": max(found.draws for _, found in group),
            }
        )
        ledes.append(_alone(*group[0]) if len(group) == 1 else _beside(group))
    if not panels:
        return None
    return Section("bottleneck", "Bottleneck", " ".join(ledes[:FEW]), {"panels": panels})


def _alone(entry: Entry, found: Bottleneck) -> str:
    """What is said of the only model."""
    target = entry.attribute.target
    if not found.away:
        none = "misclassifies no row" if not found.wrong else f"misclassifies {found.wrong:,} rows"
        return f"{entry.name} {none}{f'; none lies nearest to another {target}' * bool(found.wrong)}."
    nearest = f"{found.away:,} lie nearest to the centroid of another {target}"
    return f"Of {found.wrong:,} misclassified rows, {nearest}; {_further.sharing(entry, found)}."


def _beside(group: Sequence[Pair]) -> str:
    """What is said of several models; of many, of those whose rows share more than chance gives, the most first."""
    known = [(entry, found) for entry, found in group if found.away]
    part = group[0][0].attribute
    if not known:
        return f"No misclassified row lies nearest to another {part.target}."
    if len(known) > FEW:
        known = sorted(known, key=lambda pair: pair[1].chance - pair[1].shared)[:FEW]
    said = [
        f"{found.shared:,} of {found.away:,}{f' rows drawn to another {part.target} have its {part.private}' * first} "
        f"in {entry.name} ({'by chance ' * first}{found.chance:.1f})"
        for first, (entry, found) in ((pair is known[0], pair) for pair in known)
    ]
    return f"{_figures.joined(said)}."


def _shapes(found: Sequence[Bottleneck], classes: int) -> dict[int, int]:
    """The shape of each private class that is drawn; the commonest have shapes of their own."""
    rows = np.zeros(classes, np.int64)
    dominant = np.zeros(classes, np.int64)
    for one in found:
        for *_, private, count in one.marks:
            rows[private] += count
        for place in one.centroids:
            if place.dominant is not None:
                dominant[place.dominant] = 1
    drawn = [int(v) for v in np.flatnonzero(rows + dominant)]
    if len(drawn) <= len(SHAPES):
        return {private: shape for shape, private in enumerate(drawn)}
    order = sorted(drawn, key=lambda private: (-dominant[private], -rows[private], private))
    own = sorted(order[: len(SHAPES) - 1])
    return {private: own.index(private) if private in own else len(SHAPES) - 1 for private in drawn}


def _key(shapes: dict[int, int], classes: Sequence[str]) -> list[tuple[Markup, str]]:
    """Each shape, and the private class that it stands for."""
    found = []
    for shape in sorted(set(shapes.values())):
        names = [classes[private] for private, mine in shapes.items() if mine == shape]
        words = names[0] if len(names) == 1 else f"{len(names)} other classes"
        how = 'fill="currentColor"'
        found.append((strips.svg(12, 12, _shape(shape, 6, 6, 4.2, how), kind="key"), words))
    return found


def _panel(entry: Entry, found: Bottleneck, svg: Markup) -> dict[str, Any]:
    drawn = sum(mark[-1] for mark in found.marks)
    return {
        "entry": entry,
        "key": strips.key(entry.place),
        "svg": svg,
        "found": found,
        "drawn": f"{drawn:,} of {found.wrong:,}" if drawn < found.wrong else f"all {found.wrong:,}",
        "words": _further.attracted(entry),
        "between": _figures.percent(found.between),
        "share": _figures.percent(found.share),
        "places": len(found.centroids),
        "of": len(entry.attribute.target_classes),
    }


def _table(entry: Entry, found: Bottleneck) -> dict[str, Any]:
    part = entry.attribute
    return {
        "entry": entry,
        "key": strips.key(entry.place),
        "rows": [
            {
                "name": part.target_classes[place.target],
                "dominant": part.classes[place.dominant] if place.dominant is not None else "none",
                "rows": f"{place.rows:,}",
                "wrong": f"{place.wrong:,}",
                "drawn": f"{place.drawn:,}",
                "shared": f"{place.shared:,}",
            }
            for place in found.centroids
        ],
    }


def _plot(entry: Entry, found: Bottleneck, shapes: dict[int, int], place: tuple[str, int]) -> Markup:
    """Large marks below, small ones above them, names on top."""
    name, side = place
    part, unit = entry.attribute, (side - 2 * EDGE) / found.cells
    frame = f'x="0.5" y="0.5" width="{side - 1}" height="{side - 1}"'
    body = f'<rect {frame} fill="none" stroke="currentColor" stroke-opacity=".22"/>'
    places = [Place(EDGE + unit * one.x, side - EDGE - unit * one.y, one) for one in found.centroids]
    for large in places:
        dominant = large.of.dominant
        shape = 0 if dominant is None else shapes[dominant]
        body += _shape(shape, large.x, large.y, LARGE, _paint(large.of.target, large=True), _said(entry, large.of))
    spots: list[tuple[float, float]] = []
    for column, up, target, private, rows in found.marks:
        words = f"{part.target} {part.target_classes[target]}, {part.private} {part.classes[private]}"
        for _ in range(rows):
            along, above = (_spread(len(spots) + 1, axis) for axis in (0, 1))
            spots.append((EDGE + unit * (column + along), side - EDGE - unit * (up + above)))
            body += _shape(shapes[private], *spots[-1], SMALL, _paint(target, large=False), words)
    body += _names(places, spots, part.target_classes, side)
    desc = f"{_further.attracted(entry)}." if found.wrong else "No row is misclassified."
    title = f"Class centroids and misclassified rows of {entry.name}"
    return strips.svg(side, side, body, kind="pic", title=title, desc=desc, name=name)


def _said(entry: Entry, place: Centroid) -> str:
    part = entry.attribute
    dominant = "" if place.dominant is None else f", mostly {part.private} {part.classes[place.dominant]}"
    return f"{part.target} {part.target_classes[place.target]}{dominant}"


def _spread(number: int, axis: int) -> float:
    """
    Where in its cell a row is drawn, from 0 to 1: the document does not say, and neighbours should not touch.

    Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018: the sequence of two dimensions.
    """
    return number * ROBERTS ** -(axis + 1) % 1


def _paint(target: int, *, large: bool) -> str:
    """A target class: five colours, filled and then hollow."""
    place, wide = target % len(COLOURS), 3 if large else 1.5
    if target % FILLED < len(COLOURS):
        around = 'stroke="#fff" stroke-width="0.8" class="t{} edge"' if not large else 'class="t{}"'
        return f'fill="{COLOURS[place]}" {around.format(place)}'
    return f'fill="#fff" stroke="{COLOURS[place]}" stroke-width="{wide:g}" class="u{place}"'


def _shape(shape: int, x: float, y: float, size: float, how: str, words: str = "") -> str:
    """One mark, with the words that a pointer brings up."""
    tip = f"<title>{escape(words)}</title>" if words else ""
    if not SHAPES[shape]:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {how}>{tip}</circle>'
    path = "L".join(f"{x + size * dx:.1f} {y + size * dy:.1f}" for dx, dy in SHAPES[shape])
    return f'<path d="M{path}z" {how}>{tip}</path>'


def _names(places: Sequence[Place], marks: Sequence[tuple[float, float]], classes: Sequence[str], side: int) -> str:
    """The name of each class beside its centroid, where it hides least: no name, no centroid, few rows."""
    taken = [_around(place.x, place.y, LARGE) for place in places]
    rows = [_around(x, y, SMALL) for x, y in marks]
    body = ""
    for place in places:
        words = classes[place.of.target]
        words = words if len(words) <= LONG else f"{words[: LONG - 1]}…"
        wide = 7.6 * len(words) + 2
        spots = [
            ((place.x + dx - wide * lean, place.y + dy - 11, place.x + dx + wide * (1 - lean), place.y + dy + 3), lean)
            for dx, dy, lean in PLACES
        ]
        inside = [spot for spot in spots if min(spot[0][:2]) >= 1 and max(spot[0][2:]) < side] or spots[:1]
        box, lean = min(inside, key=lambda spot: 10 * _touched(spot[0], taken) + _touched(spot[0], rows))
        taken.append(box)
        anchor = "start" if lean == 0 else "end" if lean == 1 else "middle"
        x = box[0] + lean * (box[2] - box[0])
        body += (
            f'<text x="{x:.1f}" y="{box[3] - 3:.1f}" text-anchor="{anchor}" font-weight="700" '
            f'font-size="13" fill="currentColor" stroke="#fff" stroke-width="3" stroke-linejoin="round" '
            f'paint-order="stroke" class="edge">{escape(words)}</text>'
        )
    return body


def _around(x: float, y: float, size: float) -> Box:
    return x - size, y - size, x + size, y + size


def _touched(box: Box, others: Sequence[Box]) -> int:
    return sum(box[0] < far[2] and far[0] < box[2] and box[1] < far[3] and far[1] < box[3] for far in others)
