"""
The user's own images: a CSV or parquet table with a column of paths and a column for each label.

Words, whole numbers and true/false are classes; numbers with a fraction, or of a column named in `numbers`, stay so; an
empty cell is a missing label. Rows belong to the split that a column `split` names: train, validation and test may be
spelled Training, DEV or testing (`listing.SPELLINGS`). Without one, the whole table is the split `test`, or what
`held_out` deals to it. Images are decoded when they are asked for, as 8-bit RGB. Row N of a message is the N-th row of
data, counted from 1: the header and blank lines are none.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from leakaudit import catalog
from leakaudit.dataset import Dataset, Labels, spell
from leakaudit.datasets import _columns
from leakaudit.datasets._reader import Reading, read, straddling
from leakaudit.errors import InputError
from leakaudit.listing import Listing, meant, spots

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "all", "test")
OWN = True

PLAIN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation per channel: images enter a network in -1..1."""
PROBES = 32
"""Rows that are looked for below the root, to learn where images lie."""
NAMED = 3
"""Groups that a refusal names."""
_PATHS = ("path", "file", "image")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def load(
    split: str,
    root: Path,
    *,
    file: str = "",
    folder: str = "",
    image: str | None = None,
    group: str | None = None,
    shared_groups: Literal["refuse", "allow"] = "refuse",
    numbers: str = "",
    held_out: float = 0.0,
    size: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """
    One split of the table `file`.

    `file` is relative to the working directory or to `root`. `image` is the column of paths (`path`, `file` or `image`
    where it is not said). An absolute path is taken as it stands. A relative one is relative to `folder`, itself
    relative to `root` where that holds any of them, else to the table's own folder: one or the other for all rows.

    `group` is the column of who or what a row belongs to; a table two of whose splits share a group, or an image,
    is refused unless `shared_groups` allows it. `numbers` are columns, joined by `+`, whose whole numbers are
    numbers, such as ages. Without a column `split`, a share of about `held_out` of all images, or groups, is `test` and
    the rest `train`: by the hash of its name, so that other rows have no say. `size` is the side of the square to which
    images are resized. `skip_unreadable` decodes every image once and leaves out those that cannot be.

    Raises:
        InputError: the table, a column or an image is not there or cannot be read, rows contradict one another, or
            splits share what they must not; the message names file and row.
    """
    if size is not None and size < 1:
        raise InputError(f"table: size = {size}: at least 1 expected")
    table = _found(file, root)
    frame = _columns.read(table, file)
    column = _path_column(frame, image, file)
    if group is not None and group not in frame:
        raise InputError(f"{file}: no group column {group!r}. {catalog.suggest(group, frame.columns)}")
    wanted = tuple(filter(None, numbers.split("+")))
    _check_numbers(frame, wanted, file)
    names = [_inside(name, row, file) for row, name in enumerate(frame[column].array)]
    whose = names if group is None else np.where(frame[group].isna(), names, frame[group].astype(object))
    parts = _parts(_dealt(frame, whose, held_out, file), split, file)
    places = (root / folder, table.parent / folder)
    home, looked = _home(names, places, table)
    labels = {
        name: _labels(frame[name], file, name, number=name in wanted)
        for name in map(str, frame.columns)
        if name not in (column, "split")
    }
    listing = Listing(
        names=names,
        columns=labels,
        splits=parts,
        apart=[name for name in parts if name != "all"],
        paths=[os.path.join(home, name) for name in names],  # noqa: PTH118 (200,000 of them)
        group=None if group is None else _columns.groups(frame[group]),
        groups=group or "",
    )
    notes = _copies(listing, file, shared=shared_groups)
    if group is not None and shared_groups == "refuse":
        _refuse_shared(listing, frame[group], file)
    name = spell(
        "table", load, file=file, folder=folder, image=image, group=group, shared_groups=shared_groups,
        numbers=numbers, held_out=held_out, size=size, skip_unreadable=skip_unreadable,
    )  # fmt: skip
    how = Reading(
        source="table", where=file, size=size, skip_unreadable=skip_unreadable, channels=PLAIN, folder=looked
    )  # fmt: skip
    return read(replace(listing, notes={"": notes}), name, split, how)


def splits(root: Path, *, file: str = "", held_out: float = 0.0, **knobs: object) -> tuple[str, ...]:
    """The splits that the table's own column names, and `all`; `all` and `test` where it has none, or `train` too."""
    del knobs
    frame = _columns.read(_found(file, root), file)
    if "split" in frame:
        return (*dict.fromkeys(_split_column(frame, file)), "all")
    return ("all", "train", "test") if held_out else ("all", "test")


def _found(file: str, root: Path) -> Path:
    """The table: from the working directory, or below `root`."""
    if not file:
        raise InputError("table: the knob file = the path of a CSV or parquet table expected")
    for path in (Path(file), root / file):
        if path.is_file():
            return path
    raise InputError(f"{file}: no such table, here or below {root} (--root, LEAKAUDIT_DATA)")


def _path_column(frame: "pd.DataFrame", image: str | None, file: str) -> str:
    """The column of paths."""
    found = [name for name in ((image,) if image else _PATHS) if name in frame]
    if not found:
        wanted = repr(image) if image else f"of paths ({', '.join(_PATHS)}, or image=COLUMN)"
        raise InputError(f"{file}: no image column {wanted}. {catalog.suggest(image or _PATHS[0], frame.columns)}")
    return found[0]


def _split_column(frame: "pd.DataFrame", file: str) -> list[str]:
    """The split of each row."""
    cells = frame["split"]
    if cells.isna().any():
        raise InputError(f"{file}: row {int(cells.isna().to_numpy().argmax()) + 1} has no split")
    return [meant(str(cell)) for cell in cells.array]


def _check_numbers(frame: "pd.DataFrame", wanted: tuple[str, ...], file: str) -> None:
    """
    Refuse numbers that are none.

    Raises:
        InputError: there is no such column, or it holds words.
    """
    for name in wanted:
        if name not in frame:
            raise InputError(f"{file}: no column {name!r} of numbers. {catalog.suggest(name, frame.columns)}")
        if frame[name].notna().any() and _columns.as_numbers(frame[name]) is None:
            raise InputError(f"{file}: column {name!r} holds words, so it is none of numbers = {'+'.join(wanted)!r}")


def _labels(cells: "pd.Series", file: str, name: str, *, number: bool) -> Labels:
    try:
        return _columns.labels(cells, numbers=number)
    except ValueError as error:
        raise InputError(f"{file}: column {name!r} {error}") from error


def _dealt(frame: "pd.DataFrame", names: Iterable[object], held_out: float, file: str) -> "pd.DataFrame":
    """
    The table with a column of splits, where a share of it is held out; rows of one name are in one split.

    Raises:
        InputError: the share is none, or the table says itself which split a row belongs to.
    """
    if not 0 <= held_out < 1:
        raise InputError(f"table: held_out = {held_out}: a number from 0 up to, but not, 1 expected")
    if not held_out:
        return frame
    if "split" in frame:
        raise InputError(f"{file}: the table has a column split of its own; held_out = {held_out} says nothing here")
    tested = spots("table", [str(name) for name in names]) < held_out
    return frame.assign(split=np.where(tested, "test", "train"))


def _parts(frame: "pd.DataFrame", split: str, file: str) -> dict[str, Int64[np.ndarray, " _"]]:
    """Positions of the rows of each split, that which is asked for among them."""
    every = np.arange(len(frame))
    if "split" not in frame:
        if split in ("all", "test"):
            return {"all": every, "test": every}
        raise InputError(
            f"{file}: no column split, so the whole table is the split test; to use {split}, say which split each row "
            f"belongs to (train, validation, test), or hold a share out: held_out = 0.5"
        )
    names = np.array(_split_column(frame, file), dtype=object)
    parts = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names)} | {"all": every}
    if split not in parts:
        raise InputError(f"{file}: no rows in split {split!r}. {catalog.suggest(split, parts)}")
    return parts


