"""A data set: images that are visited in batches, and label columns beside them."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt64

from leakaudit import catalog, store
from leakaudit.errors import InputError

BLOCK = 4096
"""Images that are hashed at a time."""
_LEFT = re.compile(r"\bleft out: ([^;]+)|^array (.+) of shape .* left aside$")
"""What a note names that its data set, or a file of embeddings, has no label of."""
Batch = UInt8[np.ndarray, "b c h w"] | Float32[np.ndarray, "b c h w"]


@runtime_checkable
class Images(Protocol):
    """An image source: in memory, memory-mapped, or decoded as it is asked."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image as it enters a network."""

    def __len__(self) -> int:
        """Count of images."""

    def batch(self, rows: Int64[np.ndarray, " b"]) -> Batch:
        """
        The images of these rows: uint8 in 0..255, or float32 as they are.

        All have one height and width; where these are not those of `shape`, `numerics.resizing.fit` brings them there
        on whatever device they are going to.
        """

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A 64-bit hash of what each of these images is made of: equal for copies of one image."""


@dataclass(frozen=True)
class Pixels:
    """Images that sit whole in memory."""

    values: UInt8[np.ndarray, "n c h w"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.values.shape
        return channels, height, width

    def __len__(self) -> int:
        """Count of images."""
        return len(self.values)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> Batch:
        """The images of these rows."""
        images: Batch = self.values[rows]
        return images

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A hash of each image's pixels."""
        return hashes(image.tobytes() for image in self.values[rows])


@dataclass(frozen=True)
class Selected:
    """Some of the images of another source."""

    source: Images
    rows: Int64[np.ndarray, " n"]
    size: int | None = None
    """Side of the square that the device brings them to; None: as they are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels, height, width = self.source.shape
        return (channels, height, width) if self.size is None else (channels, self.size, self.size)

    @property
    def distorted(self) -> bool:
        """Whether images lose the ratio of their sides."""
        _, height, width = self.source.shape
        return distorted(self.source) or (self.size is not None and height != width)

    def keeping(self, resize: tuple[int, int], size: tuple[int, int]) -> "Selected":
        """The same with the sides of images in ratio: as `Files.keeping`, or as they are, for the device to do it."""
        return Selected(keeping(self.source, resize, size), self.rows)

    def __len__(self) -> int:
        """Count of images."""
        return len(self.rows)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> Batch:
        """The images of these rows."""
        return self.source.batch(self.rows[rows])

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """The source's own."""
        return self.source.contents(self.rows[rows])


def keeping(images: Images, resize: tuple[int, int], size: tuple[int, int]) -> Images:
    """Images that keep the ratio of their sides, where their source would not; what the device resizes, stays."""
    keep: Any = getattr(images, "keeping", None)
    return images if keep is None else keep(resize, size)


def distorted(images: Images) -> bool:
    """Whether a source brings images to a size that is not in the ratio of their sides."""
    return bool(getattr(images, "distorted", False))


@dataclass(frozen=True)
class Labels:
    """One label column: classes, or numbers."""

    values: Int64[np.ndarray, " n"] | Float32[np.ndarray, " n"]
    """Index into `classes` with -1 for missing; or numbers with NaN for missing."""
    classes: tuple[str, ...] = ()
    """Names of the classes; empty for numbers."""

    @property
    def known(self) -> np.ndarray:
        """Which rows have a label."""
        return self.values >= 0 if self.classes else np.isfinite(self.values)

    def take(self, rows: np.ndarray) -> "Labels":
        """The labels of some rows."""
        return Labels(self.values[rows], self.classes)


