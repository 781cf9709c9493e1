"""
Lines of at most so many columns, and as many of them as fit a screen.

A `Block` is one thing in several forms, the fullest first. Where there are too many lines, the form that is let go of
most easily is exchanged for the next, until the rest fits: nothing is cut in the middle of what it says.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from leakaudit.render import _entries, _figures, _measures

Lines = tuple[str, ...]
INDENT = 2
"""Columns before everything but a verdict."""
LABEL = 13
"""Columns of the labels before a sentence, the gap behind them left out."""
NEVER = 100
"""Of what never gives way."""


class Form(NamedTuple):
    """One form of a block."""

    lines: Lines
    keep: float
    """How hard it is let go of: the least first, `NEVER` not at all."""


class Block(NamedTuple):
    """One thing that is said, in the forms that it may take."""

    forms: tuple[Form, ...]


Section = Sequence[Block]
"""Blocks that stand together; a blank line stands between sections."""


class Column(NamedTuple):
    """A column of a table."""

    head: str
    right: bool = False
    least: int = 0
    """Columns to which what stands in it may be cut; 0: never cut."""
    drop: float = NEVER
    """Where the table is too wide, the least is left out first; `NEVER`: it stays."""
    gap: int = 2
    """Blank columns before it."""


def block(*forms: tuple[Lines, float]) -> Block:
    """A block; a form that is no shorter than the one before it is left out."""
    kept: list[Form] = []
    for lines, keep in forms:
        if not kept or len(lines) < len(kept[-1].lines):
            kept.append(Form(lines, keep))
        else:
            kept[-1] = Form(kept[-1].lines, max(kept[-1].keep, keep))
    return Block(tuple(kept))


def fit(sections: Sequence[Section], lines: int) -> list[str] | None:
    """The lines of all blocks, in as full a form as the number of lines lets them be; None where none is enough."""
    return _fitted(sections, lines, "") or _fitted(sections, lines, None)


def _fitted(sections: Sequence[Section], lines: int, between: str | None) -> list[str] | None:
    at = {(i, j): 0 for i, section in enumerate(sections) for j in range(len(section))}
    while _height(sections, at, between) > lines:
        steps = [
            (form.keep, (-i, -j))
            for (i, j), step in at.items()
            if step + 1 < len(sections[i][j].forms) and (form := sections[i][j].forms[step]).keep < NEVER
        ]
        if not steps:
            return None
        i, j = min(steps)[1]
        at[-i, -j] += 1
    chosen = [
        [line for j, part in enumerate(section) for line in part.forms[at[i, j]].lines]
        for i, section in enumerate(sections)
    ]
    made = [line for said in chosen if said for line in ([] if between is None else [between]) + said]
    return made if between is None else made[1:]


def _height(sections: Sequence[Section], at: dict[tuple[int, int], int], between: str | None) -> int:
    heights = [
        sum(len(part.forms[at[i, j]].lines) for j, part in enumerate(section)) for i, section in enumerate(sections)
    ]
    return sum(heights) + (max(0, sum(map(bool, heights)) - 1) if between is not None else 0)


def wrap(words: str, width: int, *, first: str = " " * INDENT, rest: str | None = None, most: int = 0) -> Lines:
    """Words in lines of at most `width`, behind `first` and `rest`; of more than `most` lines the end is cut."""
    rest = " " * cell_len(first) if rest is None else rest
    lines, line, empty = [], first, True
    for word in words.split():
        gap = "" if empty else " "
        if not empty and cell_len(line) + cell_len(word) + 1 > width:
            lines.append(line)
            line, gap = rest, ""
        room = width - cell_len(line) - len(gap)
        if cell_len(word) > room:
            *whole, word = chop_cells(word, max(1, room))  # noqa: PLW2901 (what is left of it)
            for part in whole:
                lines.append(line + gap + part)
                line, gap = rest, ""
        line, empty = line + gap + word, False
    lines.append(line.rstrip())
    if most and len(lines) > most:
        lines = [*lines[: most - 1], clip(f"{lines[most - 1]} …", width, end=True)]
    return tuple(lines)


def labelled(label: str, words: str, width: int, *, most: int = 0) -> Lines:
    """A label and what is said behind it, in lines that stand in line."""
    first = f"{' ' * INDENT}{set_cell_size(label, LABEL) if cell_len(label) < LABEL else label}  "
    return wrap(words, width, first=first, rest=" " * (INDENT + LABEL + 2), most=most)


def clip(text: str, size: int, *, end: bool = False) -> str:
    """Text of at most `size` columns: the middle, or the end, is left out where it is longer."""
    if cell_len(text) <= size:
        return text
    if size <= 1:
        return "…"[:size]
    if end:
        return f"{set_cell_size(text.removesuffix('…').rstrip(), size - 1).rstrip()}…"
    before = (size - 1) // 2
    letters, behind = list(text), ""
    while letters and cell_len(letters[-1] + behind) <= size - 1 - before:
        behind = letters.pop() + behind
    return f"{set_cell_size(text, before).rstrip()}…{behind}"


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, *, heads: bool = True) -> Lines:
    """
    Rows in columns, of at most `width`: columns are left out, then cut, where they do not fit.

    A column in which nothing stands is left out, head and all.
    """
    there = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    while True:
        sizes = [max(cell_len(row[i]) for row in (*rows, *([_heads(columns)] if heads else ()))) for i in there]
        gaps = [columns[i].gap if place else INDENT for place, i in enumerate(there)]
        over = sum(sizes) + sum(gaps) - width
        least = [columns[i].least or size for i, size in zip(there, sizes, strict=True)]
        slack = sum(max(0, size - small) for size, small in zip(sizes, least, strict=True))
        loose = [i for i in there if columns[i].drop < NEVER]
        if over <= slack or not loose:
            break
        there.remove(min(loose, key=lambda i: columns[i].drop))
    while over > 0 and (wide := [n for n, size in enumerate(sizes) if size > (columns[there[n]].least or size)]):
        sizes[max(wide, key=lambda n: sizes[n])] -= 1
        over -= 1
    lines = []
    for row in ([_heads(columns)] if heads else []) + list(rows):
        line = ""
        for i, size, gap in zip(there, sizes, gaps, strict=True):
            cell = clip(row[i], size)
            pad = " " * (size - cell_len(cell))
            line += " " * gap + (pad + cell if columns[i].right else cell + pad)
        lines.append(clip(line.rstrip(), width, end=True))
    return tuple(lines)


def roomy(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table stands in that width with nothing left out or cut."""
    there = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    sizes = [max(cell_len(row[i]) for row in (*rows, _heads(columns))) for i in there]
    return sum(sizes) + INDENT + sum(columns[i].gap for i in there[1:]) <= width


