"""
Split histograms: private classes within target classes, of the attack rows beside those of training.

Barbano et al., "Bridging the gap between debiasing and privacy for deep learning", ICCV workshops 2021, figure 7. How
the private attribute goes with the target in training is what a model can learn; how it does among the attack rows is
what an attacker is scored on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from leakaudit.audits import Attribute
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import sheets, svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, wide
from leakaudit.render._drawings.sheets import FEW, Sheet
from leakaudit.render._entries import Entry

WIDE, GAP, HEAD, LINE = 510, 26, 26, 20
"""Pixels: of the figure, between panels, above a panel, of a line of the key."""
LINES, COLUMNS = 24, 24
"""The most target and private classes that are drawn one by one."""
BARS = tuple(f'fill="currentColor" fill-opacity="{ink}"' for ink in (".78", ".5", ".28", ".12"))
"""Of private classes: ink, since colours are those of models."""
SHADE, DARK = 'fill="currentColor"', 0.4
"""Ink of a cell, and its opacity where a cell holds its whole line, so that figures on it can be read."""
USUAL = 0.5
"""Share of a target class from which one private class goes with it."""

Counts = tuple[tuple[int, ...], ...]


class Mix(NamedTuple):
    """How private classes are mixed with target classes, and the models of which that is true."""

    entries: list[Entry]
    attacked: Counts
    trained: Counts


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute with a target and mix of rows; models of the same rows share it."""
    found = [(private, mix) for private, group in _entries.questions(report) for mix in mixes(group)]
    names = stems("histograms", [private for private, _ in found])
    return tuple(_drawing(name, private, mix) for name, (private, mix) in zip(names, found, strict=True))


def mixes(group: Sequence[Entry]) -> list[Mix]:
    """The mixes of one private attribute, in the order of the models; none of audits that did not count."""
    made: list[Mix] = []
    for entry in group:
        part = entry.attribute
        if not part.target or not counted(part, part.crossing):
            continue
        trained = part.trained_crossing if counted(part, part.trained_crossing) else ()
        same = [mix for mix in made if mix[1:] == (part.crossing, trained) and _alike(mix.entries[0].attribute, part)]
        if same:
            same[0].entries.append(entry)
        else:
            made.append(Mix([entry], part.crossing, trained))
    return made


def counted(part: Attribute, table: Counts) -> bool:
    """Whether a table has a line for each target class, a column for each private class, and rows."""
    right = len(table) == len(part.target_classes) and all(len(line) == len(part.classes) for line in table)
    return right and all(rows >= 0 for line in table for rows in line) and any(map(any, table))


def _alike(one: Attribute, other: Attribute) -> bool:
    return (one.target, one.classes, one.target_classes) == (other.target, other.classes, other.target_classes)


def usual(table: Counts) -> float:
    """Share of the rows that have the commonest private class of their target class."""
    whole = np.array(table)
    return float(whole.max(axis=1).sum() / whole.sum())


def told(mix: Mix) -> str:
    """How closely the private attribute goes with the target, in training and among the attack rows."""
    part = mix.entries[0].attribute
    words = f"the commonest {part.private} of their {part.target}"
    here = _figures.percent(usual(mix.attacked))
    if not mix.trained:
        return f"{here} % of the attack rows have {words}; of the training rows that is not known."
    there = _figures.percent(usual(mix.trained))
    return f"{there} % of the training rows have {words}, of the attack rows {here} %."


def about(mix: Mix) -> str:
    """What is seen, and what it is for."""
    part, both = mix.entries[0].attribute, bool(mix.trained)
    kind = (
        f"Bars: rows of each {part.private}, for each {part.target}" + ", each panel on a scale of its own" * both
        if len(part.classes) <= FEW
        else f"Each line is a {part.target}, and adds up to 100 %: the more ink, the more of its rows have that "
        f"{part.private}"
    )
    cut_off = [
        f"the {most - 1} commonest of {len(names)} classes of {name}"
        for name, names, most in ((part.target, part.target_classes, LINES), (part.private, part.classes, COLUMNS))
        if len(names) > most
    ]
    shown = f" Shown: {_figures.joined(cut_off)}; the others together." if cut_off else ""
    why = f" What goes with the {part.target} in training a model can learn with it; " if both else " An "
    return f"{kind}.{shown}{why}{'an ' * both}attacker is scored on the attack rows."


def _drawing(name: str, private: str, mix: Mix) -> Drawing:
    part = mix.entries[0].attribute
    tables = [table for table in (mix.trained, mix.attacked) if table]
    made = sheets.sheets(tables, (part.target_classes, part.classes), LINES, COLUMNS)
    heads = [f"{sheets.count(sum(map(sum, table)))} {what} rows"
             for table, what in zip(tables, ("training", "attack")[-len(tables) :], strict=True)]  # fmt: skip
    few = len(part.classes) <= FEW
    half = (WIDE - GAP) / 2
    beside = len(made) == 1 or few or max(map(sheets.narrow, made)) <= half
    broad = half if beside and len(made) > 1 else WIDE
    body, x, y, low = "", 0.0, 0.0, 0.0
    for head, sheet in zip(heads, made, strict=True):
        inner, high = _panel(sheet, broad, few=few)
        body += svg.text(x, y + 12, cut(head, broad, strong=True), strong=True)
        body += f'<g transform="translate({x:.1f} {y + HEAD:.1f})">{inner}</g>'
        low = max(low, y + HEAD + high)
        x, y = (x + broad + GAP, y) if beside else (0.0, low + GAP)
    if few:
        key, low = _key(part, low + LINE)
        body += key
    else:
        body += svg.text(0, low + 12, cut(f"{part.target} down, {part.private} across; % of the line", WIDE))
        low += 14
    title = f"{private[:1].upper()}{private[1:]} by {part.target}, in training and among the attack rows"
    if not mix.trained:
        title = f"{private[:1].upper()}{private[1:]} by {part.target} among the attack rows"
    drawn = svg.svg(WIDE, low + 4, body, kind="pic", title=title, desc=told(mix), name=name)
    return Drawing(name, "histograms", private, title, f"{told(mix)} {about(mix)}", drawn)


def _panel(sheet: Sheet, broad: float, *, few: bool) -> tuple[str, float]:
    if few:
        return sheets.bars(sheet, broad, BARS)
    return sheets.shades(sheet, broad, SHADE, dark=DARK, shares=True)


def _key(part: Attribute, y: float) -> tuple[str, float]:
    """What the inks mean, in lines below the panels; and where they end."""
    head = cut(f"{part.private}:", WIDE / 3)
    body, x = svg.text(0, y, head), wide(head) + 10
    for fill, name in zip(BARS, part.classes, strict=False):
        words = cut(name, WIDE / 2)
        if x + 15 + wide(words) > WIDE:
            x, y = 0.0, y + LINE
        body += sheets.square(fill, x, y - 9) + svg.text(x + 15, y, words)
        x += 15 + wide(words) + 16
    return body, y
