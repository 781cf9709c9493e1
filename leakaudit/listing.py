"""A listing: what a data set's layout on disk says of its rows, before any image is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from leakaudit.dataset import Images, Labels, identify
from leakaudit.errors import InputError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's channels, with which the papers normalise photographs and X-rays."""
APART = ("train", "validation", "test")
"""Splits of a named set that are to share nothing; further ones, such as eb1 of utkface, may be drawn from these."""
SPELLINGS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What users call the three, in whatever case."""


def meant(split: str) -> str:
    """The split that a user's word for one means: one of the three (`SPELLINGS`), else the word as it stands."""
    return SPELLINGS.get(split.strip().casefold(), split)


@dataclass(frozen=True)
class Listing:
    """The rows of all splits of a data set."""

    names: Sequence[str]
    """Each row's own name in the data set, of which its identity is made: the same wherever the same image appears."""
    columns: Mapping[str, Labels]
    splits: Mapping[str, Int64[np.ndarray, " _"]]
    """Rows of each split, ascending; splits may share rows, as a balanced test shares those of its whole."""
    apart: Sequence[str] = APART
    """Splits that are to share no group and no image, pairwise: of a user's own data all that they name."""
    paths: Sequence[str] = ()
    """Image file of each row; empty where `images` holds them."""
    images: Images | None = None
    """The images of all rows, where they are not files of their own."""
    group: Int64[np.ndarray, " n"] | None = None
    groups: str = ""
    """Name of what `group` is: identity, patient."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By split, or "" for all of them: what a reader of an audit must know."""
    lines: Sequence[int] | None = None
    """Row of each image in the table that names it, for messages; None: counted from 1."""
    stamp: str = ""
    """Sha256 of what tells `images` from others of the same names; files are told apart by their sizes."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.names)

    @property
    def several(self) -> str:
        """What is said of a group that is in two of the splits that are to share none."""
        *most, last = sorted(self.apart, key=lambda name: APART.index(name) if name in APART else len(APART))
        return f"in more than one of {', '.join(most)} and {last}"


def classes(words: Sequence[Any], names: Sequence[str] | None = None) -> Labels:
    """Words as classes, in the order of `names` or of the alphabet; None and the empty word are missing."""
    texts = ["" if word is None else str(word) for word in words]
    known = tuple(names) if names is not None else tuple(sorted(set(texts) - {""}))
    index = {word: place for place, word in enumerate(known)}
    strange = next((word for word in texts if word and word not in index), None)
    if strange is not None:
        raise InputError(f"a label {strange!r} is none of {', '.join(known)}")
    return Labels(np.array([index.get(word, -1) for word in texts], dtype=np.int64), known)


def flags(values: Sequence[Any], names: tuple[str, str]) -> Labels:
    """Truth values as two classes, named false first; zero and below are false, None is missing."""
    codes = [-1 if value is None else int(float(value) > 0) for value in values]
    return Labels(np.array(codes, dtype=np.int64), names)


def numbers(values: Sequence[Any]) -> Labels:
    """Numbers as they are; None is missing."""
    return Labels(np.array([np.nan if value is None else float(value) for value in values], dtype=np.float32))


def rows(mask: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """Where a mask is true."""
    return np.flatnonzero(mask).astype(np.int64)


def grouped(column: Labels) -> Int64[np.ndarray, " n"]:
    """A number for each group that a label column names; a row without one is a group of its own."""
    codes = column.values.astype(np.int64) if column.classes else np.unique(column.values, return_inverse=True)[1]
    alone = ~column.known
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes.astype(np.int64)


def whose(column: Labels | None, names: Sequence[str]) -> list[str]:
    """By what each row is dealt: the name of the group that a label column gives it, else its own of `names`."""
    if column is None:
        return list(names)
    return [
        (column.classes[int(value)] if column.classes else str(int(value) if float(value).is_integer() else value))
        if known
        else name
        for value, known, name in zip(column.values.tolist(), column.known.tolist(), names, strict=True)
    ]


def signs(columns: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """What a reader must know of whole numbers where -1 is missing: columns in which 1 is the only other."""
    both = {-1, 1}
    alone = [
        name
        for name, values in columns.items()
        if values.dtype.kind in "if" and set(np.unique(values[np.isfinite(values)]).tolist()) == both
    ]
    if not alone:
        return ()
    return (f"-1 is read as missing, and 1 is all else that is in {', '.join(alone)}; write 0 and 1 if -1 is a class",)


def spots(source: str, names: Sequence[Any]) -> Float64[np.ndarray, " n"]:
    """A place in 0..1 for each name, by its hash: shares are cut along it, so that other rows have no say."""
    places: Float64[np.ndarray, " n"] = identify(f"{source} split", names) / 2.0**64
    return places


def check_share(source: str, held_out: float) -> None:
    """
    Refuse a share of the training images that is none, before any file is read.

    Raises:
        InputError: it is below 0, or all of them.
    """
    if not 0 <= held_out < 1:
        raise InputError(f"{source}: held_out = {held_out}: a share of the training images below 1 expected")


def held(
    source: str, names: Sequence[Any], learned: Bool[np.ndarray, " n"], held_out: float
) -> dict[str, Int64[np.ndarray, " _"]]:
    """The splits of a set with training and test images: about a share of the first (`check_share`) is `validation`."""
    kept = learned & (spots(source, names) < held_out)
    return {"train": rows(learned & ~kept), "validation": rows(kept), "test": rows(~learned)}


def dealt(source: str, names: Sequence[Any], held_out: float, where: str) -> dict[str, Int64[np.ndarray, " _"]]:
    """
    The splits of what says none itself: `all`, and `test`, which is all or about a share; then the rest is `train`.

    The share is dealt by the hash of names, so that other rows have no say and rows of one name are in one split.

    Raises:
        InputError: the share is none.
    """
    if not 0 <= held_out < 1:
        raise InputError(f"{where}: held_out = {held_out}: a number from 0 up to, but not, 1 expected")
    everything = np.arange(len(names), dtype=np.int64)
    if not held_out:
        return {"all": everything, "test": everything}
    tested = spots(source, names) < held_out
    return {"all": everything, "train": rows(~tested), "test": rows(tested)}
