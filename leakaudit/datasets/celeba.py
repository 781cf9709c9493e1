"""
CelebA: 202,599 aligned faces of 178x218 of 10,177 people, each with forty attributes that it has or has not.

Liu, Luo, Wang and Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015
(https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html). Read as the official text files, as their csv form on Kaggle
(https://www.kaggle.com/datasets/jessicali9530/celeba-dataset), or as the space-separated csv that the authors of
"Bridging the gap between debiasing and privacy for deep learning" (ICCVW 2021) packed.

`balanced` is the unbiased test of these papers: of the official validation partition, as many images of each of the
four cells of target and private attribute as the smallest has. `conflicting` are those of its images that go against
training: the sign of the association of the two in the training partition says which cells go together there (blond
hair with not male), the other two conflict. The papers call target != (not Male) conflicting; that is the same for
Blond_Hair and Heavy_Makeup, and the opposite for what goes with men. They also call a woman 1; here she is Male no.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Int64

from leakaudit import catalog
from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import Listing, rows

SPLITS = ("train", "validation", "balanced", "conflicting", "test")

HAS = ("no", "yes")
"""Classes of every attribute, in this order."""
PARTITIONS = ("train", "validation", "test")
CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Target and private attribute of each cell."""
FEW = 100
"""With fewer images in each of four cells, an accuracy is uncertain by 98 / sqrt(400) = 4.9 points or more (95 %)."""
ADVICE = (
    "CelebA's aligned images and annotations (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, non-commercial "
    "research only): put list_attr_celeba.txt, list_eval_partition.txt, img_align_celeba/ and, where you have it, "
    "identity_CelebA.txt there, or their csv forms"
)
_FOLDERS = ("celeba", "CelebA", "CelebA/CelebA", "celebA", "celebA/data")
_SIGNS = tuple(f"{below}list_attr_celeba.{form}" for form in ("txt", "csv") for below in ("", "Anno/"))
_IMAGES = ("Img/img_align_celeba", "img_align_celeba/img_align_celeba", "img_align_celeba")
_NAMES = ("image_id", "image")
_PARTS = ("partition", "split")


def layout(root: Path, *, target: str = "Blond_Hair", private: str = "Male", seed: int = 42) -> Listing:
    """
    All forty attributes by their own names, and who is shown as the group where identity_CelebA.txt is there.

    `target`, `private` and `seed` say what `balanced` and `conflicting` are balanced over and which images are drawn;
    42 is the papers' seed, and draws their images. The other splits are the official partitions, whatever they say;
    what a model is for and what is private in it is said apart from them, where it is audited.

    Raises:
        InputError: a file is missing or is not what it should be, or there is no such attribute.
    """
    folder = home("celeba", root, _FOLDERS, _SIGNS, ADVICE)
    names, attributes = _attributes(next(path for path in map(folder.joinpath, _SIGNS) if path.is_file()))
    for knob, name in (("target", target), ("private", private)):
        if name not in attributes:
            raise InputError(f"celeba: {knob} = {name!r}: no such attribute. {catalog.suggest(name, attributes)}")
    if target == private:
        raise InputError(f"celeba: target and private are both {target!r}: two attributes expected")
    if not 0 <= seed < 1 << 32:
        raise InputError(f"celeba: seed = {seed}: a whole number from 0 to 2^32 - 1 expected")
    images = next((folder / below for below in _IMAGES if (folder / below).is_dir()), None)
    if images is None:
        raise InputError(f"celeba: {folder} lacks img_align_celeba/. {ADVICE}")
    partition, who = _partition(folder, names), _file(folder, "identity_CelebA")
    parts = {name: rows(partition == place) for place, name in enumerate(PARTITIONS)}
    drawn, notes = _unbiased(attributes[target], attributes[private], parts, (target, private), seed)
    return Listing(
        names=names,
        columns={name: Labels(values.astype(np.int64), HAS) for name, values in attributes.items()},
        splits=parts | drawn,
        paths=[f"{images}/{name}" for name in names],
        group=None if who is None else _beside(names, sheet(who, **_plain("image", "identity")), "identity", who),
        groups="" if who is None else "identity",
        notes=notes,
    )


def _unbiased(
    y: Int8[np.ndarray, " n"], v: Int8[np.ndarray, " n"], parts: Mapping[str, Int64[np.ndarray, " _"]],
    named: tuple[str, str], seed: int,
) -> tuple[dict[str, Int64[np.ndarray, " _"]], dict[str, tuple[str, ...]]]:  # fmt: skip
    """The splits `balanced` and `conflicting`, and what must be known of their size."""
    import pandas as pd

    cells = [rows((y == a) & (v == b)) for a, b in CELLS]
    judged = [np.intersect1d(cell, parts["validation"], assume_unique=True) for cell in cells]
    learned = [len(np.intersect1d(cell, parts["train"], assume_unique=True)) for cell in cells]
    sizes = [len(cell) for cell in judged]
    some = [pd.Series(cell).sample(min(sizes), random_state=seed).to_numpy(np.int64) for cell in judged]
    lean = learned[0] * learned[3] - learned[1] * learned[2]
    against = [cell for cell, (a, b) in enumerate(CELLS) if lean and (a == b) == (lean < 0)]
    splits = {
        "balanced": np.sort(np.concatenate(some)),
        "conflicting": np.sort(np.concatenate([np.zeros(0, np.int64), *(some[cell] for cell in against)])),
    }
    words = [f"{named[0]} {HAS[a]} and {named[1]} {HAS[b]}" for a, b in CELLS]
    counts = ", ".join(f"{word} {size}" for word, size in zip(words, sizes, strict=True))
    conflict = " and ".join(words[cell] for cell in against) or "none, as the two are not associated there"
    said = f"the official validation partition holds: {counts}; {min(sizes)} of each were drawn with seed {seed}"
    notes = {"balanced": (said,), "conflicting": (said, f"what goes against the training partition: {conflict}")}
    if min(sizes) < FEW:
        least = words[sizes.index(min(sizes))]
        for split, chosen in splits.items():
            notes[split] += (
                f"{least} is only {min(sizes)} images, so a figure of this split rests on {len(chosen)} images"
                + (f": an accuracy is uncertain by {98 / len(chosen) ** 0.5:.0f} points (95 %)" if len(chosen) else ""),
            )
    return splits, notes


