"""
Embeddings too large for memory: z stays where it lies on disk, and is read in blocks or row by row.

Read with `pread`, not mapped: pages of a mapped file would count as the process's own.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from leakaudit import store
from leakaudit.errors import InputError, RefusedError

LARGE = 1 << 31
"""Bytes that z may take as float32 before it is left on disk."""
BLOCK = 1 << 14
"""Rows read at a time."""
TYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
MATRIX = 2
HEADER = 8
"""Bytes that give the length of a safetensors header."""


@dataclass(frozen=True)
class Lying:
    """A matrix inside a file, rows one behind the other."""

    path: Path
    start: int
    """Byte at which the first row begins."""
    rows: int
    width: int
    type: np.dtype[Any]

    def __len__(self) -> int:
        """Count of rows."""
        return self.rows

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return self.width * self.type.itemsize

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, Shaped[np.ndarray, "b d"]]]:
        """All rows in order, as consecutive slices and their values as stored, which the next block overwrites."""
        room = np.empty((min(size, self.rows), self.width), self.type)
        with self.path.open("rb", buffering=0) as file:
            for first in range(0, self.rows, size):
                rows = slice(first, min(first + size, self.rows))
                yield rows, self._read(file.fileno(), rows, room[: rows.stop - first])

    def take(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m d"]:
        """Some rows, in the order given."""
        order = np.argsort(rows, kind="stable")
        at = rows[order]
        ends = np.flatnonzero(np.append(np.diff(at) != 1, True)) + 1 if len(at) else np.zeros(0, np.int64)
        stored = np.empty((len(rows), self.width), self.type)
        view, stride = stored.reshape(-1).view(np.uint8).data, self.stride
        with self.path.open("rb", buffering=0) as file:
            number, first = file.fileno(), 0
            for last, row in zip((ends * stride).tolist(), (at[ends - 1] + 1).tolist(), strict=True):
                if os.preadv(number, [view[first:last]], self.start + row * stride - (last - first)) < last - first:
                    raise RefusedError(f"{self.path}: truncated before row {row}")
                first = last
        out = np.empty((len(rows), self.width), np.float32)
        out[order] = stored
        return out

    def examined(self) -> str:
        """
        Sha256 of the whole file; every number is looked at on the way.

        Raises:
            InputError: a number is not finite.
        """
        sha, bad, first = hashlib.sha256(), 0, -1
        with self.path.open("rb", buffering=0) as file:
            sha.update(os.pread(file.fileno(), self.start, 0))
            for at, part in self.blocks():
                sha.update(part.data)
                rows = np.flatnonzero(~np.isfinite(part).all(axis=1))
                first = at.start + int(rows[0]) if len(rows) and first < 0 else first
                bad += len(rows)
            end = self.start + self.rows * self.stride
            while data := os.pread(file.fileno(), 1 << 24, end):
                sha.update(data)
                end += len(data)
        if bad:
            where = f"in {bad} of {self.rows} rows, first in row {first}"
            raise InputError(f"{self.path.name}: z is not finite (NaN or infinity) {where}")
        return sha.hexdigest()

    def _read(self, file: int, rows: slice, room: Shaped[np.ndarray, "b d"]) -> Shaped[np.ndarray, "b d"]:
        """Consecutive rows as they are stored."""
        view, done = room.reshape(-1).view(np.uint8).data, 0
        while done < len(view):
            count = os.preadv(file, [view[done:]], self.start + rows.start * self.stride + done)
            if not count:
                raise RefusedError(f"{self.path}: truncated: row {rows.start} is not there")
            done += count
        return room


@dataclass(frozen=True)
class Shelf:
    """Matrices of one width in several files, one behind another: as `Lying`, over all their rows."""

    parts: tuple[Lying, ...]

    def __len__(self) -> int:
        """Count of rows."""
        return sum(map(len, self.parts))

    @property
    def width(self) -> int:
        """Count of columns."""
        return self.parts[0].width

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, Shaped[np.ndarray, "b d"]]]:
        """All rows in order, as `Lying.blocks`; a block ends with its file."""
        start = 0
        for part in self.parts:
            for rows, values in part.blocks(size):
                yield slice(start + rows.start, start + rows.stop), values
            start += len(part)

    def take(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m d"]:
        """Some rows, in the order given."""
        starts = np.cumsum([0, *map(len, self.parts)])
        which = np.searchsorted(starts, rows, side="right") - 1
        out = np.empty((len(rows), self.width), np.float32)
        for place in np.unique(which):
            mine = which == place
            out[mine] = self.parts[place].take(rows[mine] - starts[place])
        return out


def find(path: Path, large: int = LARGE) -> Lying | None:
    """The z of a `.safetensors` file that takes more bytes than `large` as float32; None for any other file."""
    if path.suffix != ".safetensors" or not path.is_file() or path.stat().st_size < min(large // 2, LARGE // 2):
        return None
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(HEADER), "little")
            entry = json.loads(file.read(min(length, store.HEADER))).get("z", {})
        shape, kind = entry.get("shape", []), TYPES.get(entry.get("dtype", ""))
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None  # damage is told apart where the file is read whole
    if len(shape) != MATRIX or kind is None or shape[0] * shape[1] * 4 <= large:
        return None
    return Lying(path, HEADER + length + entry["data_offsets"][0], shape[0], shape[1], kind)
