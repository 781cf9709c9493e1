"""Image files as a source of images: decoded by a pool of threads when they are asked for, never all in memory."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8, UInt64

from leakaudit.dataset import hashes
from leakaudit.errors import InputError
from leakaudit.images import decoding
from leakaudit.numerics.resizing import fit

THREADS = min(16, os.cpu_count() or 1)
PROBES = 32
"""Files whose size is looked at to learn whether all have one."""
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
    uniform: bool
    """The files looked at have one size: batches keep it, and the device resizes."""

    @staticmethod
    def open(paths: Sequence[str], lines: Sequence[int], where: str, size: int | None) -> "Files":
        """
        A source for files that are all there; of the first one's size where none is given.

        Raises:
            InputError: the header of one of those looked at cannot be read.
        """
        probes = np.unique(np.linspace(0, len(paths) - 1, PROBES if size else 1).astype(np.int64)).tolist()
        looked = pooled(lambda place: _named(decoding.measure, paths[place], lines[place], where, size), probes)
        shape = looked[0] if size is None else (size, size)
        return Files(paths, lines, where, (3, *shape), size, uniform=len(set(looked)) == 1)

    def __len__(self) -> int:
        """Count of images."""
        return len(self.paths)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 3 h w"]:
        """
        The images of these rows: all of one size, which is that of the files or of `shape`.

        Raises:
            InputError: one does not decode, or has another size and no size was asked for.
        """
        images = pooled(self._one, rows.tolist())
        sizes = {image.shape for image in images}
        if self.size is not None and (len(sizes) > 1 or not self.uniform):
            return np.concatenate(pooled(self._fitted, images))
        if sizes - {(*self.shape[1:], 3)} and self.size is None:
            number, image = next((n, i) for n, i in zip(rows, images, strict=True) if i.shape[:2] != self.shape[1:])
            found, wanted = ("x".join(map(str, part)) for part in (image.shape[:2], self.shape[1:]))
            raise InputError(
                f"{self.where}: row {self.lines[number]}: {self.paths[number]} has {found} pixels, the first image "
                f"{wanted}; the knob size = N resizes all"
            )
        result = (
            np.empty((len(rows), 3, *images[0].shape[:2]), dtype=np.uint8)
            if images
            else np.empty((0, *self.shape), dtype=np.uint8)
        )
        for place, image in enumerate(images):
            result[place] = image.transpose(2, 0, 1)
        return result

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

    def _one(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        return _named(decoding.decode, self.paths[number], self.lines[number], self.where, self.size)

    def _fitted(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "1 3 side side"]:
        return fit(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), self.shape).numpy()


def unreadable(paths: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Which of the files are missing or do not decode; each is decoded once."""

    def broken(path: str) -> bool:
        try:
            decoding.decode(path, None)
        except decoding.BROKEN:
            return True
        return False

    return np.array(pooled(broken, paths), dtype=bool)


def pooled(work: Callable[[Given], Made], items: Iterable[Given]) -> list[Made]:
    """The work done on each item by the pool of threads, in order."""
    return list(_pool().map(work, items))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "decode")


def _named(work: Callable[[str, int | None], Made], path: str, line: int, where: str, size: int | None) -> Made:
    """What is done with a file, which is named where it is to blame."""
    try:
        return work(path, size)
    except decoding.BROKEN as error:
        raise InputError(f"{where}: row {line}: {path} does not decode: {decoding.why(error)}") from error
