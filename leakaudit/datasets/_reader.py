"""
The one reader of tables: from a listing to a split of a data set, and from a layout to `load` and `splits`.

A layout is `layout(root, *, <knobs>) -> Listing`. `loads` makes of it the `load` of its file, whose knobs are the
layout's own and those that every data set of image files has: `size`, `rows`, `skip_unreadable`.
"""

import inspect
import stat
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from leakaudit import catalog, store
from leakaudit.dataset import Dataset, Selected, identify, spell
from leakaudit.errors import InputError
from leakaudit.images.files import Files, pooled, unreadable
from leakaudit.listing import IMAGENET, Listing

if TYPE_CHECKING:
    import pandas as pd

HEAD = 60
"""Characters of a column's name that a message repeats."""
Layout = Callable[..., Listing]
Channels = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a listing is read."""

    source: str
    """Of whose images the names are: rows of one name in one source are one image."""
    where: str
    """For messages: the table, or the data set."""
    size: int | None = None
    rows: int | None = None
    skip_unreadable: bool = False
    channels: Channels = IMAGENET
    folder: str = ""
    """For messages: where files named by relative paths were looked for."""


def read(listing: Listing, name: str, split: str, how: Reading) -> Dataset:
    """
    One split of a listing, called `name`.

    Raises:
        InputError: there is no such split or it has no rows, a file is missing, or none can be read.
    """
    if how.size is not None and how.size < 1:
        raise InputError(f"{how.where}: size = {how.size}: at least 1 expected")
    if how.rows is not None and how.rows < 1:
        raise InputError(f"{how.where}: rows = {how.rows}: at least 1 expected")
    if split not in listing.splits:
        raise InputError(f"{how.where}: no split {split!r}. {catalog.suggest(split, listing.splits)}")
    chosen = listing.splits[split]
    if not len(chosen):
        raise InputError("; ".join([f"{how.where}: no rows in split {split!r}", *listing.notes.get(split, ())]))
    notes = [*listing.notes.get("", ()), *listing.notes.get(split, ()), *_shared(listing)]
    ids = identify(how.source, [listing.names[row] for row in chosen])
    if how.rows is not None and how.rows < len(chosen):
        kept = np.sort(np.argsort(ids, kind="stable")[: how.rows])
        chosen, ids = chosen[kept], ids[kept]
    stamp = listing.stamp
    if listing.images is None:
        chosen, ids, left_out, stamp = _there(listing, chosen, ids, split, how)
        notes += left_out
        lines = [row + 1 for row in chosen.tolist()] if listing.lines is None else [listing.lines[r] for r in chosen]
        images: Any = Files.open([listing.paths[row] for row in chosen], lines, how.where, how.size)
    else:
        images = Selected(listing.images, chosen, how.size)
    return Dataset(
        name=name,
        split=split,
        images=images,
        columns={label: labels.take(chosen) for label, labels in listing.columns.items()},
        ids=ids,
        mean=how.channels[0],
        std=how.channels[1],
        group=None if listing.group is None else listing.group[chosen],
        groups=listing.groups,
        notes=tuple(notes),
        stamp=stamp,
    )


def _there(
    listing: Listing, chosen: Int64[np.ndarray, " n"], ids: np.ndarray, split: str, how: Reading
) -> tuple[Int64[np.ndarray, " m"], np.ndarray, list[str], str]:
    """The rows whose files are there and, if asked, can be read; what was left out; and a stamp of the files' sizes."""
    paths = [listing.paths[row] for row in chosen]
    sizes = np.array(pooled(_bytes, paths))
    bad = sizes <= 0
    if how.skip_unreadable:
        bad[~bad] = unreadable([path for path, broken in zip(paths, bad.tolist(), strict=True) if not broken])
    if bad.any() and not how.skip_unreadable:
        place = int(bad.argmax())
        line = chosen[place] + 1 if listing.lines is None else listing.lines[chosen[place]]
        more = f", and {bad.sum() - 1} more" if bad.sum() > 1 else ""
        what = "empty file" if sizes[place] == 0 else "no such image"
        looked = f" (looked in {how.folder})" if how.folder else ""
        raise InputError(f"{how.where}: row {line}: {what}: {paths[place]}{more}{looked}")
    if bad.all():
        raise InputError(f"{how.where}: none of the {len(paths)} images of split {split} can be read")
    notes = [f"{bad.sum()} of {len(paths)} images could not be read and were left out"] if bad.any() else []
    good = np.flatnonzero(~bad)
    return chosen[good], ids[good], notes, store.digest(*map(str, sizes[good].tolist()))