def _heads(columns: Sequence[Column]) -> list[str]:
    return [column.head for column in columns]


def bar(value: float, tolerance: float, size: int) -> str:
    """E from 0 to 1, with the tolerance where it lies."""
    end, mark = _place(value, size), _place(tolerance, size)
    cells = ["━" if i < end else " " for i in range(size)]
    cells[mark] = "┊"
    cells[end] = "●"
    return "".join(cells)


def axis(tolerance: float, size: int) -> str:
    """The scale above bars: 0, the tolerance, 1."""
    cells = [" "] * size
    cells[-1] = "1"
    cells[_place(tolerance, size)] = "τ"
    cells[0] = "0"
    return "".join(cells)


def _place(value: float, size: int) -> int:
    return round(max(0.0, min(1.0, value)) * (size - 1))


def figure(one: _entries.Headline) -> str:
    """A figure with its unit; a mark where it is not known."""
    unit = _measures.unit(one.figure)
    return "?" if one.value is None else f"{_figures.figure(one.value, unit)}{' %' * (unit == '%')}"


def verdict(word: str, words: str, width: int) -> Lines:
    """A verdict, first in its line, and what it says."""
    return wrap(words, width, first=f"{word}   ", rest=" " * 7)


def lowered(words: str) -> str:
    """Words as they go on after a colon."""
    return words[:1].lower() + words[1:]


def sentence(words: str) -> str:
    """Words with one full stop behind them."""
    return re.sub(r"\.+$", "", words.strip()) + "."
