"""
Private against target accuracy, one mark per model, and the models that no other beats in both.

It is the papers' main figure (Barbano et al., "Bridging the gap between debiasing and privacy for deep learning", 2021,
Fig. 5), on balanced labels, with intervals both ways and with what the papers' own protocol says beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import axes, svg
from leakaudit.render._drawings.axes import Axis
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import Room, cut, fine, wide
from leakaudit.render._entries import Entry
from leakaudit.stats import Interval

WIDE, LEFT, TOP, RIGHT, BOTTOM = 510, 46, 30, 478, 332
NAMED = 8
"""Models that are named beside their marks; more are numbered, and named below."""
FEW = 4
"""Models beside whose hollow mark its share is written."""
LINE = 18
"""Pixels of a line of names."""
NEAR = 16
"""Pixels within which the mark of the papers' protocol would touch the model's own."""


class Model(NamedTuple):
    """One model in the plane."""

    entry: Entry
    private: Interval
    """Share of the private attribute that is named right."""
    target: Interval
    paper: Interval | None
    """Share of the private attribute that is named right under the papers' protocol."""
    front: bool


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute with a model whose own task is measured."""
    known = [(private, found) for private, group in _entries.questions(report) if (found := models(group))]
    names = stems("pareto", [private for private, _ in known])
    return tuple(_drawing(name, private, found) for name, (private, found) in zip(names, known, strict=True))


def models(group: Sequence[Entry]) -> list[Model]:
    """The models whose own task is measured, the least private accuracy first."""
    known = [(entry, entry.audit.utility.accuracy) for entry in group if entry.audit.utility]
    best = front([(entry.attribute.figures.private_accuracy.value, task.value) for entry, task in known])
    found = []
    for i, (entry, task) in enumerate(known):
        said = _entries.paper(entry.attribute)
        paper = said.figures.private_accuracy if said else None
        found.append(Model(entry, entry.attribute.figures.private_accuracy, task, paper, i in best))
    return sorted(found, key=lambda model: (model.private.value, -model.target.value))


def front(points: Sequence[tuple[float, float]]) -> set[int]:
    """Which (private, target) points no other dominates: none that is at least as good in both, and better in one."""
    return {
        i
        for i, (private, target) in enumerate(points)
        if not any(p <= private and t >= target and (p, t) != (private, target) for p, t in points)
    }


def told(found: Sequence[Model]) -> str:
    """Which models no other beats in both, in one sentence; empty for a model alone."""
    if len(found) < 2:  # noqa: PLR2004 (alone)
        return ""
    best = [model.entry.name for model in found if model.front]
    beaten = [model.entry.name for model in found if not model.front]
    weighed = f"Weighing what is read of the {found[0].entry.attribute.private} against the task"
    if not beaten:
        none = f"none of the {len(found)} models is beaten in both by another"
        return f"{weighed}, {none}: what gives away less does its task worse."
    who = _figures.joined(best) if len(best) <= NAMED else f"{len(best)} of {len(found)} models"
    are = "is the only model" if len(best) == 1 else "are the models"
    return f"{weighed}, {who} {are} that no other beats in both."


def caption(found: Sequence[Model], across: Axis, up: Axis) -> str:
    """What is seen, and how it is drawn."""
    private, several = found[0].entry.attribute.private, len(found) > 1
    words = [
        told(found),
        f"To the right, how much of the {private} is read; upwards, how good the model is at its task.",
        "Grey line: the Pareto front, by the estimates." * several,
        "Filled: the attacker that decides, on balanced labels; bars: 95 % intervals from test sampling alone.",
    ]
    if any(model.paper for model in found):
        words.append("Hollow: the papers' protocol on the same model, which does not see the part between.")
    cropped = [side for side, axis in (("horizontal", across), ("vertical", up)) if axis.low > 0]
    if cropped:
        begin = _figures.joined([f"{axes.percent(axis.low)} %" for axis in (across, up) if axis.low > 0])
        words.append(f"The {_figures.joined(cropped)} axis begins at {begin}, not at zero." if len(cropped) == 1 else
                     f"The axes begin at {begin}, not at zero.")  # fmt: skip
    return " ".join(filter(None, (part.strip() for part in words)))


def _drawing(name: str, private: str, found: Sequence[Model]) -> Drawing:
    chances = sorted({1 / len(model.entry.attribute.classes) for model in found})
    read = [end for model in found for part in (model.private, model.paper) if part for end in part]
    across = Axis(*axes.span([*read, *chances]), LEFT, RIGHT)
    up = Axis(*axes.span([end for model in found for end in model.target], step=0.05), BOTTOM, TOP)
    room = Room(LEFT, TOP - 14, WIDE - 2, BOTTOM + 4)
    body = _frame(found, across, up) + _front(found, across, up)
    for chance in chances:
        x = across.at(chance)
        body += svg.line(x, TOP, x, BOTTOM, ink=0.75, dash=svg.DOTS)
        room.cross(x, TOP, x, BOTTOM)
    few = len(found) <= NAMED
    for model in found:
        room.take(across.at(model.private.value), up.at(model.target.value), 8)
        room.cross(
            across.at(model.private.low),
            up.at(model.target.value),
            across.at(model.private.high),
            up.at(model.target.value),
        )
        room.cross(
            across.at(model.private.value),
            up.at(model.target.low),
            across.at(model.private.value),
            up.at(model.target.high),
        )
        if model.front and len(found) > 1:
            room.cross(
                across.at(model.private.value), up.at(model.target.value), across.at(model.private.value), BOTTOM
            )
        if model.paper:
            x, y = across.at(model.paper.value), up.at(model.target.value)
            room.take(x, y, 6 if few else 4)
            room.cross(x, y, across.at(model.private.value), y)
    body += "".join(_bars(model, across, up) for model in found)
    body += "".join(_paper(model, across, up, few=few) for model in found)
    body += "".join(
        svg.mark(model.entry.place, across.at(model.private.value), up.at(model.target.value), 6) for model in found
    )
    words, below = _named(found, across, up, room), ""
    if not all(words):
        words, below = _numbered(found, across, up, room), _key(found, BOTTOM + 64)
    body += "".join(words) + below
    body += "".join(_share(model, across, up, room) for model in found if len(found) <= FEW)
    for chance in chances[:1]:
        guess = fine(f"guessing {_figures.percent(chance)} %")
        body += room.label(across.at(chance), BOTTOM - 8, guess, gap=6)
    if sum(model.front for model in found) > 1:
        body += _front_named(found, across, up, room)
    high = BOTTOM + 52 + (LINE * -(-len(found) // 2) + 18 if below else 0)
    said = "; ".join(
        f"{model.entry.name}: an attacker names {_figures.percent(model.private.value)} %, "
        f"the model {_figures.percent(model.target.value)} %"
        for model in found
    )
    title = f"{private[:1].upper()}{private[1:]} that is read, against the model's own task"
    drawn = svg.svg(WIDE, high, body, kind="pic", title=title, desc=f"{said}.", name=name)
    return Drawing(name, "pareto", private, title, caption(found, across, up), drawn)


def _frame(found: Sequence[Model], across: Axis, up: Axis) -> str:
    tasks = sorted({model.entry.audit.utility.target for model in found if model.entry.audit.utility})
    task = f"Target: {tasks[0]} named right, %" if len(tasks) == 1 else "Each model's own task, named right, %"
    body = axes.below(across, BOTTOM + 8) + axes.beside(up, LEFT - 8)
    body += svg.text(0, 12, cut(task, WIDE))
    private = cut(f"Private: {found[0].entry.attribute.private} named right", RIGHT - LEFT)
    return body + svg.text((LEFT + RIGHT) / 2, BOTTOM + 46, private, anchor="middle")


def _front(found: Sequence[Model], across: Axis, up: Axis) -> str:
    """What a model on the front, or one worse than it in both, reaches: the rest is what nobody here has reached."""
    best = [model for model in found if model.front]
    if len(found) < 2:  # noqa: PLR2004 (alone)
        return ""
    path = f"M{across.at(best[0].private.value):.1f} {BOTTOM:.1f}"
    for model in best:
        path += f"H{across.at(model.private.value):.1f}V{up.at(model.target.value):.1f}"
    path += f"H{RIGHT:.1f}"
    shade = f'<path d="{path}V{BOTTOM:.1f}z" fill="currentColor" fill-opacity=".05"/>'
    return f'{shade}<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".45" stroke-width="1.2"/>'


def _front_named(found: Sequence[Model], across: Axis, up: Axis, room: Room) -> str:
    """The front's name, on the longest of its level parts where it fits."""
    best = [model for model in found if model.front]
    ends = [*(across.at(model.private.value) for model in best[1:]), float(RIGHT)]
    parts = [(end - across.at(model.private.value), model, end) for model, end in zip(best, ends, strict=True)]
    for long, model, end in sorted(parts, key=lambda part: -part[0]):
        if long > wide("Pareto front") + 24:
            return room.label(end, up.at(model.target.value) + 8, "Pareto front", gap=8)
    return ""


