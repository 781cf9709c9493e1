"""Image files as a source of images: decoded by a pool of threads when they are asked for, never all in memory."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image, UnidentifiedImageError

from leakaudit.errors import InputError

THREADS = min(16, os.cpu_count() or 1)
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes of more than 8 bits, which it would clip."""


@dataclass(frozen=True)
class Pictures:
    """The images of some files, 8-bit RGB, all of one size."""

    paths: tuple[Path, ...]
    rows: tuple[int, ...]
    """Row of each file in the table that names it."""
    table: str
    """That table, for messages."""
    shape: tuple[int, int, int]
    resize: bool

    @staticmethod
    def open(paths: Sequence[Path], rows: Sequence[int], table: str, size: int | None) -> "Pictures":
        """
        A source for files that are all there; of the first one's size where none is given.

        Raises:
            InputError: a file is not there, or the first cannot be decoded.
        """
        for path, row in zip(paths, rows, strict=True):
            if not path.is_file():
                raise InputError(f"{table}: row {row}: no such image: {path}")
        if size is not None:
            return Pictures(tuple(paths), tuple(rows), table, (3, size, size), resize=True)
        height, width = _named(paths[0], rows[0], table, None).shape[:2]
        return Pictures(tuple(paths), tuple(rows), table, (3, height, width), resize=False)

    def __len__(self) -> int:
        """Count of images."""
        return len(self.paths)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b 3 h w"]:
        """
        The images of these rows.

        Raises:
            InputError: one does not decode, or has another size and no size was asked for.
        """
        size = self.shape[2] if self.resize else None
        result = np.empty((len(rows), *self.shape), dtype=np.uint8)

        def fill(place: int) -> None:
            number = int(rows[place])
            image = _named(self.paths[number], self.rows[number], self.table, size)
            if image.shape[:2] != self.shape[1:]:
                found, wanted = ("x".join(map(str, part)) for part in (image.shape[:2], self.shape[1:]))
                raise InputError(
                    f"{self.table}: row {self.rows[number]}: {self.paths[number]} has {found} pixels, the first image "
                    f"{wanted}; the knob size = N resizes all"
                )
            result[place] = image.transpose(2, 0, 1)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, range(len(rows))))
        return result


def unreadable(paths: Sequence[Path]) -> Bool[np.ndarray, " n"]:
    """Which of the files are missing or do not decode; each is decoded once."""

    def broken(path: Path) -> bool:
        try:
            decode(path, None)
        except (OSError, ValueError, SyntaxError):
            return True
        return False

    with ThreadPoolExecutor(THREADS) as pool:
        return np.array(list(pool.map(broken, paths)), dtype=bool)


def decode(path: Path, size: int | None) -> UInt8[np.ndarray, "h w 3"]:
    """
    One file as RGB, resized to a square where a size is given (bilinear, over the area that a pixel covers).

    Raises:
        OSError: it is missing, truncated or no image.
        ValueError: it has more than 8 bits a channel.
    """
    with Image.open(path) as image:
        if image.mode in DEEP:
            raise ValueError("more than 8 bits a channel: convert it to 8 bits first")
        if size is not None:
            image.draft("RGB", (size, size))
        colour = image.convert("RGB")
        if size is not None and colour.size != (size, size):
            colour = colour.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(colour)


def _named(path: Path, row: int, table: str, size: int | None) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return decode(path, size)
    except (OSError, ValueError, SyntaxError) as error:
        why = "not an image" if isinstance(error, UnidentifiedImageError) else str(error).splitlines()[0]
        raise InputError(f"{table}: row {row}: {path} does not decode: {why}") from error
