"""A forest plot of E: one row per interval, the tolerance running through all of them, the numbers beside them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.render import _entries, _figures
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.axes import Axis
from leakaudit.render._drawings.lettering import cut, fine, spread, wide
from leakaudit.render._entries import Entry
from leakaudit.stats import Interval

WIDE, HEAD, STEP, TALL, FOOT = 510, 34, 22, 38, 30
INDENT, GAP, LONGEST = 18, 12, 150
"""Pixels before a row under a heading, between columns, and of a label at most."""
LOWEST = -0.3
"""E that is drawn: what lies further below nothing stands on the edge."""


class Row(NamedTuple):
    """One row: an interval with its words, or a heading over some."""

    label: str
    entry: Entry
    excess: Interval | None
    """None for a heading."""
    word: str = ""
    solid: bool = True
    """Whether it may decide."""
    marked: bool = True
    """Whether a heading is a model's, and has its mark."""
    more: str = ""
    """What stands under the label; a row with more is a taller one."""
    note: str = ""
    """What stands under the figures."""


def word(entry: Entry) -> str:
    """`above`, `across` or `under`: E of the attacker that decides against the tolerance; `open` without bounds."""
    return _entries.against(entry.attribute.figures, entry.audit.tolerance)


def taus(group: Sequence[Entry]) -> list[float]:
    """The tolerances, each once."""
    return sorted({entry.audit.tolerance for entry in group})


class Columns(NamedTuple):
    """Where the columns stand: what a row is called, its figures; between both, E is drawn."""

    indent: float
    scale: Axis
    figures: float


def drawn(rows: Sequence[Row]) -> tuple[str, float]:
    """The plot and its height."""
    columns, high = _columns(rows), [TALL if row.more else STEP for row in rows]
    bottom = HEAD + sum(high)
    scale, foot = columns.scale, bottom + 16
    body = svg.text(scale.start - 14, foot, "E", anchor="end", strong=True)
    for value in (0, 0.25, 0.5, 0.75, 1):
        body += svg.line(scale.at(value), HEAD - 6, scale.at(value), bottom, ink=0.13 if value else 0.45)
        body += svg.text(scale.at(value), foot, f"{value:g}", anchor="middle")
    tolerances = taus([row.entry for row in rows])
    for tolerance, x in zip(tolerances, spread([scale.at(one) for one in tolerances], 46, 24, WIDE - 24), strict=True):
        at = scale.at(tolerance)
        body += svg.line(at, HEAD - 6, at, bottom, ink=0.9, dash=svg.DASH, wide=1.3)
        body += svg.text(x, HEAD - 12, f"τ {_figures.tau(tolerance)}", anchor="middle")
    for i, row in enumerate(rows):
        body += _row(row, columns, HEAD + sum(high[:i]) + STEP / 2)
    return body, bottom + FOOT


def _columns(rows: Sequence[Row]) -> Columns:
    """E is drawn in what the words leave."""
    known = [row for row in rows if row.excess]
    below = max(0.0, *(-row.excess.low for row in known if row.excess))
    indent = INDENT if len(known) < len(rows) else 0
    long = max(max(wide(row.label, strong=row.excess is None), wide(row.more)) for row in rows)
    left = indent + min(LONGEST, long) + GAP + 8
    figures = max(max(wide(_said(row)), wide(row.note)) for row in known)
    right = WIDE - max(wide(row.word, strong=row.solid) for row in known) - GAP - figures
    low = max(LOWEST, -math.ceil(10 * below - 0.05) / 10) if below > 0.005 else 0.0  # noqa: PLR2004 (a pixel)
    return Columns(indent, Axis(low, 1.0, left, right - GAP - 10), right)


def _said(row: Row) -> str:
    return fine(_figures.with_bounds(row.excess)) if row.excess else ""


def _row(row: Row, columns: Columns, y: float) -> str:
    place, scale = row.entry.place, columns.scale
    if row.excess is None:
        mark = svg.mark(place, 6, y, 4.5) if row.marked else ""
        start = INDENT if row.marked else 0
        return mark + svg.text(start, y + 4, cut(row.label, columns.scale.start - start - 8, strong=True), strong=True)
    low, high = svg.at_least(scale.at(row.excess.low), scale.at(row.excess.high))
    how = f'{svg.paint(place, stroke=True)} stroke-width="{3 if row.solid else 1.6:g}"'
    body = svg.text(columns.indent, y + 4, cut(row.label, LONGEST + 2))
    body += f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" {how}/>'
    body += svg.mark(place, scale.at(row.excess.value), y, 4.5, hollow=not row.solid)
    body += svg.text(columns.figures, y + 4, _said(row))
    if row.more:
        body += svg.text(columns.indent, y + 19, cut(row.more, LONGEST + 2))
    if row.note:
        body += svg.text(columns.figures, y + 19, row.note)
    return body + svg.text(WIDE, y + 4, row.word, anchor="end", strong=row.solid)
