"""
Arrays on disk, as numpy writes them: rows are read where they lie, a batch at a time, and never held.

The format is numpy's own (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), as a file or as a
member of an `.npz`. Read with `pread`, not mapped: pages of a mapped file would count as the process's own. In a
compressed member there are no rows to find: a small one is unpacked into memory, a larger one into a file without a
name in the folder of temporary files (`TMPDIR`), which is gone with the process. Python objects are never loaded.
"""

import math
import os
import shutil
import struct
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int64, Shaped

from leakaudit.errors import InputError

HELD = 1 << 27
"""Bytes up to which a compressed member is held in memory, as are four of them at most."""
LOCAL = 30
"""Bytes of a member's own header in a zip file, before its name."""
ENCRYPTED = 1
Made = TypeVar("Made")


@runtime_checkable
class Readable(Protocol):
    """A file, or what is unzipped of one."""

    def read(self, count: int = -1, /) -> bytes:
        """The next bytes; all that are left where no count is given."""


class Opened:
    """An open file, closed when nothing reads it any longer."""

    def __init__(self, number: int) -> None:
        self.number = number
        weakref.finalize(self, os.close, number)


def opened(path: Path) -> Opened:
    """A file, open to be read."""
    return Opened(os.open(path, os.O_RDONLY))


@dataclass(frozen=True)
class Lines:
    """Rows of an array that lies in a file."""

    file: Opened
    name: str
    """For messages."""
    start: int
    """Byte at which the first row begins."""
    stride: int
    """Bytes from one row to the next; more than a row has where a part of each is read."""
    shape: tuple[int, ...]
    type: np.dtype[Any]

    def __len__(self) -> int:
        """Count of rows."""
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        return self.type

    def __getitem__(self, rows: Int64[np.ndarray, " b"]) -> Shaped[np.ndarray, "b ..."]:
        """
        Some rows, in the order given; consecutive ones are read at once.

        Raises:
            InputError: the file ends before a row does.
        """
        size = math.prod(self.shape[1:]) * self.type.itemsize
        stored = np.empty((len(rows), *self.shape[1:]), self.type)
        if not stored.nbytes:
            return stored
        order = np.argsort(rows, kind="stable")
        at, view = rows[order], stored.reshape(-1).view(np.uint8).data
        apart = np.diff(at) != 1 if self.stride == size else np.ones(len(at) - 1, dtype=bool)
        firsts = np.append(0, np.flatnonzero(apart) + 1)
        for first, last in zip(firsts, np.append(firsts[1:], len(at)), strict=True):
            self._fill(view[first * size : last * size], self.start + int(at[first]) * self.stride)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return stored[back]

    def _fill(self, room: memoryview, position: int) -> None:
        done = 0
        while done < len(room):
            count = os.preadv(self.file.number, [room[done:]], position + done)
            if not count:
                raise InputError(f"{self.name}: truncated: it ends at byte {position + done}")
            done += count

    def part(self, first: int, count: int) -> "Lines":
        """Of each row, `count` numbers from the `first` on."""
        step = self.type.itemsize
        return Lines(
            self.file, self.name, self.start + first * step, self.stride, (self.shape[0], count), self.type
        )  # fmt: skip


Stored = Lines | np.ndarray
"""Rows on disk, or in memory."""


