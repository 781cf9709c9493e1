"""
The user's own images as Hugging Face's `datasets` saves them on disk: `save_to_disk` of a Dataset or a DatasetDict.

Read from its files (https://huggingface.co/docs/datasets/about_arrow) without the library, which need not be there:
nothing is downloaded, reported or printed. Images are decoded from their bytes when they are asked for. Columns of
ClassLabel keep their names and order; text, truth values and whole numbers are classes, with -1 missing; numbers with a
fraction stay numbers; columns of anything else are left out and named in a note. A DatasetDict says its splits; how a
single Dataset is split, `held_out` says.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leakaudit import catalog, sheets, store
from leakaudit.dataset import Dataset, Labels, spell
from leakaudit.datasets._reader import Reading, read
from leakaudit.errors import InputError
from leakaudit.foreign import labels
from leakaudit.images.embedded import Embedded, locate, stream
from leakaudit.images.stored import Opened, opened
from leakaudit.listing import Listing, dealt, grouped, meant, rows, signs, whose

SPLITS = ("train", "validation", "all", "test")
OWN = True

PLAIN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation per channel: images enter a network in -1..1."""
UNREAD = "{} of {} images could not be read and were left out"
VALUES = ("string", "large_string", "bool")


class Part(NamedTuple):
    """One split as it lies on disk."""

    folder: Path
    files: list[str]
    features: dict[str, dict[str, Any]]
    fingerprint: str