def _bars(model: Model, across: Axis, up: Axis) -> str:
    """The two intervals; each is at least three pixels long."""
    how = f'{svg.paint(model.entry.place, stroke=True)} stroke-width="2"'
    x, y = across.at(model.private.value), up.at(model.target.value)
    left, right = across.at(model.private.low), across.at(model.private.high)
    low, high = up.at(model.target.low), up.at(model.target.high)
    level = f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" {how}/>'
    return f'{level}<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" {how}/>'


def _paper(model: Model, across: Axis, up: Axis, *, few: bool) -> str:
    """The papers' protocol on the same model, and a line from it to what is read: beside few models, an arrow."""
    if model.paper is None:
        return ""
    at, start, y = across.at(model.private.value), across.at(model.paper.value), up.at(model.target.value)
    body = ""
    if abs(at - start) > NEAR:
        step = 8 if at > start else -8
        body = svg.line(start + 0.8 * step, y, at - step, y, ink=0.5 if few else 0.2)
        head = f"M{at - step:.1f} {y:.1f}l{-0.7 * step:.1f} -3.5m{0.7 * step:.1f} 3.5l{-0.7 * step:.1f} 3.5"
        body += f'<path d="{head}" fill="none" stroke="currentColor" stroke-opacity=".6"/>' * few
    return body + svg.mark(model.entry.place, start, y, 4.5 if few else 3, hollow=True)