def _inside(name: object, row: int, file: str) -> str:
    """A path of this machine as the table has it, which must not climb out of the folder it is relative to."""
    if not isinstance(name, str) or not name:
        raise InputError(f"{file}: row {row + 1} has no image path")
    if _ADDRESS.match(name):
        raise InputError(f"{file}: row {row + 1}: {name} is an address: a file of this machine expected")
    if os.sep == "/" and "\\" in name:
        if _DRIVE.match(name):
            raise InputError(f"{file}: row {row + 1}: {name} is a path of another machine (a drive of Windows)")
        name = name.replace("\\", "/")
    clean = os.path.normpath(name).replace(os.sep, "/")
    if clean == ".." or clean.startswith("../"):
        raise InputError(f"{file}: row {row + 1}: {name} leaves the folder it is relative to")
    return clean


def _home(names: Sequence[str], places: tuple[Path, Path], table: Path) -> tuple[str, str]:
    """The folder of all relative paths, and what a message says of it."""
    relative = [name for name in names if not os.path.isabs(name)]  # noqa: PTH117 (200,000 of them)
    if not relative:
        return "", ""
    root, beside = places
    probes = np.unique(np.linspace(0, len(relative) - 1, PROBES).astype(np.int64)).tolist()
    if any(os.path.isfile(root / relative[place]) for place in probes):  # noqa: PTH113 (false for a name of any length)
        return str(root), f"{root}, the root, which holds others of the table's images"
    other = f"; {root}, the root, holds none of the table's images" if root.absolute() != beside.absolute() else ""
    return str(beside), f"{beside}, beside {table.name}{other}"