def straddling(listing: Listing) -> Int64[np.ndarray, " g"]:
    """The groups that have rows in more than one of the splits that are to share none."""
    if listing.group is None:
        return np.empty(0, np.int64)
    parts = [np.unique(listing.group[listing.splits[split]]) for split in listing.apart if split in listing.splits]
    found, times = np.unique(np.concatenate(parts), return_counts=True) if parts else (np.empty(0, np.int64), 0)
    shared: Int64[np.ndarray, " g"] = found[times > 1] if len(found) else found
    return shared


def _shared(listing: Listing) -> list[str]:
    """What a reader must know of groups that a model was trained on and that are audited, too."""
    count = len(straddling(listing))
    what = f"groups ({listing.groups}) have" if count > 1 else f"group ({listing.groups}) has"
    return [f"{count:,} {what} rows {listing.several}"] if count else []


def _bytes(path: str) -> int:
    """Size of a file; -1 where there is none, or something else."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def loads(name: str, layout: Layout, *, size: int | None, channels: Channels = IMAGENET) -> Callable[..., Dataset]:
    """The `load` of a layout of image files, whose square side is `size` unless the knob says otherwise."""

    def load(
        split: str, root: Path, *, size: int | None = size, rows: int | None = None, skip_unreadable: bool = False,
        **knobs: Any,
    ) -> Dataset:  # fmt: skip
        shared: dict[str, Any] = {"size": size, "rows": rows, "skip_unreadable": skip_unreadable}
        how = Reading(source=name, where=name, channels=channels, **shared)
        return read(layout(root, **knobs), spell(name, load, **shared, **_all(layout, knobs)), split, how)

    return _signed(load, layout)


def splits_of(layout: Layout) -> Callable[..., tuple[str, ...]]:
    """The `splits` of a layout: those that have rows under its knobs."""

    def splits(root: Path, **knobs: Any) -> tuple[str, ...]:
        known = catalog.knobs(layout)
        listing = layout(root, **{knob: value for knob, value in knobs.items() if knob in known})
        return tuple(name for name, rows in listing.splits.items() if len(rows))

    return splits


def _all(layout: Layout, knobs: dict[str, Any]) -> dict[str, Any]:
    """Every knob of a layout, with its default where it is not given."""
    return {knob: parameter.default for knob, parameter in catalog.knobs(layout).items()} | knobs


def _signed(load: Callable[..., Dataset], layout: Layout) -> Callable[..., Dataset]:
    """`load` with the signature of both: what `catalog` reads knobs from."""
    own = inspect.signature(load)
    fixed = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    extra = [each for name, each in catalog.knobs(layout).items() if name not in own.parameters]
    load.__signature__ = own.replace(parameters=[*fixed, *extra])  # type: ignore[attr-defined]
    load.__annotations__ = {**layout.__annotations__, **load.__annotations__}
    load.__annotations__.pop("knobs", None)
    load.__doc__ = layout.__doc__
    return load


def home(name: str, root: Path, folders: Sequence[str], sign: str | Sequence[str], advice: str) -> Path:
    """
    The folder in which a named set lies: the first of `folders` below `root` that holds `sign`, or one of several.

    Raises:
        InputError: there is none; `advice` says where the data come from and what to put where.
    """
    signs = (sign,) if isinstance(sign, str) else tuple(sign)
    for folder in folders:
        if any(next(iter((root / folder).glob(each)), None) is not None for each in signs):
            return root / folder
    raise InputError(f"{name}: not here: {root / folders[0]} lacks {' or '.join(signs)}. {advice}")


def plain(path: Path) -> str:
    """
    The text of a file that is part of a data set.

    Raises:
        InputError: it cannot be read, or is not in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def sheet(path: Path, *columns: str, **options: Any) -> "pd.DataFrame":
    """
    A table of text that is part of a data set, with at least these columns; `options` are those of `pandas.read_csv`.

    Raises:
        InputError: it is not there, cannot be read, has no rows or lacks a column.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(path, **{"encoding": "utf-8-sig", **options})
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise InputError(f"{path}: not a table that can be read: {str(error).splitlines()[0]}") from error
    for column in columns:
        if column not in frame:
            heads = [" ".join(str(head).split())[:HEAD] for head in frame.columns]
            raise InputError(f"{path}: no column {column!r}. {catalog.suggest(column, heads)}")
    if frame.empty and options.get("nrows") != 0:
        raise InputError(f"{path}: the table has no rows")
    return frame
