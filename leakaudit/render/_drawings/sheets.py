"""
Cross tables as pictures: private classes within target classes, as bars or, of many, as shades of a table.

These are the papers' split histograms (Barbano et al., "Bridging the gap between debiasing and privacy for deep
learning", ICCV workshops 2021, figure 7) of classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from leakaudit.render._drawings import svg

FEW = 4
"""Private classes up to which each has a bar of its own."""
FULL = 0.4
"""Share of a line from which a cell is so dark that its figure is set bold."""
LETTER = 6.9
"""Pixels of a letter."""
SLANT = 0.72
TALL = 21.0
"""Pixels of a line of shades."""
TWO = 2


class Sheet(NamedTuple):
    """A cross table as it is shown: lines and columns by name, the last one what was left out, where there is such."""

    lines: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def sheets(
    tables: Sequence[Sequence[Sequence[int]]], names: tuple[Sequence[str], Sequence[str]], lines: int, columns: int
) -> list[Sheet]:
    """
    Cross tables of the same classes, of at most so many lines and columns, the same in each.

    Of more classes the commonest in all tables together are kept, in their order, and the others counted as one.
    """
    whole = np.array(tables)
    kept_lines = _commonest(whole.sum(axis=(0, 2)), lines)
    kept_columns = _commonest(whole.sum(axis=(0, 1)), columns)
    found = []
    for table in whole:
        short = _folded(_folded(table, kept_lines).T, kept_columns).T
        shown = _named(names[0], kept_lines), _named(names[1], kept_columns)
        found.append(Sheet(*shown, tuple(map(tuple, short.tolist()))))
    return found


def _commonest(counts: np.ndarray, most: int) -> np.ndarray:
    """Places of the classes that are kept, in their order."""
    if len(counts) <= most:
        return np.arange(len(counts))
    return np.sort(np.argsort(-counts, kind="stable")[: most - 1])


def _folded(table: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The kept lines, and below them all others together."""
    rest = np.delete(table, kept, axis=0)
    return np.concatenate([table[kept], rest.sum(axis=0, keepdims=True)]) if len(rest) else table[kept]


def _named(names: Sequence[str], kept: np.ndarray) -> tuple[str, ...]:
    others = len(names) - len(kept)
    return (*(names[place] for place in kept), *([f"{others} others"] if others else []))


def bars(sheet: Sheet, wide: float, fills: Sequence[str]) -> tuple[str, float]:
    """Bars from the left, for each target class one of each private class; and how high they stand."""
    thick = 13 if len(sheet.columns) <= TWO else 11
    label = min(150.0, 10 + LETTER * max(len(short(name)) for name in sheet.lines))
    most = max(max(counts) for counts in sheet.counts) or 1
    room = wide - label - 8 - LETTER * len(f"{most:,}")
    y, body = 4.0, ""
    for name, counts in zip(sheet.lines, sheet.counts, strict=True):
        middle = y + thick * len(counts) / 2
        body += svg.text(label - 10, middle + 4, short(name), anchor="end")
        for place, rows in enumerate(counts):
            long = max(room * rows / most, 1.0 if rows else 0.0)
            body += f'<rect x="{label:.1f}" y="{y:.1f}" width="{long:.1f}" height="{thick - 2}" {fills[place]}/>'
            body += svg.text(label + long + 5, y + thick - 3, count(rows))
            y += thick
        y += 9
    return svg.line(label, 2, label, y - 7, ink=0.5) + body, y


def narrow(sheet: Sheet) -> float:
    """Pixels below which the cells of shades hold no figure."""
    return label_of(sheet) + 2 + len(sheet.columns) * (2 * LETTER + 3)


def label_of(sheet: Sheet) -> float:
    """Pixels that the names of lines take."""
    return min(120.0, 10 + LETTER * max(len(short(name)) for name in sheet.lines))


def shades(sheet: Sheet, wide: float, fill: str, *, dark: float = 0.64, shares: bool = False) -> tuple[str, float]:
    """
    A table of shares of the line, the darker the more; counts, or shares in percent, stand in it where they fit.

    `dark` is the opacity of a cell that holds its whole line.
    """
    label, tall = label_of(sheet), TALL
    cell = (wide - label - 2) / len(sheet.columns)
    longest = LETTER * max(len(short(name)) for name in sheet.columns)
    level = longest <= cell - 4
    head = 12 + (8 if level else SLANT * longest)
    if not level:  # the last name leans over the edge
        cell -= max(0.0, SLANT * LETTER * len(short(sheet.columns[-1])) + 4 - cell / 2) / len(sheet.columns)
    body = ""
    for i, name in enumerate(sheet.columns):
        x = label + cell * (i + 0.5)
        if level:
            body += svg.text(x, head - 6, name, anchor="middle")
            continue
        body += (
            f'<text x="{x:.1f}" y="{head - 5:.1f}" transform="rotate(-45 {x:.1f} {head - 5:.1f})" fill="currentColor" '
            f'class="m">{Markup.escape(short(name))}</text>'
        )
    for j, (name, counts) in enumerate(zip(sheet.lines, sheet.counts, strict=True)):
        y, total = head + tall * j, max(sum(counts), 1)
        body += svg.text(label - 8, y + 15, short(name), anchor="end")
        for i, rows in enumerate(counts):
            x, share = label + cell * i, rows / total
            how = f'fill-opacity="{0.04 + (dark - 0.04) * share:.3f}" {fill}'
            body += f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{cell - 1:.1f}" height="{tall - 1:.1f}" {how}/>'
            words = f"{100 * share:.0f}" if shares else count(rows)
            if rows and words != "0" and LETTER * len(words) < cell - 2:
                body += svg.text(x + cell / 2, y + 15, words, anchor="middle", strong=share > FULL)
    return body, head + tall * len(sheet.lines) + 4


def square(fill: str, x: float, y: float) -> str:
    """The sample of a colour."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="10" height="10" {fill}/>'


def count(rows: int) -> str:
    """A count as it is set on the page."""
    return f"{rows:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def short(name: str) -> str:
    """A name, or its first letters."""
    return name if len(name) <= 20 else f"{name[:19]}…"  # noqa: PLR2004 (what fits)