@dataclass(frozen=True)
class Dataset:
    """One split of a data set."""

    name: str
    """As it is typed, knobs included: `biased-mnist:rho=0.99`."""
    split: str
    images: Images
    columns: Mapping[str, Labels]
    """Every label there is, by name; which is target and which is private is the user's choice."""
    ids: UInt64[np.ndarray, " n"]
    """Identity of the source image of each row (`identify`): equal wherever the same image appears, recoloured or
    not."""
    mean: tuple[float, ...]
    """Per channel: an image enters a network as (x / 255 - mean) / std, one of float32 as (x - mean) / std."""
    std: tuple[float, ...]
    group: Int64[np.ndarray, " n"] | None = None
    """Who or what a row belongs to (identity, patient); rows of one group never stand on both sides of a split."""
    groups: str = ""
    """Name of the column that `group` came from."""
    notes: tuple[str, ...] = field(default=())
    """What a reader of the audit must know, such as skipped files."""
    stamp: str = ""
    """Sha256 of what else tells these images from others of the same names, such as the sizes of their files."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.images)

    def column(self, name: str) -> Labels:
        """
        One label column.

        Raises:
            InputError: there is no such column; the message names the nearest, and says if it was left out.
        """
        return column(self.columns, name, self.name, self.notes)

    def take(self, rows: Int64[np.ndarray, " m"]) -> "Dataset":
        """Some rows, in the order given."""
        return replace(
            self,
            images=Selected(self.images, rows),
            columns={name: labels.take(rows) for name, labels in self.columns.items()},
            ids=self.ids[rows],
            group=None if self.group is None else self.group[rows],
        )

    def sample(self, rows: int, seed: int) -> "Dataset":
        """`rows` rows drawn without replacement, in their own order; all of them where there are no more."""
        if rows >= len(self):
            return self
        drawn = np.random.default_rng(seed).permutation(len(self))[:rows]
        return self.take(np.sort(drawn).astype(np.int64))

    @cached_property
    def contents(self) -> UInt64[np.ndarray, " n"]:
        """A hash of what each image is made of, as it is when it is first asked for: all of them are read for it."""
        return contents(self.images)

    @property
    def fingerprint(self) -> str:
        """Sha256 of what the data set is: name, split, rows, shape, stamp and every label."""
        labels = {f"column {name}": labels.values for name, labels in self.columns.items()}
        arrays = {"ids": self.ids, **labels, **({} if self.group is None else {"group": self.group})}
        what = [self.name, self.split, self.images.shape, self.mean, self.std, self.stamp]
        return store.digest(store.canonical(what), store.digest_tensors(arrays))


def column(columns: Mapping[str, Labels], name: str, where: str, notes: Iterable[str]) -> Labels:
    """
    One of these label columns.

    Raises:
        InputError: it is not among them; the message names the nearest, and ends with the notes by which it was left
            out.
    """
    if name in columns:
        return columns[name]
    word = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])")  # sex is in train_sex, not in sexes
    told = [f"Note: {note}" for note in notes if (left := _LEFT.search(note)) and word.search(left[1] or left[2])]
    raise InputError(" ".join([f"{where}: no label {name!r}.", catalog.suggest(name, columns), *told]))


def learned(data: Dataset, name: str, known: tuple[str, ...], *, told: bool) -> Dataset:
    """
    Other data with the classes of a label matched, by name, with those that the model learned or was trained beside.

    Classes of its target (`told`) that it has not learned come after those.
    """
    labels = data.columns.get(name, Labels(np.zeros(0, np.int64)))
    strange = [word for word in labels.classes if word not in known]
    if not labels.classes or not known or labels.classes == known:
        return data
    notes = data.notes
    if strange and told:
        said = f"the model has not learned {', '.join(strange)}: how well it names the {name} is not measured"
        notes = (*notes, f"{name}: {said}")
    if not told and set(labels.classes) != set(known):
        return replace(data, notes=notes)
    names = (*known, *strange)
    codes = np.array([*map(names.index, labels.classes), -1], np.int64)
    matched = Labels(codes[labels.values.astype(np.int64)], names)
    return replace(data, columns={**data.columns, name: matched}, notes=notes)


def spell(name: str, load: Callable[..., Dataset], **values: Any) -> str:
    """
    A data set as it is typed: its name and the knobs that are not at their defaults.

    Raises:
        InputError: what is typed is no UTF-8, as the name of a file may be.
    """
    defaults = {knob: parameter.default for knob, parameter in catalog.knobs(load).items()}
    typed = str(catalog.Call(name, {knob: value for knob, value in values.items() if value != defaults[knob]}))
    plain = typed.encode(errors="backslashreplace").decode()
    if plain != typed:
        raise InputError(f"{plain}: a name that is not UTF-8 cannot be told in an audit: rename it, or link to it")
    return typed


def identify(source: str, names: "np.ndarray | Sequence[object]") -> UInt64[np.ndarray, " n"]:
    """A 64-bit identity for each image of a source, from the source's name and the image's own name or number."""
    return hashes(f"{source}/{name}".encode(errors="surrogateescape") for name in names)  # names of files are bytes


def own(name: str) -> bool:
    """Whether a data set, as it is typed, is a user's own: two of these may give one name to different images."""
    kind = name.partition(":")[0]
    return kind in catalog.names("datasets") and getattr(catalog.thing("datasets", kind), "OWN", False)


def contents(images: Images) -> UInt64[np.ndarray, " n"]:
    """A 64-bit hash of what each image is made of, a block of them at a time."""
    parts = [
        images.contents(np.arange(first, min(first + BLOCK, len(images)), dtype=np.int64))
        for first in range(0, len(images), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def hashes(parts: Iterable[bytes]) -> UInt64[np.ndarray, " n"]:
    """A 64-bit hash of each."""
    digests = [hashlib.blake2b(part, digest_size=8).digest() for part in parts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
