"""Text for a terminal: what the file is, which network that fits, its layers, and the command to type next."""

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leakaudit.dossier import Anatomy, Dossier, Fit
from leakaudit.render import _tame
from leakaudit.render._inspect import parts

NARROW, WIDEST = 72, 120
WIDE = 100
MARK = "<- bottleneck"


def render(made: Dossier, *, width: int) -> str:
    """The dossier as text of at most `width` columns (72 where that is less), without escape codes."""
    width = max(NARROW, min(width, WIDEST))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for part in _parts(_tame.plain(made), width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    text = "\n".join(line.rstrip() for line in console.file.getvalue().split("\n")).strip("\n") + "\n"
    return f"{text}\n{made.next}\n" if made.next else text


def _parts(made: Dossier, width: int) -> Iterator[Text | Padding]:
    yield Text(f"{made.name}: {parts.head(made)}\n")
    yield _placed(_table(parts.facts(made), width))
    for note in made.notes:
        yield _prose(f"note: {note}")
    if made.notes:
        yield Text("")
    if made.kin:
        yield Text("Known networks with such tensors\n")
        yield _placed(_table(parts.kin(made), width))
    yield from (_prose(f"{words}\n") for words in (parts.alike(made), parts.unlike(made)) if words)
    if made.fit is not None:
        yield from _fit(made.fit, width)
    if made.anatomy is not None:
        yield from _layers(made.anatomy, width)
    elif made.tensors and made.fit is None:
        rows, _ = parts.tensors(made)
        yield Text("Tensors\n")
        yield _placed(_table(rows, width, ("name", "shape", "type")))


def _fit(found: Fit, width: int) -> Iterator[Text | Padding]:
    yield Text(f"{parts.fit(found)}\n")
    for note in found.notes:
        yield _prose(f"note: {note}")
    rows, left = parts.unmatched(found)
    if rows:
        rows += [(f"... and {left:,} more", "", "")] * bool(left)
        yield _placed(_table(rows, width, ("what", "name", "shape: file's for network's")))
    elif found.notes:
        yield Text("")


def _layers(found: Anatomy, width: int) -> Iterator[Text | Padding]:
    yield Text(f"{parts.entrance(found)}\n")
    shown, left = parts.layers(found)
    counted = any(each.parameters for each in found.layers)
    rows = [
        (each.name, each.kind, parts.size(each.shape), *([f"{each.parameters:,}"] * counted), MARK * each.bottleneck)
        for each in shown
    ]
    heads = ("layer", "kind", "puts out", *(["parameters"] * counted), "")
    yield _placed(_table(rows, width, heads, right=(3,) if counted else ()))
    if left:
        yield _prose(f"{left:,} more lie between these or within them; --format json names all.")


def _table(rows: Sequence[Sequence[str]], width: int, heads: Sequence[str] = (), right: Sequence[int] = ()) -> Table:
    """A table without lines."""
    table = Table(
        box=None, padding=(0, 2 if width >= WIDE else 1, 0, 0), pad_edge=False, show_edge=False, header_style="",
        show_header=bool(heads), expand=False,
    )  # fmt: skip
    for place in range(len(rows[0])):
        head = heads[place] if heads else ""
        table.add_column(head, justify="right" if place in right else "left", overflow="fold", no_wrap=place in right)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _placed(table: Table) -> Padding:
    return Padding(table, (0, 0, 1, 2))


def _prose(words: str) -> Padding:
    return Padding(Text(words), (0, 0, 0, 2))
