"""Text for a terminal: each published table with our runs beside it, one part for runs that were changed alike."""

import io
from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Sheet
from rich.text import Text

from leakaudit.render import _tame
from leakaudit.render._papers import parts
from leakaudit.reproduction import Reproduction, Section, Table

NARROW, WIDEST = 80, 120
ROOMY = 100
"""Columns from which cells stand further apart."""


def render(made: Reproduction, *, width: int) -> str:
    """The tables as text of at most `width` columns (80 where that is less), without escape codes."""
    width = max(NARROW, min(width, WIDEST))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for part in _parts(_tame.plain(made), width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().split("\n")).strip("\n") + "\n"


def _parts(made: Reproduction, width: int) -> Iterator[Text | Padding]:
    yield Text(f"{parts.heading(made)}\n")
    for table in made.tables:
        yield Text(f"{table.name}: {table.where}\n")
        yield _prose(" ".join(table.says) + "\n")
        for section in table.sections:
            yield _prose(f"{parts.title(section)}\n")
            yield _sheet(table, section, width)
            said = "\n".join(parts.below(section))
            if said:
                yield _prose(f"{said}\n")
        for note in parts.notes(table):
            yield _prose(f"note: {note}")
        yield Text("")
    yield _prose("\n\n".join(parts.closing(made)))


def _sheet(table: Table, section: Section, width: int) -> Padding:
    columns = parts.columns(table, section)
    if width < ROOMY:
        columns = _folded(columns)
    gap = 2 if width >= ROOMY else 1
    sheet = Sheet(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False, header_style="", expand=False)
    sheet.add_column("\nrow", overflow="fold")
    for column in columns:
        head = f"{column.above}\n{column.head}"
        sheet.add_column(head, justify="left" if column.head == "verdict" else "right", overflow="fold")
    for place, line in enumerate(section.lines):
        cells = [parts.named(section, line), *(column.cells[place] for column in columns)]
        sheet.add_row(*(Text("\n".join(filter(None, cell))) for cell in cells))
    return Padding(sheet, (0, 0, 1, 2))


def _folded(columns: list[parts.Column]) -> list[parts.Column]:
    """The verdict below E."""
    by_head = {column.head: column for column in columns}
    verdict, excess = by_head.get("verdict"), by_head.get(parts.EXCESS)
    if verdict is None or excess is None:
        return columns
    pairs = zip(excess.cells, verdict.cells, strict=True)
    cells = tuple(
        parts.Cell(one.first, "\n".join(filter(None, (one.second, other.first.replace(parts.DASH, "")))))
        for one, other in pairs
    )
    both = excess._replace(head=f"{parts.EXCESS}, verdict", cells=cells)
    return [both if column is excess else column for column in columns if column is not verdict]


def _prose(words: str) -> Padding:
    return Padding(Text(words), (0, 0, 0, 2))