def members(path: Path, where: str) -> dict[str, zipfile.ZipInfo]:
    """
    The arrays of an `.npz`, by name.

    Raises:
        InputError: it is none, is truncated, or is locked by a password.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            named = {info.filename: info for info in archive.infolist() if info.filename.endswith(".npy")}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{where}: truncated, or not an .npz file ({error})") from error
    if any(info.flag_bits & ENCRYPTED for info in named.values()):
        raise InputError(f"{where}: locked by a password; save it without one")
    return {name.removesuffix(".npy"): info for name, info in named.items()}


def shapes(path: Path, found: Mapping[str, zipfile.ZipInfo], where: str) -> dict[str, tuple[int, ...]]:
    """The shape of each array of an `.npz`, of which only the heads are read; raises as `member`."""
    with zipfile.ZipFile(path) as archive:
        return {name: _guarded(archive, info, f"{where}: {name}", _head)[0] for name, info in found.items()}


def column(path: Path, info: zipfile.ZipInfo, where: str) -> np.ndarray:
    """An array of an `.npz`, whole, for what is small; raises as `member`."""
    with zipfile.ZipFile(path) as archive:
        return np.asarray(_guarded(archive, info, where, lambda file: _whole(file, *_head(file))))


def member(path: Path, info: zipfile.ZipInfo, where: str) -> Stored:
    """
    The rows of an array of an `.npz`, left where they lie if they can be.

    Raises:
        InputError: it holds Python objects, is damaged or truncated, or there is no room to unpack it.
    """
    if info.compress_type != zipfile.ZIP_STORED:
        return _unpacked(path, path.stat().st_mtime_ns, info.filename, where)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        own = struct.unpack("<HH", file.read(LOCAL)[26:])
        return plain(path, where, start=info.header_offset + LOCAL + sum(own))


def plain(path: Path, where: str, *, start: int = 0) -> Stored:
    """The rows of the array that begins at a byte of a file: that of an `.npy`. Raises as `member`."""
    with path.open("rb") as file:
        file.seek(start)
        shape, turned, kind = _told(lambda: _head(file), where)
        if turned:
            return _told(lambda: _whole(file, shape, turned, kind), where)
        begin, size = file.tell(), math.prod(shape) * kind.itemsize
    if path.stat().st_size < begin + size:
        raise InputError(f"{where}: truncated: {path.stat().st_size - begin} of {size} bytes")
    stride = size // shape[0] if shape and shape[0] else 0
    return Lines(opened(path), where, begin, stride, shape, kind)


@lru_cache(maxsize=4)
def _unpacked(path: Path, changed: int, name: str, where: str) -> Stored:
    """A compressed array; `changed` tells a file from an older one of its name."""
    del changed
    with zipfile.ZipFile(path) as archive:
        return _guarded(archive, archive.getinfo(name), where, lambda file: _kept(file, *_head(file), where))


def _kept(file: Readable, shape: tuple[int, ...], turned: bool, kind: np.dtype[Any], where: str) -> Stored:  # noqa: FBT001 (as numpy's header says it)
    size = math.prod(shape) * kind.itemsize
    if size <= HELD or turned:
        return _whole(file, shape, turned, kind)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < size:
        raise InputError(
            f"{where}: compressed, and takes {size / 2**30:.1f} GiB unpacked, of which {tempfile.gettempdir()} has "
            f"{free / 2**30:.1f} (TMPDIR says where); numpy.savez saves it so that it is read as it lies"
        )
    number, path = tempfile.mkstemp(prefix="leakaudit-")
    room = Opened(number)
    Path(path).unlink()
    with os.fdopen(os.dup(number), "wb") as unpacked:
        shutil.copyfileobj(file, unpacked, 1 << 20)
    return Lines(room, where, 0, size // shape[0], shape, kind)


def _head(file: Readable) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis is the fastest, and type; what follows are the numbers."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        head = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        head = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    if min(head[0], default=0) < 0:
        raise ValueError(f"shape {head[0]}")
    if head[2].hasobject:
        raise InputError("Python objects, which are never loaded; save text or numbers: np.array(values, dtype=str)")
    return head


def _whole(file: Readable, shape: tuple[int, ...], turned: bool, kind: np.dtype[Any]) -> np.ndarray:  # noqa: FBT001 (as numpy's header says it)
    size = math.prod(shape) * kind.itemsize
    if turned and size > HELD:
        raise InputError("its first axis is the fastest: save np.ascontiguousarray of it, which is read as it lies")
    data = file.read(size)
    if len(data) < size:
        raise InputError(f"truncated: {len(data)} of {size} bytes")
    return np.ascontiguousarray(np.frombuffer(data, kind).reshape(shape, order="F" if turned else "C"))


def _guarded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, work: Callable[[Readable], Made]) -> Made:
    def unzipped() -> Made:
        with archive.open(info) as file:
            return work(file)

    return _told(unzipped, where)


def _told(work: Callable[[], Made], where: str) -> Made:
    """What is done with a file, which is named where it is to blame."""
    try:
        return work()
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{where}: no array, or damaged ({str(error).splitlines()[0][:120]})") from error