def load(
    split: str,
    root: Path,
    *,
    folder: str = "",
    image: str | None = None,
    group: str | None = None,
    numbers: str = "",
    held_out: float = 0.0,
    size: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """
    One split of the data set in `folder`, which is relative to the working directory or to `root`.

    `image` is the column of images, where there are several. `group` is the column of who or what a row belongs to;
    `numbers` are columns, joined by `+`, whose whole numbers are numbers, such as ages. Where the set is not split, a
    share of about `held_out` of all rows, or groups, is `test` and the rest `train`, by the hash of its number or name.
    `size` is the side of the square to which images are resized. `skip_unreadable` decodes every image once and leaves
    out those that cannot be.

    Raises:
        InputError: the folder, a file or a column is not there or cannot be read; or a knob is out of range.
    """
    parts = _parts(folder, root)
    features = next(iter(parts.values())).features
    column = _column(features, image, folder)
    source, columns, counts, signed = _rows(parts, column, tuple(filter(None, numbers.split("+"))), folder, size)
    if group is not None and group not in columns:
        raise InputError(f"{folder}: no group column {group!r}. {catalog.suggest(group, columns)}")
    groups = None if group is None else grouped(columns[group])
    where = _splits(counts, held_out, whose(None if group is None else columns[group], source.names), folder)
    notes, left = (*_left_out(features, columns, column), *signed), dict[str, tuple[str, ...]]()
    if skip_unreadable:
        bad = source.unreadable()
        gone = {each: (int(bad[chosen].sum()), len(chosen)) for each, chosen in where.items()}
        where = {each: chosen[~bad[chosen]] for each, chosen in where.items()}
        left = {each: (UNREAD.format(count, total),) for each, (count, total) in gone.items() if count}
    listing = Listing(
        names=source.names,
        columns=columns,
        splits=where,
        apart=[each for each in where if each != "all"],
        images=source,
        group=groups,
        groups=group or "",
        notes={"": notes, **left},
        stamp=store.digest(*(part.fingerprint for part in parts.values())),
    )
    name = spell(
        "huggingface", load, folder=folder, image=image, group=group, numbers=numbers, held_out=held_out, size=size,
        skip_unreadable=skip_unreadable,
    )  # fmt: skip
    return read(listing, name, split, Reading(source="huggingface", where=folder, size=size, channels=PLAIN))


def splits(root: Path, *, folder: str = "", held_out: float = 0.0, **knobs: object) -> tuple[str, ...]:
    """The splits that the set has, and `all`; `all` and `test` where it is not split, or `train` too."""
    del knobs
    parts = _parts(folder, root)
    if "" not in parts:
        return (*parts, "all")
    return ("all", "train", "test") if held_out else ("all", "test")


def _parts(folder: str, root: Path) -> dict[str, Part]:
    """The splits on disk; one without a name where the set is not split."""
    if not folder:
        raise InputError("huggingface: the knob folder = the path of a data set saved by save_to_disk expected")
    home = next((path for path in (Path(folder), root / folder) if path.is_dir()), None)
    if home is None:
        raise InputError(f"{folder}: no such folder, here or below {root} (--root, LEAKAUDIT_DATA)")
    if (home / "state.json").is_file():
        return {"": _part(home, folder)}
    told: Any = _json(home / "dataset_dict.json", folder).get("splits")
    if not isinstance(told, list) or not told or not all(isinstance(each, str) for each in told):
        raise InputError(f"{folder}: dataset_dict.json names no splits")
    spelled: dict[str, str] = {}
    for each in map(str, told):
        if spelled.setdefault(meant(each), each) != each:
            raise InputError(
                f"{folder}: splits {spelled[meant(each)]} and {each} are one, {meant(each)}: rename one of them"
            )
    parts = {split: _part(home / Path(each).name, f"{folder}/{each}") for split, each in spelled.items()}
    first, *others = parts.items()
    for each, part in others:
        if part.features != first[1].features:
            raise InputError(f"{folder}: splits {first[0]} and {each} have different columns or classes")
    return parts


def _part(home: Path, where: str) -> Part:
    state, info = _json(home / "state.json", where), _json(home / "dataset_info.json", where)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise InputError(f"{where}: saved with its indices apart: flatten_indices() it before save_to_disk")
    try:
        files = [Path(each["filename"]).name for each in state["_data_files"]]
        return Part(home, files, dict(info["features"]), str(state.get("_fingerprint")))
    except (KeyError, TypeError) as error:
        raise InputError(f"{where}: state.json or dataset_info.json lacks {error}") from error


def _json(path: Path, where: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: no {path.name} that can be read; was it saved by save_to_disk?") from error
    return found if isinstance(found, dict) else {}


def _kind(feature: Any) -> str:
    """`Image`, `ClassLabel`, `Value` of what can be a label; else empty."""
    kind = feature.get("_type") if isinstance(feature, dict) else None
    if kind != "Value":
        return kind if kind in ("Image", "ClassLabel") else ""
    type_ = str(feature.get("dtype"))
    return "Value" if type_ in VALUES or type_.startswith(("int", "uint", "float")) else ""


def _column(features: Mapping[str, Any], image: str | None, folder: str) -> str:
    """The column of images."""
    there = [name for name, feature in features.items() if _kind(feature) == "Image"]
    if image is None and len(there) > 1:
        raise InputError(f"{folder}: several columns of images: image = one of {', '.join(there)}")
    if not there or (image is not None and image not in there):
        raise InputError(
            f"{folder}: no column of images{f' {image!r}' if image else ''}. {catalog.suggest(image or 'image', there)}"
            f"{'' if there else ' Columns: ' + ', '.join(features)}"
        )
    return image or there[0]


def _rows(
    parts: Mapping[str, Part], column: str, numbers: tuple[str, ...], folder: str, size: int | None
) -> tuple[Embedded, dict[str, Labels], dict[str, int], tuple[str, ...]]:
    """The images and labels of all splits, how many rows each has, and what is said of labels."""
    features = next(iter(parts.values())).features
    names = [name for name, feature in features.items() if _kind(feature) in ("ClassLabel", "Value")]
    missing = next((name for name in numbers if name not in names), None)
    if missing:
        raise InputError(f"{folder}: no column {missing!r} of numbers. {catalog.suggest(missing, names)}")
    files: list[Opened] = []
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    places, which, called, counts = [], [], [], {}
    for split, part in parts.items():
        counts[split] = 0
        for file in part.files:
            where = f"{folder}/{split}" if split else folder
            table, address = stream(part.folder / file, where)
            absent = next((name for name in (column, *names) if name not in table.column_names), None)
            if absent:
                raise InputError(f"{where}: {file} lacks the column {absent!r} that dataset_info.json has")
            places.append(locate(table[column], address, where))
            which.append(np.full(len(table), len(files), dtype=np.int64))
            files.append(opened(part.folder / file))
            for name in names:  # at once: what holds on to a table holds on to the file that it is seen in
                values[name].append(_values(table[name], f"{where}: {name}"))
            called += [f"{_called(part, split)}/{row}" for row in range(counts[split], counts[split] + len(table))]
            counts[split] += len(table)
    whole = {name: np.concatenate(values[name]) for name in names}
    columns = {name: _labels(whole[name], features[name], f"{folder}: {name}", name in numbers) for name in names}
    source = Embedded.open(tuple(files), np.concatenate(which), np.concatenate(places), called, size)
    signed = signs({name: whole[name] for name in names if _kind(features[name]) == "Value"})
    return source, columns, counts, signed


def _called(part: Part, split: str) -> str:
    """The set's own folder, and the split where it has some: wherever the folder lies."""
    home = part.folder.resolve()
    return f"{home.parent.name}/{split}" if split else home.name


def _values(cells: Any, where: str) -> np.ndarray:
    """Whole numbers with -1, other numbers with NaN, and text with the empty text where there is none."""
    import pyarrow as pa

    return sheets.columns(pa.table({"cells": cells}), Path(where))["cells"]


def _labels(values: np.ndarray, feature: Mapping[str, Any], where: str, number: bool) -> Labels:  # noqa: FBT001 (whether `numbers` names it)
    """A column as classes or numbers."""
    if _kind(feature) == "ClassLabel":
        known = tuple(map(str, feature.get("names") or ()))
        if len(values) and not -1 <= values.min() <= values.max() < len(known):
            raise InputError(f"{where}: class {values.max()} of {len(known)}")
        return Labels(values.astype(np.int64), known)
    if number:
        if values.dtype.kind not in "iuf":
            raise InputError(f"{where} holds no numbers, so it is none of numbers")
        return Labels(np.where((values == -1) & (values.dtype.kind == "i"), np.nan, values).astype(np.float32))
    return labels(values, where)


def _splits(counts: Mapping[str, int], held_out: float, names: Sequence[Any], folder: str) -> dict[str, np.ndarray]:
    """Rows of each split."""
    if "" in counts:
        return dealt("huggingface", names, held_out, folder)
    if held_out:
        raise InputError(f"{folder}: says itself what is tested; held_out = {held_out} says nothing here")
    whose = np.repeat(np.arange(len(counts)), list(counts.values()))
    return {name: rows(whose == code) for code, name in enumerate(counts)} | {"all": rows(whose >= 0)}


def _left_out(features: Mapping[str, Any], columns: Mapping[str, Labels], image: str) -> tuple[str, ...]:
    left = [name for name in features if name not in columns and name != image]
    return (f"columns that hold no label were left out: {', '.join(left)}",) if left else ()
