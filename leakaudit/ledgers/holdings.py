"""Holdings: what of the ledger lies on this disk, and whether it still is what was promised."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leakaudit import catalog, store
from leakaudit.errors import InputError
from leakaudit.ledgers import fetching, ledger, reaching
from leakaudit.ledgers.ledger import Entry, Promise

WIDE = 110
"""Columns from which the backbone is told."""
NARROW = 72
SHORT = 16
"""Digits of a hash in a table; where two differ, both are told whole."""


@dataclass(frozen=True)
class Holding:
    """An encoder of the ledger, and where it stands."""

    entry: Entry
    state: str
    """`shipped`, `fetched`, `trusted` (on first use), `here`, `missing`, `not here`, `no hash`, `library`
    (which fetches them itself)."""
    bytes: int | None


@dataclass(frozen=True)
class Checked:
    """A file that was hashed again."""

    name: str
    state: str
    """`as promised`, `DIFFERS`, `MISSING`, `no promise`, `not here`."""
    path: Path | None = None
    found: str = ""
    promise: Promise | None = None

    @property
    def bad(self) -> bool:
        """Whether it is not what was promised."""
        return self.state.isupper()


def named(names: Iterable[str], theirs: Path | None) -> list[Entry]:
    """
    Entries by their names.

    Raises:
        InputError: there is none of that name.
    """
    known = ledger.entries(theirs)
    for name in names:
        if name not in known:
            raise InputError(f"no encoder {name!r} in the ledger. {catalog.suggest(name, known, ledger.LIST)}")
    return [known[name] for name in dict.fromkeys(names)]


def states(folder: Path, theirs: Path | None) -> list[Holding]:
    """Every entry, in the order of the ledgers; nothing is hashed."""
    found = []
    for entry in ledger.entries(theirs).values():
        path, promise = _place(entry, folder), fetching.promised(entry, folder)
        there = path is not None and path.is_file()
        if entry.kind in catalog.SHELVES:
            state = "library"
        elif entry.kind == "file":
            state = ("shipped" if entry.shipped else "here") if there else "missing"
        elif promise is None:
            state = "no hash"
        elif there:
            state = "fetched" if entry.sha256 else "trusted"
        else:
            state = "not here"
        size = promise.bytes if promise else path.stat().st_size if there and path else None
        found.append(Holding(entry, state, size))
    return found


def verify(folder: Path, theirs: Path | None, wanted: Sequence[Entry] | None = None) -> list[Checked]:
    """
    What lies on this disk, hashed again: `wanted`; None: all of the ledgers, and what else was ever fetched.

    Raises:
        RefusedError: the record of first uses is damaged.
    """
    entries = list(wanted) if wanted is not None else [*ledger.entries(theirs).values()]
    found = [_checked(entry, folder) for entry in entries if entry.kind not in catalog.SHELVES]
    if wanted is not None:
        return found
    known = {entry.location for entry in entries}
    typed = [ledger.typed(place) for place in fetching.trusted(folder) if place not in known and "://" in place]
    found += [_checked(entry, folder) for entry in typed if entry.kind != "file"]
    told = {one.path for one in found}
    others = sorted(path for path in (folder / "weights").glob("[!.]*") if path.is_file() and path not in told)
    found += [Checked(path.name, "no promise", path, store.digest_file(path)) for path in others]
    return [one for one in found if one.state != "not here"]


def table(found: Sequence[Holding], width: int) -> str:
    """The entries as text of at most `width` columns."""
    wide = width >= WIDE
    heads = ["name", *(["backbone"] if wide else []), "data", "private", "size", "state"]
    rows = []
    for one in found:
        entry = one.entry
        data = entry.dataset.partition(":")[0]
        network = entry.weights if entry.kind in catalog.SHELVES else entry.backbone.replace(",", ", ")
        cells = [data, " ".join(entry.privates), spell(one.bytes), one.state]
        rows.append([entry.name, *([network] if wide else []), *cells])
    return _text(heads, rows, width, right=("size",))


def hashes(found: Sequence[Checked], width: int) -> str:
    """What was hashed as text of at most `width` columns; where hashes differ, both whole."""
    rows = [
        [one.name, one.state, one.found[:SHORT], Path(one.promise.by).name if one.promise else "nothing"]
        for one in found
    ]  # fmt: skip
    text = _text(["name", "state", "sha256", "promised by"], rows, width) if rows else "nothing of it is here"
    for one in found:
        if one.bad and one.promise:
            text += (
                f"\n\n{one.name}: {one.path}\n  found     {one.found or 'no file'}\n  promised  {one.promise.sha256}"
            )
    return text


def spell(size: int | None) -> str:
    """A number of bytes as a person says it: `401 kB`."""
    if size is None:
        return ""
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= least:
            return f"{size / least:.3g} {unit}" if size / least < 1000 else f"{size / least:.0f} {unit}"  # noqa: PLR2004 (three digits)
    return f"{size} B"


def _place(entry: Entry, folder: Path) -> Path | None:
    """Where an entry's file lies, or would; None where it is not in Hugging Face's cache, or a library's affair."""
    if entry.kind == "hf":
        return reaching.cached(entry.hub, fetching.promised(entry, folder))
    if entry.kind in catalog.SHELVES:
        return None
    return fetching.place(entry, folder) if entry.kind == "https" else entry.path


def _checked(entry: Entry, folder: Path) -> Checked:
    path, promise = _place(entry, folder), fetching.promised(entry, folder)
    if path is None or not path.is_file():
        return Checked(entry.name, "MISSING" if entry.kind == "file" else "not here", path, "", promise)
    found = store.digest_file(path)
    if promise is None:
        return Checked(entry.name, "no promise", path, found)
    return Checked(entry.name, "as promised" if found == promise.sha256 else "DIFFERS", path, found, promise)


def _text(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Sequence[str] = ()) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="", collapse_padding=True)
    for head in heads:
        grid.add_column(head, justify="right" if head in right else "left", overflow="fold", no_wrap=head == "name")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    width = max(NARROW, min(width, 160))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    console.print(grid)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))