def _copies(listing: Listing, file: str, *, shared: str) -> tuple[str, ...]:
    """
    What is said of images that several rows name.

    Raises:
        InputError: two such rows have different labels, or are in splits that are to share nothing.
    """
    seen: dict[str, int] = {}
    first = np.array([seen.setdefault(path, row) for row, path in enumerate(listing.paths)])
    again = np.flatnonzero(first != np.arange(len(first)))
    if not len(again):
        return ()
    other = first[again]

    def pair(at: int) -> tuple[int, int, str]:
        return int(other[at]) + 1, int(again[at]) + 1, listing.names[again[at]]

    for name, labels in listing.columns.items():
        one, two = labels.values[again], labels.values[other]  # noqa: PD011 (labels, no pandas)
        apart = labels.known[again] & labels.known[other] & (one != two)
        if apart.any():
            before, after, path = pair(int(apart.argmax()))
            raise InputError(f"{file}: rows {before} and {after} name one image, {path}, and differ in {name!r}")
    place = np.full(len(first), -1)
    for number, split in enumerate(listing.apart):
        place[listing.splits[split]] = number
    torn = (place[again] != place[other]) & (place[again] >= 0) & (place[other] >= 0)
    if torn.any() and shared == "refuse":
        before, after, path = pair(int(torn.argmax()))
        where = f"{listing.apart[place[before - 1]]} and {listing.apart[place[after - 1]]}"
        raise InputError(f"{file}: rows {before} and {after}, in {where}, name one image, {path}; {_ALLOW}")
    note = f"{len(again):,} {'rows name' if len(again) > 1 else 'row names'} an image that an earlier row names, too"
    return (f"{note}; {torn.sum():,} in another split" if torn.any() else note,)


_ALLOW = "shared_groups=allow goes on, and says so in the audit"


def _refuse_shared(listing: Listing, cells: "pd.Series", file: str) -> None:
    """
    Refuse groups that are in two splits.

    Raises:
        InputError: there are any.
    """
    assert listing.group is not None
    torn = straddling(listing)
    if len(torn):
        some = [str(cells.iloc[int(np.flatnonzero(listing.group == code)[0])]) for code in torn[:NAMED]]
        more = f" and {len(torn) - NAMED} more" if len(torn) > NAMED else ""
        raise InputError(
            f"{file}: rows of one {listing.groups!r} are {listing.several}: {', '.join(some)}{more}; {_ALLOW}"
        )
