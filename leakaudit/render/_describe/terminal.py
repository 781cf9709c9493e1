"""Text for a terminal: what to know first, then the counts that it is read from."""

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leakaudit.description import Attribute, Description
from leakaudit.render import _figures, _tame
from leakaudit.render._describe import tables
from leakaudit.render._drawings.sheets import Sheet

NARROW, ROOMY, WIDEST = 72, 80, 120
WIDE = 100
"""Columns from which images and rows needed stand in the tables."""
LINES = 13
"""The most lines of a cross table."""
CELL = 12
"""Columns of a cell: a count, and its share of the line."""
NAME = 18
"""The most columns of a class's name."""


def render(made: Description, *, width: int) -> str:
    """The description as text of at most `width` columns (72 where that is less), without escape codes."""
    width = max(NARROW, min(width, WIDEST))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for part in _parts(_tame.plain(made), width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().split("\n")).strip("\n") + "\n"


def _parts(made: Description, width: int) -> Iterator[Text | Padding]:
    privates = _figures.joined([part.private.name for part in made.attributes])
    yield Text(f"{made.data}: {privates} beside {made.target.name}, before anybody trains\n")
    yield from _warnings(made.warnings)
    yield _placed(_splits(made, width))
    if made.target.note:
        yield _prose(f"{_capital(made.target.name)}: {made.target.note}: {', '.join(made.target.classes)}.")
    yield _prose(f"{_capital(made.compared)}.")
    for part in made.attributes:
        yield Text(f"\n{part.private.name}\n")
        yield from _warnings(part.warnings)
        if part.private.note:
            yield _prose(f"{_capital(part.private.name)}: {part.private.note}: {', '.join(part.private.classes)}.\n")
        yield _placed(_told(part, width))
        yield _placed(_reach(made, part, width))
        yield from _crossed(made, part, width)
    tau = _figures.tau(made.tolerance)
    yield Text("")
    yield _prose(
        "V: Cramér's, plain, from 0 to 1; beyond chance: without what few rows add, 95 %. Rows named right, %: usual, "
        f"by the commonest class; target alone, by who knows the {made.target.name}; balanced, the mean over private "
        "classes of who knows it and guesses for that. However much that is, E of it is 0 by definition. MDE: the "
        f"smallest E that 80 % of audits detect; an audit holds E against τ {tau}. Verdicts: those in reach."
    )


def _splits(made: Description, width: int) -> Table:
    table = _table()
    table.add_column("split", no_wrap=True)
    table.add_column("rows", justify="right")
    shown = any(split.groups for split in made.splits)
    if shown:
        name = next(split.groups.name for split in made.splits if split.groups)
        table.add_column(f"{name}: groups of median (largest)")
    table.add_column("images" if width >= WIDE else "images as they enter a network")
    table.add_column("also in, by name", max_width=40)
    for split in made.splits:
        row = [split.split, f"{split.rows:,}", *([tables.groups(split)] if shown else [])]
        images = tables.images(split)
        row += [images if width >= WIDE else images.split(",")[0]]
        shared = [
            f"{part.second if part.first == split.split else part.first} {part.rows:,}"
            for part in made.overlaps
            if split.split in (part.first, part.second) and part.rows
        ]
        table.add_row(*map(Text, [*row, ", ".join(shared)]))
    return table


def _told(part: Attribute, width: int) -> Table:
    table = _table(width)
    table.add_column("split", no_wrap=True)
    for head in ("rows", "V"):
        table.add_column(head, justify="right")
    table.add_column("beyond chance", no_wrap=True)
    for head in ("usual", "target alone", "balanced", "chance"):
        table.add_column(head, justify="right", min_width=6)
    for cross in part.crosses:
        figures = (cross.majority, cross.accuracy, cross.balanced_accuracy, cross.chance)
        table.add_row(
            *map(Text, [cross.split, f"{cross.rows:,}", *tables.strength(cross), *map(tables.percent, figures)])
        )
    return table


def _reach(made: Description, part: Attribute, width: int) -> Table:
    table, wide = _table(width), width >= WIDE
    table.add_column("an audit of" if wide else "split", no_wrap=True)
    table.add_column("scores", justify="right")
    table.add_column("smallest cell", max_width=30, justify="left" if wide else "right")
    if width >= ROOMY:
        table.add_column("empty", justify="right")
    table.add_column(f"<= {made.handful}", justify="right", no_wrap=True)
    table.add_column("MDE", justify="right", no_wrap=True)
    table.add_column("verdicts", no_wrap=True)
    table.add_column("rows to decide" if wide else "to decide", justify="left" if wide else "right")
    for cross in part.crosses:
        reach, needed = cross.reach, ""
        row = [cross.split, f"{reach.scored:,}" if reach else tables.DASH, tables.smallest(cross, named=wide)]
        row += [f"{cross.empty:,}"] * (width >= ROOMY)
        if reach is not None and not reach.absence:
            needed = f"{reach.rows_of_this_mix:,}"
            needed += f" so, {reach.rows_balanced:,} balanced" if wide else ""
        mde = tables.detectable(reach) if reach else tables.DASH
        row += [f"{cross.few:,}", mde if wide else mde.replace(" to ", "-"), tables.verdicts(reach), needed]
        table.add_row(*map(Text, row))
    return table


def _crossed(made: Description, part: Attribute, width: int) -> Iterator[Padding]:
    """The cross tables, as many splits beside each other as there is room for."""
    label = min(NAME, max(len(made.target.name), *(len(name) for name in made.target.classes)))
    most = max(2, (width - 4 - label) // CELL)
    found = tables.sheets(made, part, LINES, most)
    beside = max(1, most // len(found[0].columns))
    splits = [cross.split for cross in part.crosses]
    for first in range(0, len(found), beside):
        chunk = slice(first, first + beside)
        yield _placed(_sheet(made.target.name, found[chunk], splits[chunk]))
    words = "Rows, and their share of the line in percent."
    yield _prose(f"{words} {tables.cut_said(made, part, LINES, most)}".strip())


def _sheet(target: str, found: Sequence[Sheet], splits: Sequence[str]) -> Table:
    table = _table()
    table.add_column(f"\n{target}", no_wrap=True, max_width=NAME)
    for sheet, split in zip(found, splits, strict=True):
        for place, name in enumerate(sheet.columns):
            head = f"{split if place == 0 else ''}\n{name}"
            table.add_column(head, no_wrap=True, max_width=CELL - 2, min_width=9, justify="right")
    for line, name in enumerate(found[0].lines):
        cells = [
            f"{count:,}{share:>4}"
            for sheet in found
            for count, share in zip(sheet.counts[line], tables.shares(sheet.counts[line]), strict=True)
        ]
        table.add_row(*map(Text, [name, *cells]))
    return table


def _warnings(words: Sequence[str]) -> Iterator[Padding]:
    for each in words:
        table = _table()
        table.show_header = False
        table.add_column(width=1)
        table.add_column()
        table.add_row(Text("!"), Text(each))
        yield Padding(table, (0, 0, 0, 2))
    if words:
        yield Padding(Text(""), 0)


def _table(width: int = WIDE) -> Table:
    """A table without lines; columns stand closer where there is little room."""
    return Table(
        box=None,
        padding=(0, 2 if width >= WIDE else 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="",
        expand=False,
    )


def _placed(table: Table) -> Padding:
    return Padding(table, (0, 0, 1, 2))


def _prose(words: str) -> Padding:
    return Padding(Text(words), (0, 0, 0, 2))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
