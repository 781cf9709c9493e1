"""The learning curve: E against the labelled rows that an attacker holds, one line per model."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.render import Report, _entries, _figures, _further
from leakaudit.render._drawings import forest, svg
from leakaudit.render._drawings.axes import Axis
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, spread, wide
from leakaudit.render._entries import Entry

WIDE, LEFT, TOP, TALL = 510, 40, 30, 190
"""Pixels of the figure, and where the curves begin; they are higher where many names stand beside them."""
LINE, LABEL, APART = 15, 130, 24
"""Pixels of a name beside its curve, of the longest, and over which models that learned from as many rows stand."""
FEW = 3
"""Models of which each is spoken of by itself."""
NEAR = 10
"""Pixels between the numbers under the axis."""


class Frame(NamedTuple):
    """The axes: rows on a scale of doublings, and E upwards."""

    labels: Axis
    """Of the logarithm to base 2."""
    excess: Axis

    def at(self, rows: int, excess: float) -> tuple[float, float]:
        """Where a point lies."""
        return self.labels.at(math.log2(rows)), self.excess.at(excess)


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute of which a curve is known."""
    known = [(private, found) for private, group in _entries.questions(report) if (found := learned(group))]
    names = stems("learning", [private for private, _ in known])
    return tuple(_drawing(name, private, group) for name, (private, group) in zip(names, known, strict=True))


def learned(group: Sequence[Entry]) -> list[Entry]:
    """The models with a learning curve."""
    return [entry for entry in group if entry.attribute.learning]


def told(group: Sequence[Entry]) -> str:
    """After how many labelled rows anything shows; of many models, after the fewest and the most."""
    needed = {entry.name: labels for entry in group if (labels := _entries.needed(entry.attribute))}
    if len(group) <= FEW or not needed:
        return _further.shows(group)
    (first, few), (last, most) = (pick(needed.items(), key=lambda pair: pair[1]) for pick in (min, max))
    never = f"; not at all for {len(group) - len(needed)} of {len(group)} models" if len(needed) < len(group) else ""
    least = min(point.labels for entry in group for point in entry.attribute.learning)
    words = f"The {group[0].attribute.private} shows after {'at most ' * (few == least)}{few:,} labelled rows"
    if few == most:
        return f"{words} of {f'{len(needed)} models' if never else f'each of the {len(group)} models'}{never}."
    return f"{words} of {first} to {most:,} of {last}{never}."


def caption(group: Sequence[Entry]) -> str:
    """What is seen, and how it is drawn."""
    return (
        f"{told(group)} E on the same scored rows, by how many labelled rows an attacker learned from, on a "
        "scale of doublings. Upright: 95 % intervals. Ringed: from here on the lower bound lies above 0. Dashed: τ."
    )


def _drawing(name: str, private: str, group: Sequence[Entry]) -> Drawing:
    bottom = TOP + max(TALL, LINE * len(group))
    frame = _frame(group, bottom)
    body = _axes(group, frame, bottom)
    step = min(3.0, APART / len(group))
    for lane, entry in enumerate(group):
        body += _curve(entry, frame, step * (lane - (len(group) - 1) / 2))
    body += _names(group, frame)
    said = "; ".join(
        f"{entry.name}: E {_figures.three(entry.attribute.learning[-1].excess.value)} "
        f"with {entry.attribute.learning[-1].labels:,} labelled rows"
        for entry in group
    )
    title = f"What is read of the {private} by labelled rows"
    drawn = svg.svg(WIDE, bottom + 58, body, kind="pic", title=title, desc=f"{said}.", name=name)
    return Drawing(name, "learning", private, title, caption(group), drawn)


def _frame(group: Sequence[Entry], bottom: float) -> Frame:
    points = [point for entry in group for point in entry.attribute.learning]
    few, most = (math.log2(pick(point.labels for point in points)) for pick in (min, max))
    low = min(point.excess.low for point in points)
    floor = max(-0.3, math.floor(10 * low) / 10) if low < -0.02 else 0.0  # noqa: PLR2004 (hardly below nothing)
    right = WIDE - min(LABEL, max(wide(entry.name) for entry in group)) - 46
    return Frame(Axis(few, max(most, few + 1e-9), LEFT + 16, right), Axis(floor, 1.0, bottom, TOP))


def _axes(group: Sequence[Entry], frame: Frame, bottom: float) -> str:
    left, right = LEFT, frame.labels.end + 14
    body = svg.text(0, 12, "E", strong=True)
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = frame.excess.at(value)
        body += svg.line(left, y, right, y, ink=0.13 if value else 0.5)
        body += svg.text(left - 8, y + 4, f"{value:g}", anchor="end")
    for tolerance in forest.taus(group):
        y = frame.excess.at(tolerance)
        body += svg.line(left, y, right, y, ink=0.9, dash=svg.DASH, wide=1.3)
        touches = any(abs(y - frame.excess.at(value)) < LINE - 2 for value in (0, 0.25, 0.5, 0.75, 1))
        body += svg.text(right + 2, y - 5, "τ") if touches else svg.text(left - 8, y + 4, "τ", anchor="end")
    body += svg.line(left, bottom + 8, right, bottom + 8)
    last = float("inf")
    for rows in sorted({point.labels for entry in group for point in entry.attribute.learning}, reverse=True):
        at, words = frame.labels.at(math.log2(rows)), f"{rows:,}".replace(",", "\u202f")
        if at + wide(words) / 2 + NEAR > last or at - wide(words) / 2 < 0:
            continue
        body += svg.line(at, bottom + 8, at, bottom + 12) + svg.text(at, bottom + 26, words, anchor="middle")
        last = at - wide(words) / 2
    return body + svg.text((left + right) / 2, bottom + 48, "labelled rows of the attacker", anchor="middle")


def _curve(entry: Entry, frame: Frame, aside: float) -> str:
    curve = sorted(entry.attribute.learning, key=lambda point: point.labels)
    how = svg.paint(entry.place, stroke=True)
    places = [frame.at(point.labels, point.excess.value) for point in curve]
    path = "L".join(f"{x + aside:.1f} {y:.1f}" for x, y in places)
    body = f'<path d="M{path}" fill="none" {how} stroke-width="1.5"/>'
    for point, (x, y) in zip(curve, places, strict=True):
        at, low, high = x + aside, frame.excess.at(point.excess.low), frame.excess.at(point.excess.high)
        body += f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}" {how} stroke-width="2"/>'
        body += svg.mark(entry.place, at, y, 3.5)
        if point.labels == _entries.needed(entry.attribute):
            body += f'<circle cx="{at:.1f}" cy="{y:.1f}" r="8" fill="none" {how} stroke-width="1.5"/>'
    return body


def _names(group: Sequence[Entry], frame: Frame) -> str:
    """Each model's name right of the end of its curve, and a line to it."""
    ends = [max(entry.attribute.learning, key=lambda point: point.labels) for entry in group]
    wanted = [frame.excess.at(end.excess.value) for end in ends]
    start, body = frame.labels.end + 18, ""
    for i, (entry, y) in enumerate(zip(group, spread(wanted, LINE, TOP, frame.excess.start), strict=True)):
        end, far = wanted[i], frame.labels.at(math.log2(ends[i].labels))
        if far < frame.labels.end - APART:
            body += svg.line(far + 8, end, start, end, ink=0.2)
        body += svg.line(start, end, start + 12, y, ink=0.35) + svg.mark(entry.place, start + 18, y, 3.5)
        body += svg.text(start + 26, y + 4, cut(entry.name, LABEL))
    return body
