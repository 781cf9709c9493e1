"""
The user's own images: a CSV or parquet table with a column of paths and a column for each label.

Words, whole numbers and true/false are classes; numbers with a fraction, or of a column named in `numbers`, stay so; an
empty cell is a missing label. Rows belong to the split that a column `split` names; without one, the whole table is
the split `test`, or what `held_out` deals to it. Images are decoded when they are asked for, as 8-bit RGB.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from leakaudit import catalog
from leakaudit.dataset import Dataset, Labels, identify, spell
from leakaudit.datasets._reader import Reading, read
from leakaudit.errors import InputError
from leakaudit.listing import Listing

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "all", "test")

_PATHS = ("path", "file", "image")
PLAIN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation per channel: images enter a network in -1..1."""

_MISSING = ["", "nan", "NaN", "NA", "N/A", "null"]
_SPELLINGS = {"val": "validation", "valid": "validation"}


def load(
    split: str,
    root: Path,
    *,
    file: str = "",
    folder: str = "",
    image: str | None = None,
    group: str | None = None,
    numbers: str = "",
    held_out: float = 0.0,
    size: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """
    One split of the table `file`.

    `file` is relative to the working directory or to `root`. `image` is the column of paths (`path`, `file` or `image`
    where it is not said), relative to `folder`, itself relative to `root` or to the table's own folder. `group` is the
    column of who or what a row belongs to; `numbers` are columns, joined by `+`, whose whole numbers are numbers, such
    as ages. Without a column `split`, a share of about `held_out` of all images, or groups, is `test` and the rest
    `train`: by the hash of its name, so that other rows have no say. `size` is the side of the square to which images
    are resized. `skip_unreadable` decodes every image once and leaves out those that cannot be.

    Raises:
        InputError: the table, a column or an image is not there or cannot be read; the message names file and row.
    """
    if size is not None and size < 1:
        raise InputError(f"table: size = {size}: at least 1 expected")
    table = _found(file, root)
    frame = _read(table, file)
    column = _path_column(frame, image, file)
    if group is not None and group not in frame:
        raise InputError(f"{file}: no group column {group!r}. {catalog.suggest(group, frame.columns)}")
    wanted = tuple(filter(None, numbers.split("+")))
    _check_numbers(frame, wanted, file)
    chosen = _chosen(_dealt(frame, frame[group or column], held_out, file), split, file)
    names = [_inside(name, row, file) for row, name in enumerate(frame[column])]
    listing = Listing(
        names=names,
        columns={
            str(name): _labels(frame[name], numbers=name in wanted)
            for name in frame.columns
            if name not in (column, "split")
        },
        splits={split: chosen},
        paths=[str(_absolute(name, root / folder, table.parent / folder)) for name in names],
        group=None if group is None else _groups(frame[group]),
        groups=group or "",
    )
    name = spell(
        "table", load, file=file, folder=folder, image=image, group=group, numbers=numbers, held_out=held_out,
        size=size, skip_unreadable=skip_unreadable,
    )  # fmt: skip
    how = Reading(source="table", where=file, size=size, skip_unreadable=skip_unreadable, channels=PLAIN)
    return read(listing, name, split, how)


def splits(root: Path, *, file: str = "", held_out: float = 0.0, **knobs: object) -> tuple[str, ...]:
    """The splits that the table's own column names, and `all`; `all` and `test` where it has none, or `train` too."""
    del knobs
    frame = _read(_found(file, root), file)
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


def _read(path: Path, file: str) -> "pd.DataFrame":
    """The table, with stray spaces and a byte-order mark gone from names and cells."""
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(
                path,
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=_MISSING,
                skipinitialspace=True,
                low_memory=False,
            )
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InputError(f"{file}: not a table that can be read: {str(error).splitlines()[0]}") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    if frame.empty:
        raise InputError(f"{file}: the table has no rows")
    for name in frame.columns:
        if _is_text(frame[name]):
            cells = frame[name].astype("string").str.strip()
            frame[name] = cells.mask(cells.isin(_MISSING))
    return frame


def _is_text(cells: "pd.Series") -> bool:
    from pandas.api import types

    return not (types.is_numeric_dtype(cells.dtype) or types.is_bool_dtype(cells.dtype))


def _path_column(frame: "pd.DataFrame", image: str | None, file: str) -> str:
    """The column of paths."""
    found = [name for name in ((image,) if image else _PATHS) if name in frame]
    if not found:
        wanted = repr(image) if image else f"of paths ({', '.join(_PATHS)})"
        raise InputError(f"{file}: no image column {wanted}. {catalog.suggest(image or _PATHS[0], frame.columns)}")
    return found[0]


def _split_column(frame: "pd.DataFrame", file: str) -> list[str]:
    """The split of each row."""
    cells = frame["split"]
    if cells.isna().any():
        raise InputError(f"{file}: row {int(cells.isna().to_numpy().argmax()) + 1} has no split")
    return [_SPELLINGS.get(str(cell), str(cell)) for cell in cells]


def _check_numbers(frame: "pd.DataFrame", wanted: tuple[str, ...], file: str) -> None:
    """
    Refuse numbers that are none.

    Raises:
        InputError: there is no such column, or it holds words.
    """
    from pandas.api import types

    for name in wanted:
        if name not in frame:
            raise InputError(f"{file}: no column {name!r} of numbers. {catalog.suggest(name, frame.columns)}")
        if not types.is_numeric_dtype(frame[name].dtype) or types.is_bool_dtype(frame[name].dtype):
            raise InputError(f"{file}: column {name!r} holds words, so it is none of numbers = {'+'.join(wanted)!r}")


def _dealt(frame: "pd.DataFrame", names: "pd.Series", held_out: float, file: str) -> "pd.DataFrame":
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
    spots = identify("table split", [str(name) for name in names]) / 2.0**64
    return frame.assign(split=np.where(spots < held_out, "test", "train"))


def _chosen(frame: "pd.DataFrame", split: str, file: str) -> Int64[np.ndarray, " n"]:
    """Positions of the rows of a split."""
    if split == "all":
        return np.arange(len(frame))
    if "split" not in frame:
        if split == "test":
            return np.arange(len(frame))
        raise InputError(
            f"{file}: no column split, so the whole table is the split test; to use {split}, say which split each row "
            f"belongs to (train, validation, test), or hold a share out: held_out = 0.5"
        )
    names = _split_column(frame, file)
    chosen = np.flatnonzero(np.array(names, dtype=object) == split)
    if not len(chosen):
        raise InputError(f"{file}: no rows in split {split!r}. {catalog.suggest(split, {*names, 'all'})}")
    return chosen


def _inside(name: object, row: int, file: str) -> str:
    """A path as the table has it, which must not climb out of the folder it is relative to."""
    if not isinstance(name, str) or not name:
        raise InputError(f"{file}: row {row + 1} has no image path")
    clean = os.path.normpath(name).replace(os.sep, "/")
    if clean == ".." or clean.startswith("../"):
        raise InputError(f"{file}: row {row + 1}: {name} leaves the folder it is relative to")
    return clean


def _absolute(name: str, root: Path, home: Path) -> Path:
    below = root / name
    return below if below.is_file() else home / name


def _labels(cells: "pd.Series", *, numbers: bool = False) -> Labels:
    """Classes or numbers, whichever the cells are; whole numbers are classes unless told otherwise."""
    from pandas.api import types

    missing = cells.isna().to_numpy(dtype=bool)
    numeric = types.is_numeric_dtype(cells.dtype) and not types.is_bool_dtype(cells.dtype)
    if numeric:
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        missing = missing | ~np.isfinite(values)
        if numbers or (values[~missing] % 1 != 0).any():
            return Labels(np.where(missing, np.nan, values).astype(np.float32))
        words = [str(int(number)) for number in np.unique(values[~missing])]
        named = [None if gap else str(int(number)) for number, gap in zip(values, missing, strict=True)]
    else:
        named = [None if gap else str(cell) for cell, gap in zip(cells, missing, strict=True)]
        words = sorted({name for name in named if name is not None})
    if not words:
        return Labels(np.full(len(cells), np.nan, dtype=np.float32))
    index = {word: position for position, word in enumerate(words)}
    return Labels(np.array([-1 if name is None else index[name] for name in named], dtype=np.int64), tuple(words))


def _groups(cells: "pd.Series") -> Int64[np.ndarray, " n"]:
    """A number for each group; a row without one is a group of its own."""
    labels = _labels(cells.astype("string"))
    codes = np.array(labels.values, dtype=np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes
