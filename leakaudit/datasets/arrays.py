"""
The user's own images or vectors as arrays in one `.npz`: `images` or `x`, and an array for each label.

Images are (n, h, w), (n, h, w, c) or (n, c, h, w), 8-bit or float; vectors are (n, d). Every other array of n rows is a
label column: text, truth values and whole numbers of at most 1,000 kinds are classes, with -1 and the empty text
missing; other numbers stay numbers, with NaN missing. A column `split` says where a row belongs. Or arrays come by
split, as in MedMNIST (https://medmnist.com: `train_images`, `train_labels`, `val_images`, ...) or Keras (`x_train`,
`y_train`, ...).

8-bit images enter a network in -1..1. Float images and vectors, whatever range they are in, enter less the mean of each
channel over the training rows and over its standard deviation there. Rows of an uncompressed file (`numpy.savez`) are
read where they lie, a batch at a time; see `images/stored.py`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int64

from leakaudit import catalog, store
from leakaudit.dataset import Dataset, Labels, spell
from leakaudit.datasets._reader import Channels, Reading, read
from leakaudit.errors import InputError
from leakaudit.foreign import labels
from leakaudit.images import stored
from leakaudit.images.tensors import Order, Tensors
from leakaudit.listing import SPELLINGS, Listing, dealt, grouped, meant, signs, whose

SPLITS = ("train", "validation", "all", "test")
OWN = True

IMAGES = ("images", "image", "x", "vectors")
"""Names under which images or vectors are looked for."""
PLAIN = (0.5, 0.5)
MOST = 4
"""Channels up to which an axis is taken for that of channels."""
WIDEST = 64
"""Columns up to which the columns of a matrix are labels, one each."""
_PARTS = "|".join(SPELLINGS)
_BY_SPLIT = re.compile(rf"(?:(?P<first>{_PARTS})_(?P<name>.+)|(?P<after>.+)_(?P<last>{_PARTS}))", re.IGNORECASE)


class Found(NamedTuple):
    """What a file holds, before any image is read."""

    path: Path
    file: str
    """As it is typed."""
    parts: dict[str, dict[str, str]]
    """By split, or "" for an undivided file: what each array is called, and what in the file."""
    shapes: dict[str, tuple[int, ...]]
    undivided: tuple[str, ...] = ()
    """Arrays of no split, where others come by split."""


def load(
    split: str,
    root: Path,
    *,
    file: str = "",
    image: str | None = None,
    channels: Literal["first", "last"] | None = None,
    group: str | None = None,
    numbers: str = "",
    held_out: float = 0.0,
    size: int | None = None,
    rows: int | None = None,
) -> Dataset:
    """
    One split of the arrays in `file`, which is relative to the working directory or to `root`.

    `image` is the array of images or vectors (`images`, `image`, `x` or `vectors` where it is not said); `channels` is
    where their channels stand, where their shape does not tell. `group` is the column of who or what a row belongs to;
    `numbers` are columns, joined by `+`, whose whole numbers are numbers, such as ages. Where nothing says what is
    tested, a share of about `held_out` of all rows, or groups, is `test` and the rest `train`, by the hash of its
    number or name. `size` is the side of the square to which images are resized; `rows` keeps so many of the split.

    Raises:
        InputError: the file or an array of it is not there, cannot be read, or is none that can be used; or a knob is
            out of range.
    """
    found = _open(file, root)
    name = _images(found, image)
    source = _source(found, name, channels, size)
    columns, notes = _columns(found, name, len(source), numbers)
    if group is not None and group not in columns:
        raise InputError(f"{file}: no group column {group!r}. {catalog.suggest(group, columns)}")
    groups = None if group is None else grouped(columns[group])
    names = [f"{found.path.name}/{number}" for number in range(len(source))]
    parts = _splits(found, name, columns, held_out, whose(None if group is None else columns[group], names))
    means, said = _channels(source, parts)
    info = stored.members(found.path, file)
    listing = Listing(
        names=names,
        columns={label: column for label, column in columns.items() if label != "split"},
        splits=parts,
        apart=[each for each in parts if each != "all"],
        images=source,
        group=groups,
        groups=group or "",
        notes={"": (*notes, *said)},
        stamp=store.digest(*(f"{each} {info[each].CRC} {info[each].file_size}" for each in sorted(info))),
    )
    name = spell(
        "arrays", load, file=file, image=image, channels=channels, group=group, numbers=numbers, held_out=held_out,
        size=source.size, rows=rows,
    )  # fmt: skip
    return read(listing, name, split, Reading(source="arrays", where=file, rows=rows, channels=means))


def splits(
    root: Path, *, file: str = "", image: str | None = None, held_out: float = 0.0, **knobs: object
) -> tuple[str, ...]:
    """The splits that the file says, and `all`; `all` and `test` where it says none, or `train` too."""
    del knobs
    found = _open(file, root)
    name = _images(found, image)
    count = sum(found.shapes[part[name]][0] for part in found.parts.values())
    columns = _columns(found, name, count, "", only="split")[0]
    return tuple(_splits(found, name, columns, held_out, list(range(count))))


def _open(file: str, root: Path) -> Found:
    """
    What is in the file, wherever it lies.

    Raises:
        InputError: there is none or it holds no array, or spells one split in two ways.
    """
    if not file:
        raise InputError("arrays: the knob file = the path of an .npz expected")
    path = next((each for each in (Path(file), root / file) if each.is_file()), None)
    if path is None:
        raise InputError(f"{file}: no such file, here or below {root} (--root, LEAKAUDIT_DATA)")
    info = stored.members(path, file)
    if not info:
        raise InputError(f"{file}: holds no array")
    told = {name: match for name in info if (match := _BY_SPLIT.fullmatch(name))}
    parts: dict[str, dict[str, str]] = {}
    spelled: dict[str, tuple[str, str]] = {}
    divided = any((match["name"] or match["after"]) in IMAGES for match in told.values())
    for name in info:
        match = told.get(name) if divided else None
        word = "" if match is None else match["first"] or match["last"]
        plain = name if match is None else match["name"] or match["after"]
        split = meant(word)
        before, other = spelled.setdefault(split, (word, name))
        if before != word:
            raise InputError(
                f"{file}: {other} and {name}: one split, {split}, is spelled in two ways: rename one of them"
            )
        parts.setdefault(split, {})[plain] = name
    undivided = parts.pop("", {}) if divided else {}
    if len(parts) == 1:
        only = next(iter(parts.values()))
        only.update({name: undivided.pop(name) for name in list(undivided) if name not in only})
    return Found(path, file, parts, stored.shapes(path, info, file), tuple(undivided))


def _images(found: Found, image: str | None) -> str:
    """What the array of images is called."""
    there = next(iter(found.parts.values()))
    name = next((each for each in ((image,) if image else IMAGES) if each in there), None)
    if name is None:
        wanted = repr(image) if image else f"of images or vectors ({', '.join(IMAGES)})"
        raise InputError(f"{found.file}: no array {wanted}. {catalog.suggest(image or IMAGES[0], there)}")
    for split, part in found.parts.items():
        if name not in part:
            raise InputError(f"{found.file}: split {split} has no {name}. {catalog.suggest(name, part)}")
        if not found.shapes[part[name]] or 0 in found.shapes[part[name]]:
            raise InputError(f"{found.file}: {part[name]} of shape {list(found.shapes[part[name]])} holds no images")
    return name


def _source(found: Found, name: str, channels: str | None, size: int | None) -> Tensors:
    """The images of all splits, one behind the other."""
    info = stored.members(found.path, found.file)
    actual = [part[name] for part in found.parts.values()]
    order = _order(found.shapes[actual[0]], channels, f"{found.file}: {actual[0]}")
    for other in actual[1:]:
        if found.shapes[other][1:] != found.shapes[actual[0]][1:]:
            shapes = " and ".join(f"{each} {list(found.shapes[each])}" for each in (actual[0], other))
            raise InputError(f"{found.file}: images of two shapes: {shapes}")
    parts = tuple(stored.member(found.path, info[each], f"{found.file}: {each}") for each in actual)
    for each, part in zip(actual, parts, strict=True):
        if part.dtype != parts[0].dtype:
            raise InputError(f"{found.file}: {each} is {part.dtype}, {actual[0]} {parts[0].dtype}: one type expected")
        if part.dtype.kind not in ("f" if order != "d" else "fiu") and part.dtype != np.uint8:
            raise InputError(
                f"{found.file}: {each} is {part.dtype}: images are uint8 in 0..255, or floats; "
                f"convert them as their numbers mean"
            )
    if size is not None and (size < 1 or (order == "d" and size > 1)):
        raise InputError(
            f"{found.file}: size = {size}: {'vectors have no size' if size > 0 else 'at least 1 expected'}"
        )
    return Tensors(parts, order, found.file, None if order == "d" else size)


def _order(shape: tuple[int, ...], channels: str | None, where: str) -> Order:
    """What the axes of images of this shape are."""
    if len(shape) == len("nd"):
        return "d"
    if len(shape) == len("nhw"):
        return "hw"
    if len(shape) != len("nchw"):
        raise InputError(f"{where} has shape {list(shape)}: (n, d), (n, h, w), (n, h, w, c) or (n, c, h, w) expected")
    first, last = shape[1] <= MOST, shape[3] <= MOST
    if channels is None and first == last:
        raise InputError(f"{where} has shape {list(shape)}: where are the channels? channels = first, or last")
    return "chw" if channels == "first" or (channels is None and first) else "hwc"


def _columns(
    found: Found, name: str, count: int, numbers: str, only: str | None = None
) -> tuple[dict[str, Labels], list[str]]:
    """Every label of all splits, missing where a split has none; and what was left out."""
    info = stored.members(found.path, found.file)
    wanted = tuple(filter(None, numbers.split("+")))
    pieces: dict[str, list[tuple[int, np.ndarray]]] = {}
    strange, first = [], 0
    for part in found.parts.values():
        rows = found.shapes[part[name]][0]
        for plain, actual in part.items():
            shape = found.shapes[actual]
            if plain == name or (only and plain != only):
                continue
            fits = shape[:1] == (rows,) and (len(shape) == 1 or (len(shape) == len("nd") and shape[1] <= WIDEST))
            values = stored.column(found.path, info[actual], f"{found.file}: {actual}") if fits else None
            if values is None or values.dtype.kind not in "iufbUS" or plain in IMAGES:
                strange.append(f"{actual} {list(shape)}")
                continue
            for place, column in enumerate(values.reshape(rows, -1).T):
                label = plain if values.reshape(rows, -1).shape[1] == 1 else f"{plain}{place}"
                pieces.setdefault(label, []).append((first, column))
        first += rows
    missing = next((column for column in wanted if column not in pieces), None)
    if missing:
        raise InputError(f"{found.file}: no column {missing!r} of numbers. {catalog.suggest(missing, pieces)}")
    made, raw = {}, {}
    for label, each in pieces.items():
        where = f"{found.file}: {label}"
        raw[label] = values = np.concatenate([column for _, column in each])
        if label in wanted and values.dtype.kind not in "iuf":
            raise InputError(f"{where} holds no numbers, so it is none of numbers = {numbers!r}")
        known = _numbers(values) if label in wanted else labels(values, where)
        filled = np.full(count, -1 if known.classes else np.nan, dtype=known.values.dtype)
        filled[np.concatenate([start + np.arange(len(column)) for start, column in each])] = known.values
        made[label] = Labels(filled, known.classes)
    notes = [f"arrays that are no labels of {count} rows were left out: {', '.join(strange)}"] if strange else []
    if found.undivided:
        alone = ", ".join(f"{each} {list(found.shapes[each])}" for each in found.undivided)
        like = next(iter(found.parts.values()))[name]
        notes.append(f"arrays of no split were left out: {alone}; write one for each split, as {like} is of one")
    return made, [*notes, *signs(raw)]


def _numbers(values: np.ndarray) -> Labels:
    """Numbers as they are; of whole ones -1 is missing."""
    return Labels(np.where((values == -1) & (values.dtype.kind == "i"), np.nan, values).astype(np.float32))


def _splits(
    found: Found, name: str, columns: Mapping[str, Labels], held_out: float, names: Sequence[object]
) -> dict[str, Int64[np.ndarray, " _"]]:
    """Rows of each split."""
    everything = np.arange(len(names), dtype=np.int64)
    if held_out and ("" not in found.parts or "split" in columns):
        raise InputError(f"{found.file}: says itself what is tested; held_out = {held_out} says nothing here")
    if "" not in found.parts:
        ends = np.cumsum([found.shapes[part[name]][0] for part in found.parts.values()])[:-1]
        return dict(zip(found.parts, np.split(everything, ends), strict=True)) | {"all": everything}
    if "split" in columns:
        said = columns["split"]
        if not said.classes or not said.known.all():
            raise InputError(f"{found.file}: split: row {int((~said.known).argmax()) + 1} says no split")
        made: dict[str, Int64[np.ndarray, " _"]] = {}
        for code, word in enumerate(said.classes):
            known = meant(word)
            made[known] = np.union1d(made.get(known, everything[:0]), np.flatnonzero(said.values == code))
        return made | {"all": everything}
    return dealt("arrays", names, held_out, found.file)


def _channels(source: Tensors, parts: Mapping[str, np.ndarray]) -> tuple[Channels, list[str]]:
    """Mean and standard deviation of each channel, and what a reader must know of them."""
    depth, kind = source.shape[0], source.parts[0].dtype
    if source.order != "d" and kind == np.uint8:
        return ((PLAIN[0],) * depth, (PLAIN[1],) * depth), []
    learned = parts.get("train")
    rows = learned if learned is not None and len(learned) else np.arange(len(source), dtype=np.int64)
    what = "vectors" if source.order == "d" else "images"
    whose = "training rows" if rows is learned else "all rows, for there are no training rows"
    notes = [f"{what} enter less the mean and over the standard deviation of each channel of {whose}"]
    if kind.itemsize > np.dtype(np.float32).itemsize or kind.kind in "iu":
        notes.append(f"{what} are stored as {kind} and read as float32")
    return source.moments(rows), notes
