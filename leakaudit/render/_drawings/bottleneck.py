"""
The bottleneck plot: class centroids large, misclassified samples small, coloured by truth, shaped by private class.

A large mark has the shape of the class's dominant private class, so that a small mark of the same shape and another
colour beside it is a row that the private attribute drew there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import escape

from leakaudit.finding import Bottleneck, Centroid
from leakaudit.render import Report, _entries, _further
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, wide
from leakaudit.render._entries import Entry

COLOURS = ("#4b8cfb", "#975414", "#067c5f", "#92098a", "#460de1")
"""Of target classes; the page has others for light and for dark. They stay apart for the colour-blind."""
FILLED = 2 * len(COLOURS)
"""Target classes until colours return: as many hollow ones follow the filled."""
ALONE, BESIDE, EDGE = 510, 440, 12
"""Pixels along each side of the plot of one model and of one of several, and to the outermost cells."""
LARGE, SMALL = 10.0, 3.6
LONG, LINE = 110, 20
"""Pixels of a class's name beside its centroid, at most; of a line of the key."""
ROBERTS = 1.32471795724474602596
"""The real root of x^3 = x + 1."""
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
PLANES = {
    "pca": "two leading principal components of the centroids",
    "lda": "two leading discriminants of the target",
    "tsne": "t-SNE, on which distances between clusters mean nothing",
}
ABOUT = {
    "pca": "The axes are the two leading principal components of the centroids, each counted by the misclassified rows "
    "of its class and near it; both have one scale.",
    "lda": "The axes are the two leading linear discriminants of the target (Fisher, Rao), on which centroids lie "
    "farthest apart in units of the scatter within classes, shrunk towards its diagonal; both count deviations within "
    "classes.",
    "tsne": "Rows lie where t-SNE puts them, centroids at the mean place of their class's rows. It keeps neighbours "
    "together; distances between clusters, their sizes and the axes mean nothing.",
}
"""What a plane is."""
Box = tuple[float, float, float, float]
Pair = tuple[Entry, Bottleneck]


class Place(NamedTuple):
    """A centroid in pixels."""

    x: float
    y: float
    of: Centroid


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per model and private attribute, of those that name the target."""
    found = [(private, pair, group) for private, group in shown(report) for pair in group]
    several = len({entry.place for _, (entry, _), _ in found}) > 1
    names = stems("bottleneck", [f"{private} {pair[0].name}" if several else private for private, pair, _ in found])
    return tuple(
        _drawing(private, pair, group, name) for name, (private, pair, group) in zip(names, found, strict=True)
    )


def shown(report: Report) -> list[tuple[str, list[Pair]]]:
    """Of each private attribute the models with a plot."""
    asked = [
        (private, [(entry, found) for entry in group if (found := entry.attribute.bottleneck) is not None])
        for private, group in _entries.questions(report)
    ]
    return [(private, group) for private, group in asked if group]


def _drawing(private: str, pair: Pair, group: Sequence[Pair], name: str) -> Drawing:
    (entry, found), classes = pair, max((each.attribute.classes for each, _ in group), key=len)
    looks, side = _shapes([one for _, one in group], len(classes)), ALONE if len(group) == 1 else BESIDE
    key, high = _key(looks, classes, private, side)
    plane = PLANES.get(found.projection, "not known")
    foot = svg.text(0, high + 4, cut(f"Plane: {plane}", side))
    title = f"Class centroids and misclassified rows of {entry.name}, by {private}"
    desc = f"{_further.attracted(entry)}." if found.wrong else "No row is misclassified."
    drawn = svg.svg(side, high + 10, _plot(entry, found, looks, side) + key + foot, kind="pic", title=title,
                    desc=f"{desc[:1].upper()}{desc[1:]} Plane: {plane}.", name=name)  # fmt: skip
    return Drawing(name, "bottleneck", private, title, caption(pair), drawn)


def caption(pair: Pair) -> str:
    """What the marks are, and on what plane they lie."""
    entry, found = pair
    part = entry.attribute
    among, target = "in training" if found.trained else "among these rows", part.target
    said = f"{_further.attracted(entry)}." if found.wrong else ""
    hues = ""
    if len(part.target_classes) > len(COLOURS):
        more = len(part.target_classes) > FILLED
        back = f"; with more than {FILLED} they return, and a name that would cover another is left out" * more
        hues = f" Each of five hues is filled for one {target} and hollow for another{back}."
    return (
        f"{said[:1].upper()}{said[1:]} Large: the centroid of each {target}, in the shape of the {part.private} that "
        f"dominates it {among} (a disc where none does). Small: rows that the model misclassifies, in the hue of their "
        f"true {target} and the shape of their {part.private}. A small mark beside a large one of its shape but of "
        f"another hue is a row that its {part.private} may have drawn there.{hues} {about(found)}"
    ).strip()


def about(found: Bottleneck) -> str:
    """What the plane is, and where nearness is measured."""
    plane = ABOUT.get(found.projection, "The plane is of a kind that this version does not know.")
    mapped = f" Placed: {found.mapped:,} of {found.rows:,} rows." if found.mapped else ""
    return f"{plane}{mapped} Nearest is measured in the whole bottleneck, not in this plane."


def _key(looks: dict[int, int], classes: Sequence[str], private: str, side: int) -> tuple[str, float]:
    """Each shape and the private class that it stands for, in lines below the plot; and where they end."""
    items = []
    for shape in sorted(set(looks.values())):
        names = [classes[one] for one, mine in looks.items() if mine == shape]
        items.append((shape, cut(names[0] if len(names) == 1 else f"{len(names)} other classes", LONG)))
    head = cut(f"{private}:", LONG)
    body, x, y = svg.text(0, side + LINE, head), wide(head) + 10, float(side + LINE)
    for shape, words in items:
        long = 18 + wide(words)
        if x + long > side:
            x, y = 0.0, y + LINE
        body += _shape(shape, x + 6, y - 4, 4.2, 'fill="currentColor"') + svg.text(x + 16, y, words)
        x += long + 12
    return body, y + LINE


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


def _plot(entry: Entry, found: Bottleneck, shapes: dict[int, int], side: int) -> str:
    """Large marks below, small ones above them, names on top."""
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
    return body + _names(places, spots, part.target_classes, side)


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
    """The name of each class beside its centroid, where it hides least; of many none that would cover another."""
    taken = [_around(place.x, place.y, LARGE) for place in places]
    rows = [_around(x, y, SMALL) for x, y in marks]
    body, first = "", len(taken)
    for place in places:
        words = cut(classes[place.of.target], LONG, strong=True)
        long = 1.1 * wide(words, strong=True) + 2
        spots = [
            ((place.x + dx - long * lean, place.y + dy - 11, place.x + dx + long * (1 - lean), place.y + dy + 3), lean)
            for dx, dy, lean in PLACES
        ]
        inside = [spot for spot in spots if min(spot[0][:2]) >= 1 and max(spot[0][2:]) < side] or spots[:1]
        box, lean = min(inside, key=lambda spot: 10 * _touched(spot[0], taken) + _touched(spot[0], rows))
        if len(places) > FILLED and _touched(box, taken[first:]):
            continue
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
