"""Image files as a source of images: decoded by a pool of threads when they are asked for, never all in memory."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8, UInt64
from torch import Tensor

from leakaudit.dataset import hashes
from leakaudit.errors import InputError
from leakaudit.images import decoding
from leakaudit.numerics.resizing import cover, fit

THREADS = min(16, os.cpu_count() or 1)
PROBES = 32
"""Files whose size is looked at first; that of all is where these have one."""
LARGER = 4
"""How many times the pixels that a network takes files may have and still travel to the device as they are."""
SPAN = 64
"""Files that a thread of the pool takes at a time, at most: handing each over alone would cost a tenth of decoding."""
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Files:
    """The images of some files, as 8-bit RGB."""

    paths: Sequence[str]
    lines: Sequence[int]
    """Row of each file in the table that names it, for messages."""
    where: str
    """That table, or the data set."""
    shape: tuple[int, int, int]
    """As it enters a network; what `batch` gives is resized to it where it is not of this size yet."""
    size: int | None
    """Side of the square that is asked for; None: all files have one size and keep it."""
    native: tuple[int, int] | None
    """Height and width of all files, which batches keep and the device resizes; None: they are too large, or one of
    them is of another size, and each is resized where it is decoded. On a GPU the two ways may differ by one of 255, so
    all files decide which it is, never those of a batch."""
    distorted: bool = False
    """Whether a file whose header was read loses the ratio of its sides."""
    cut: tuple[int, int] | None = None
    """Height and width that a network reads of the middle of images that cover `shape`, their sides in ratio; None:
    they are brought to `shape` whole."""

    @staticmethod
    def open(paths: Sequence[str], lines: Sequence[int], where: str, size: int | None) -> "Files":
        """
        A source for files that are all there; of the first one's size where none is given.

        Raises:
            InputError: the header of one of those looked at first cannot be read.
        """
        probes = np.unique(np.linspace(0, len(paths) - 1, PROBES if size else 1).astype(np.int64)).tolist()
        looked = pooled(lambda place: _named(decoding.measure, paths[place], lines[place], where, size), probes)
        height, width = looked[0] if size is None else (size, size)
        keep = len(set(looked)) == 1 and looked[0][0] * looked[0][1] <= LARGER * height * width
        if keep and size is not None:
            keep = set(pooled(partial(_measured, size=size), paths)) <= {looked[0], None}
        torn = size is not None and any(tall != wide for tall, wide in looked)
        return Files(paths, lines, where, (3, height, width), size, looked[0] if keep else None, torn)

    def keeping(self, resize: tuple[int, int], size: tuple[int, int]) -> "Files":
        """
        The same with the sides of images in ratio: of those that cover `resize`, as much as that around the middle.

        What is read of it in the end is the middle of `size`. Files are decoded whole, as where networks are evaluated,
        and not scaled down meanwhile. Where another size of images was asked for, that stays.
        """
        if self.size is not None and resize != (self.size, self.size):
            return self
        small = self.native is not None and self.native[0] == self.native[1] < min(resize)
        if small and resize[0] == resize[1]:  # the device loses nothing, and does it faster
            return replace(self, shape=(3, *resize), distorted=False)
        return replace(self, shape=(3, *resize), native=None, distorted=False, cut=size)

    def __len__(self) -> int:
        """Count of images."""
        return len(self.paths)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 3 h w"]:
        """
        The images of these rows, channels last in memory: all of one size, which is that of the files or of `shape`.

        Raises:
            InputError: one does not decode, has another size and no size was asked for, or has another than when the
                source was opened.
        """
        room = np.empty((len(rows), *(self.native or self.shape[1:]), 3), dtype=np.uint8)
        _spread(partial(self._fill, room), list(enumerate(rows.tolist())))
        return room.transpose(0, 3, 1, 2)

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """
        A 64-bit hash of each file's bytes.

        Raises:
            InputError: one is gone.
        """
        parts = pooled(self._hashed, rows.tolist())
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def _hashed(self, number: int) -> UInt64[np.ndarray, " 1"]:
        return _named(
            lambda path, _: hashes([Path(path).read_bytes()]), self.paths[number], self.lines[number], self.where, None
        )

    def _fill(self, room: UInt8[np.ndarray, "b h w 3"], span: Sequence[tuple[int, int]]) -> None:
        """Put the images of some rows in their places, resized where they have several sizes."""
        for place, row in span:
            size = self.size if self.cut is None else None
            image = _named(decoding.decode, self.paths[row], self.lines[row], self.where, size)
            if image.shape == room.shape[1:]:
                room[place] = image
            elif self.native is None:
                room[place] = self._resized(torch.from_numpy(np.array(image)[None]).permute(0, 3, 1, 2))
            else:
                found, wanted = ("x".join(map(str, part)) for part in (image.shape[:2], self.native))
                what = f"the first image {wanted}; the knob size = N resizes all"
                if self.size is not None:
                    what = f"its header said {wanted} when the set was opened: let no file change meanwhile"
                raise InputError(f"{self.where}: row {self.lines[row]}: {self.paths[row]} has {found} pixels, {what}")

    def _resized(self, image: Tensor) -> UInt8[np.ndarray, "h w 3"]:
        """One image at the size of `shape`, whole or the middle of it."""
        made = fit(image, self.shape) if self.cut is None else cover(image, self.shape[1:], self.cut, kept=True)
        return made[0].permute(1, 2, 0).numpy()


def unreadable(paths: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Which of the files are missing or do not decode; each is decoded once."""

    def broken(path: str) -> bool:
        try:
            decoding.decode(path, None)
        except decoding.BROKEN:
            return True
        return False

    return np.array(pooled(broken, paths), dtype=bool)


def _measured(path: str, size: int) -> tuple[int, int] | None:
    """Height and width of a file as it is decoded; None where that cannot be told, and it will not decode either."""
    try:
        return decoding.measure(path, size)
    except decoding.BROKEN:
        return None


def pooled(work: Callable[[Given], Made], items: Iterable[Given]) -> list[Made]:
    """The work done on each item by the pool of threads, in order."""
    return list(chain.from_iterable(_spread(lambda span: [work(item) for item in span], list(items))))


def _spread(work: Callable[[Sequence[Given]], Made], items: Sequence[Given]) -> list[Made]:
    """The work done on spans of the items by the pool, in order."""
    length = max(1, min(SPAN, -(-len(items) // (2 * THREADS))))
    spans = [items[first : first + length] for first in range(0, len(items), length)]
    if THREADS == 1 or len(spans) == 1:  # whoever asks has nothing else to do
        return [work(span) for span in spans]
    return list(_pool().map(work, spans))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "decode")


def _named(work: Callable[[str, int | None], Made], path: str, line: int, where: str, size: int | None) -> Made:
    """What is done with a file, which is named where it is to blame."""
    try:
        return work(path, size)
    except decoding.BROKEN as error:
        raise InputError(f"{where}: row {line}: {path} does not decode: {decoding.why(error)}") from error
