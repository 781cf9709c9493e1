"""Text for a terminal: one line for each hash that an audit names, and what it means that it matches."""

import io
from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leakaudit.render import _tame
from leakaudit.render._verify import parts
from leakaudit.verification import Verification, Verified

NARROW, WIDEST = 72, 120


def render(made: Verification, *, width: int) -> str:
    """The verification as text of at most `width` columns (72 where that is less), without escape codes."""
    width = max(NARROW, min(width, WIDEST))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for audit in _tame.plain(made).audits:
        for part in _parts(audit):
            console.print(part)
    console.print(Text(parts.CLAIM))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().split("\n")).strip("\n") + "\n"


def _parts(made: Verified) -> Iterator[Text | Padding]:
    what = f"{made.name}, {made.verdict}" if made.name else "not read any further"
    yield Text(f"{made.path}: {what}\n")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, show_header=False)
    for column in range(3):
        table.add_column(overflow="fold", no_wrap=column < 2, ratio=None)  # noqa: PLR2004 (the last one wraps)
    for check in made.checks:
        told = " · ".join(filter(None, (parts.digits(check), parts.words(check))))
        table.add_row(Text(check.what), Text(check.state), Text(told))
    yield Padding(table, (0, 0, 1, 2))
    if made.versions:
        yield Text(f"{parts.versions(made)}\n")
