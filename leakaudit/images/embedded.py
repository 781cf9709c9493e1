"""
Image files inside larger files, as a source of images: each is read where it lies and decoded when it is asked for.

`locate` finds them in Arrow's IPC stream format (https://arrow.apache.org/docs/format/Columnar.html), in which Hugging
Face's `datasets` saves tables: of the file only what says where a row's bytes begin is looked at.
"""

import contextlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8, UInt64

from leakaudit.dataset import hashes
from leakaudit.errors import InputError
from leakaudit.images import decoding
from leakaudit.images.files import pooled
from leakaudit.images.stored import Opened
from leakaudit.numerics.resizing import cover, fit

Places = Int64[np.ndarray, "n 2"]
"""Of each row, the byte at which its image begins and how many bytes it has: 0 where there is none."""


@dataclass(frozen=True)
class Embedded:
    """The images at some places of some files, as 8-bit RGB."""

    files: tuple[Opened, ...]
    file: Int64[np.ndarray, " n"]
    """Of each row, which of the files it lies in."""
    places: Places
    names: Sequence[str]
    """What each row is called, for messages."""
    shape: tuple[int, int, int]
    size: int | None
    """Side of the square that is asked for; None: all images have one size and keep it."""
    cut: tuple[int, int] | None = None
    """Height and width that a network reads of the middle of images that cover `shape`, their sides in ratio; None:
    they are brought to `shape` whole."""

    @staticmethod
    def open(
        files: tuple[Opened, ...], file: Int64[np.ndarray, " n"], places: Places, names: Sequence[str], size: int | None
    ) -> "Embedded":
        """
        A source of the first image's size where none is given.

        Raises:
            InputError: the first that is there does not decode.
        """
        source = Embedded(files, file, places, names, (3, size or 1, size or 1), size)
        there = np.flatnonzero(places[:, 1])
        if size is not None or not len(there):
            return source
        height, width, _ = source._one(int(there[0])).shape
        return Embedded(files, file, places, names, (3, height, width), size)

    def keeping(self, resize: tuple[int, int], size: tuple[int, int]) -> "Embedded":
        """As `Files.keeping`."""
        if self.size is not None and resize != (self.size, self.size):
            return self
        return replace(self, shape=(3, *resize), cut=size)

    @property
    def distorted(self) -> bool:
        """Whether the first image that decodes loses the ratio of its sides."""
        for row in np.flatnonzero(self.places[:, 1]).tolist() if self.size is not None and self.cut is None else ():
            with contextlib.suppress(InputError):
                height, width, _ = self._one(row).shape
                return bool(height != width)
        return False

    def __len__(self) -> int:
        """Count of images."""
        return len(self.places)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 3 h w"]:
        """
        The images of these rows.

        Raises:
            InputError: one is missing, does not decode, or has another size and no size was asked for.
        """
        room = np.empty((len(rows), *self.shape), dtype=np.uint8)
        for place, image in enumerate(pooled(self._fitted, rows.tolist())):
            room[place] = image
        return room

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A 64-bit hash of each image's bytes."""
        return hashes(pooled(self._bytes, rows.tolist()))

    def unreadable(self) -> Bool[np.ndarray, " n"]:
        """Which images are missing or do not decode; each is decoded once."""

        def broken(row: int) -> bool:
            try:
                self._one(row)
            except InputError:
                return True
            return False

        return np.array(pooled(broken, range(len(self))), dtype=bool)

    def _bytes(self, row: int) -> bytes:
        start, length = self.places[row].tolist()
        return os.pread(self.files[self.file[row]].number, length, start)

    def _one(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        if not self.places[row, 1]:
            raise InputError(f"{self.names[row]}: no image")
        try:
            return decoding.decode(io.BytesIO(self._bytes(row)), self.size if self.cut is None else None)
        except decoding.BROKEN as error:
            raise InputError(f"{self.names[row]} does not decode: {decoding.why(error)}") from error

    def _fitted(self, row: int) -> UInt8[np.ndarray, "3 height width"]:
        image = self._one(row).transpose(2, 0, 1)
        if self.cut is not None:
            made = cover(torch.from_numpy(image[None].copy()), self.shape[1:], self.cut, kept=True)
            return np.asarray(made[0])
        if self.size is None and image.shape != self.shape:
            found, wanted = ("x".join(map(str, part)) for part in (image.shape[1:], self.shape[1:]))
            raise InputError(
                f"{self.names[row]} has {found} pixels, the first image {wanted}; the knob size = N resizes all"
            )
        return image if self.size is None else fit(torch.from_numpy(image[None].copy()), self.shape).numpy()[0]


def stream(path: Path, where: str) -> tuple[Any, int]:
    """
    An arrow file as a table that is not held, and the address at which the file's first byte is seen.

    Raises:
        InputError: it is missing, truncated or none.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            seen = file.read_buffer()
        return pa.ipc.open_stream(seen).read_all(), seen.address
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())[:120]
        raise InputError(f"{where}: {path.name}: missing, truncated, or no arrow file ({what})") from error


def locate(column: Any, address: int, where: str) -> Places:
    """
    Where the bytes of each row of a column of images lie, in the file whose first byte is seen at `address`.

    Raises:
        InputError: an image is not in the file, but named there by its path.
    """
    import pyarrow as pa

    found = [np.empty((0, 2), dtype=np.int64)]
    for chunk in filter(len, column.chunks):
        data = chunk.field("bytes")
        _, ends, held = data.buffers()
        kind = np.int64 if pa.types.is_large_binary(data.type) else np.int32
        ends = np.frombuffer(ends, kind)[data.offset : data.offset + len(data) + 1].astype(np.int64)
        lengths = np.diff(ends)
        lengths[data.is_null().to_numpy(zero_copy_only=False)] = 0
        gaps = np.flatnonzero((lengths == 0) & chunk.is_valid().to_numpy(zero_copy_only=False))
        named = next(filter(None, (chunk.field("path")[row].as_py() for row in gaps.tolist())), None)
        if named is not None:
            raise InputError(
                f"{where}: an image is not saved with the set, but named by its path ({named}); "
                f"datasets from version 2.5 on saves it: load it there and save it again"
            )
        start = 0 if held is None else held.address - address
        found.append(np.stack([start + ends[:-1], lengths], axis=1))
    return np.concatenate(found)