def _attributes(path: Path) -> tuple[list[str], dict[str, Int8[np.ndarray, " n"]]]:
    """
    Names of all images, and for each attribute which of them have it.

    Raises:
        InputError: the file is damaged, or holds other values than -1 (or 0) and 1.
    """
    form: dict[str, Any] = {"skiprows": 1 if path.suffix == ".txt" else 0, "sep": _separator(path)}
    header = [str(name) for name in sheet(path, nrows=0, **form).columns]
    key = "image" if path.suffix == ".txt" else next((name for name in _NAMES if name in header), None)
    if key is None:
        raise InputError(f"{path}: no column {' or '.join(map(repr, _NAMES))}. {catalog.suggest(_NAMES[0], header)}")
    columns = [key, *header] if path.suffix == ".txt" else header
    has = [name for name in columns if name != key]
    table = sheet(
        path, header=None, names=columns, sep=form["sep"], skiprows=form["skiprows"] + 1, index_col=False,
        dtype={key: str, **dict.fromkeys(has, np.int8)},
    )  # fmt: skip
    if path.suffix == ".txt":
        with path.open("rb") as file:
            count = file.readline().decode("utf-8-sig", "replace").strip()
        if count != str(len(table)):
            raise InputError(f"{path}: its first line announces {count or 'no'} images, {len(table)} follow")
    if table[key].duplicated().any():
        raise InputError(f"{path}: names {table[key][table[key].duplicated()].iloc[0]} twice")
    for name in has:
        strange = ~np.isin(table[name].to_numpy(), (-1, 0, 1))
        if strange.any():
            row = int(strange.argmax())
            raise InputError(f"{path}: {table[key][row]}: {name} is {table[name][row]}: -1 (or 0) or 1 expected")
    return table[key].tolist(), {name: (table[name].to_numpy() > 0).astype(np.int8) for name in has}


def _partition(folder: Path, names: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """The official partition of each image: 0 training, 1 validation, 2 test."""
    path = _file(folder, "list_eval_partition")
    if path is None:
        raise InputError(f"celeba: {folder} lacks list_eval_partition.txt. {ADVICE}")
    table = sheet(path, **(_plain("image", "partition") if path.suffix == ".txt" else {"sep": _separator(path)}))
    column = next((name for name in _PARTS if name in table), None)
    if column is None:
        wanted = " or ".join(map(repr, _PARTS))
        raise InputError(f"{path}: no column {wanted}. {catalog.suggest(_PARTS[0], map(str, table.columns))}")
    parts = _beside(names, table, column, path)
    if not np.isin(parts, (0, 1, 2)).all():
        raise InputError(f"{path}: partition {parts[~np.isin(parts, (0, 1, 2))][0]}: 0, 1 or 2 expected")
    return parts


def _beside(names: Sequence[str], table: Any, column: str, path: Path) -> Int64[np.ndarray, " n"]:
    """
    A column of whole numbers of another file, in the order of the images.

    Raises:
        InputError: it says nothing of an image.
    """
    key = next((name for name in _NAMES if name in table), None)
    if key is None and len(table) != len(names):
        raise InputError(f"{path}: {len(table)} rows, but there are {len(names)} images")
    if key is not None and table[key].tolist() != list(names):
        table = table.drop_duplicates(key).set_index(key).reindex(list(names))
    if table[column].isna().any():
        raise InputError(f"{path}: says nothing of {names[int(table[column].isna().to_numpy().argmax())]}")
    try:
        numbers: Int64[np.ndarray, " n"] = table[column].to_numpy(np.int64)
    except ValueError as error:
        raise InputError(f"{path}: {column}: {str(error).splitlines()[0]}") from error
    return numbers


def _file(folder: Path, stem: str) -> Path | None:
    """The file of this name, as text or csv, in any of the places where it may lie."""
    places = [folder / below / f"{stem}.{form}" for form in ("txt", "csv") for below in ("", "Anno", "Eval")]
    return next((path for path in places if path.is_file()), None)


def _plain(*columns: str) -> dict[str, Any]:
    """How a text file without a header is read."""
    return {"header": None, "names": columns, "sep": r"\s+", "index_col": False}


def _separator(path: Path) -> str:
    """Of a table: a comma where its first line has one, else white space."""
    with path.open("rb") as file:
        return "," if b"," in file.readline() else r"\s+"


load, splits = loads("celeba", layout, size=224), splits_of(layout)