def _share(model: Model, across: Axis, up: Axis, room: Room) -> str:
    """What the papers' protocol would have said, where there is room for it."""
    if model.paper is None or abs(across.at(model.private.value) - across.at(model.paper.value)) <= NEAR:
        return ""
    words = fine(f"{_figures.percent(model.paper.value)} %")
    return room.label(across.at(model.paper.value), up.at(model.target.value), words)


def _named(found: Sequence[Model], across: Axis, up: Axis, room: Room) -> list[str]:
    """Each model's name beside its mark; empty where there is no room for it."""
    if len(found) > NAMED:
        return [""]
    taken, made = list(room.taken), []
    for model in sorted(found, key=lambda model: model.entry.place):
        words = f"{cut(model.entry.name, 200, strong=True)} {fine(f'{_figures.percent(model.private.value)} %')}"
        x, y = across.at(model.private.value), up.at(model.target.value)
        made.append(room.label(x, y, words, strong=True, gap=12, far=2))
    if not all(made):
        room.taken = taken
    return made


def _numbered(found: Sequence[Model], across: Axis, up: Axis, room: Room) -> list[str]:
    """Each model's number beside its mark, from the left."""
    return [
        room.label(across.at(m.private.value), up.at(m.target.value), str(number), strong=m.front, gap=8, far=4)
        for number, m in enumerate(found, 1)
    ]


def _key(found: Sequence[Model], top: float) -> str:
    """Which model each number is, in two columns; those on the front are bold."""
    rows = -(-len(found) // 2)
    body = "".join(svg.text(left, top, "private / target, %", anchor="end") for left in (246, 510))
    for i, model in enumerate(found):
        left, y = (0, 264)[i // rows], top + LINE * (i % rows + 1)
        shares = f"{_figures.percent(model.private.value)} / {_figures.percent(model.target.value)}"
        body += svg.text(left + 18, y, str(i + 1), anchor="end", strong=model.front)
        body += svg.mark(model.entry.place, left + 31, y - 4, 4.5)
        body += svg.text(left + 42, y, cut(model.entry.name, 116, strong=model.front), strong=model.front)
        body += svg.text(left + 246, y, shares, anchor="end")
    return body
