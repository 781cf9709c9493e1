"""
Image files decoded once: their pixels are kept on disk, so that later epochs, seeds and methods decode nothing.

What is kept is what a device would be sent, as bytes, at the size of the set and in the same order in memory: numbers
are the same, whether images were kept or not. One folder a set, named by a hash of what its files hold and of how they
are decoded: `images.npy`, whose rows are read where they lie (`stored.Lines`); `sums.npy`, a CRC-32 of each image; and
`decoded.json`, written last. A row whose sum is another one when it is first read is decoded anew, and so is all of a
folder that is not whole. Of several runs that want one set at once the first decodes it, and the others wait.
"""

import contextlib
import errno
import os
import shutil
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Bool, Int64, Shaped, UInt8, UInt32, UInt64
from PIL import features

from leakaudit import __version__, store
from leakaudit.dataset import Dataset, Images, Selected
from leakaudit.errors import HereError, InputError, RefusedError
from leakaudit.images import stored
from leakaudit.images.embedded import Embedded
from leakaudit.images.files import Files
from leakaudit.numerics.resizing import fit

LEAST = 1 << 24
"""Bytes below which a set is not kept: its files are decoded in a moment."""
SHARE = 0.25
"""Of what is free on the disk, how much one set may take."""
BLOCK = 1 << 26
"""Bytes decoded and written at a time."""
GIGABYTE = 10**9
NONE = "--set train.decoded=false keeps none"
FILES = ("images.npy", "sums.npy", "decoded.json")
PART = "images.part"
DECODERS = ("pillow", "pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg")


@dataclass(frozen=True)
class Keeping:
    """Some more images are kept, or a set is not, and why."""

    done: int
    total: int
    words: str
    told: str = ""
    """A line on stderr for who watches no bar."""
    job: str = "decode"


@dataclass(frozen=True)
class Decoded:
    """The images of a source, from where they are kept."""

    source: Images
    """Of which rows are decoded anew where they are damaged."""
    folder: Path
    lines: stored.Lines
    sums: UInt32[np.ndarray, " n"]
    sound: Bool[np.ndarray, " n"]
    """Rows that were found whole since the source was opened."""
    last: bool
    """Whether channels lie last in memory."""
    device: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.source.shape

    def __len__(self) -> int:
        """Count of images."""
        return len(self.source)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b c h w"]:
        """
        The images of these rows.

        Raises:
            InputError: one is damaged where it is kept, and its file does not decode any longer.
        """
        try:
            found = np.asarray(self.lines[rows])
            unseen = np.flatnonzero(~self.sound[rows]).tolist()
            torn = [place for place in unseen if zlib.crc32(found[place].data) != self.sums[rows[place]]]
        except (InputError, OSError):  # the file was cut off meanwhile, or its disk fails
            found, torn = np.empty((len(rows), *self.lines.shape[1:]), np.uint8), list(range(len(rows)))
        if not torn:
            self.sound[rows] = True
            return found.transpose(0, 3, 1, 2) if self.last else found
        with contextlib.suppress(OSError):  # a folder that is only read
            (self.folder / FILES[-1]).unlink(missing_ok=True)  # so that the next run keeps them anew
        found[torn] = _laid(_sent(self.source, rows[torn], self.device), last=self.last)
        return found.transpose(0, 3, 1, 2) if self.last else found

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """The source's own."""
        return self.source.contents(rows)


def kept(sets: Mapping[str, Dataset], home: Path, device: str) -> Generator[Keeping, None, dict[str, Dataset]]:
    """
    The splits of a data set, each as its decoded images are kept below `home`; what is not kept yet is decoded first.

    Sets that are no image files stay as they are, and so do those smaller than `LEAST`, and those that would take more
    than their share of the disk: the record says so.

    Raises:
        InputError: an image does not decode.
        HereError: the disk is full, or the folder cannot be written; no part of an image is left there.
    """
    made = dict(sets)
    for split, data in sets.items():
        if len(data) and _way(data.images):
            made[split] = replace(data, images=(yield from _kept(data, home, device)))
    return made


def _kept(data: Dataset, home: Path, device: str) -> Generator[Keeping, None, Images]:
    raw = torch.from_numpy(data.images.batch(np.zeros(1, np.int64)))
    first = fit(raw.to(device), data.images.shape).cpu().numpy()
    size, last = first.nbytes * len(data), not first.flags.c_contiguous
    if size < LEAST:
        return data.images
    resized = "" if raw.shape == first.shape else torch.device(device).type
    folder = home / _key(data, first, resized, last=last)
    shape = (len(data), *_laid(first, last=last).shape[1:])
    found = _opened(data, folder, shape, device, last=last)  # it may be whole, and only to be read
    if found is not None:
        return found
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            said = f"another process decodes {data.name} ({data.split}) into {folder}; this one waits for it"
            yield Keeping(0, len(data), said, said)
            lock.acquire()
    try:
        found = _opened(data, folder, shape, device, last=last)
        if found is not None:
            return found
        free = shutil.disk_usage(folder).free
        if size > SHARE * free:
            said = f"{data.name} would take {_amount(size)} decoded, more than a quarter of {_amount(free)} free"
            yield Keeping(len(data), len(data), said, f"{said} in {home}: files are decoded in each epoch")
            return data.images
        yield from _keep(data, folder, shape, device, each=max(raw.nbytes, first.nbytes), last=last)
        made = _opened(data, folder, shape, device, last=last)
    finally:
        lock.release()
    if made is None:
        raise HereError(f"{folder}: images are not read as they were written: does the disk fail? {NONE}")
    return made


def _keep(
    data: Dataset, folder: Path, shape: tuple[int, ...], device: str, *, each: int, last: bool
) -> Generator[Keeping, None, None]:
    """Decode all images into the folder, or leave nothing there; one has so many bytes before it is resized."""
    count, size = shape[0], int(np.prod(shape[1:]))
    words = f"{data.name} ({data.split}), {_amount(count * size)} in {folder}"
    told = f"decoding {count:,} images once, to be kept: {words} ({NONE})"
    step, sums = max(1, BLOCK // each), np.empty(count, np.uint32)
    with _writing(folder):
        _cleared(folder)
    try:
        with _writing(folder):
            file = (folder / PART).open("wb")
        try:
            with _writing(folder):
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                _reserve(file.fileno(), file.tell(), count * size)
            for start in range(0, count, step):
                yield Keeping(start, count, words, "" if start else told)
                rows = np.arange(start, min(start + step, count), dtype=np.int64)
                block = _laid(_sent(data.images, rows, device), last=last)
                sums[rows] = [zlib.crc32(image.data) for image in block]
                with _writing(folder):
                    file.write(block.data)
            with _writing(folder):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with contextlib.suppress(OSError):  # told already, or nothing is left to write
                file.close()
        with _writing(folder):
            (folder / PART).replace(folder / FILES[0])
            np.save(folder / FILES[1], sums)
            about = {"format": 1, "kind": "decoded", "data": data.name, "split": data.split}
            store.write_json(folder / FILES[2], about | {"sums": zlib.crc32(sums.data)})
    except BaseException:
        with contextlib.suppress(OSError):
            _cleared(folder)
        raise
    yield Keeping(count, count, words)


def _cleared(folder: Path) -> None:
    """Nothing of a set, the document that says that it is whole first."""
    for name in (*reversed(FILES), PART):
        (folder / name).unlink(missing_ok=True)


def _reserve(file: int, start: int, size: int) -> None:
    """Have a disk that is too full say so now, where it can."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, start, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """As `store.writing`, with the way out."""
    try:
        with store.writing(folder):
            yield
    except HereError as error:
        raise HereError(f"{error}; {NONE}") from error


def _opened(data: Dataset, folder: Path, shape: tuple[int, ...], device: str, *, last: bool) -> Decoded | None:
    """What is kept there; None where it is not whole."""
    try:
        about = store.read_json(folder / FILES[2])
        lines, sums = (stored.plain(folder / name, str(folder)) for name in FILES[:2])
        if lines.shape != shape or lines.dtype != np.dtype(np.uint8):
            return None
        if sums.shape != shape[:1] or sums.dtype != np.dtype(np.uint32):
            return None
        sums = np.asarray(sums[np.arange(shape[0])])
    except (InputError, RefusedError, OSError):
        return None
    if about.get("sums") != zlib.crc32(sums.data) or not isinstance(lines, stored.Lines):
        return None
    return Decoded(data.images, folder, lines, sums, np.zeros(shape[0], bool), last, device)


def _key(data: Dataset, first: Shaped[np.ndarray, "1 c h w"], resized: str, *, last: bool) -> str:
    """
    Sixteen hexadecimal digits: what the files hold, and all that their pixels come from besides.

    The first image is among it as it is decoded here: libraries below these, and leakaudit between two versions, tell
    of no change.
    """
    by = [__version__, [_version(each) for each in DECODERS], features.version("jpg"), torch.__version__]
    how = [_way(data.images), by, torch.backends.cpu.get_cpu_capability(), resized, last]
    return store.digest("decoded", store.canonical(how), data.contents.tobytes(), first.tobytes())[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _way(images: Images) -> list[Any]:
    """By what files become images; nothing where they are no files."""
    if isinstance(images, Selected):
        below = _way(images.source)
        return [images.size, *below] if below else []
    if isinstance(images, Files):
        return ["files", images.shape, images.size, images.native, images.cut]
    return ["embedded", images.shape, images.size, images.cut] if isinstance(images, Embedded) else []


def _sent(images: Images, rows: Int64[np.ndarray, " n"], device: str) -> Shaped[np.ndarray, "n c h w"]:
    """These images as they lie on the device before they are normalised."""
    return fit(torch.from_numpy(images.batch(rows)).to(device), images.shape).cpu().numpy()


def _laid(images: Shaped[np.ndarray, "n c h w"], *, last: bool) -> Shaped[np.ndarray, "n _ _ _"]:
    """As they are kept."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1) if last else images)


def _amount(size: float) -> str:
    return f"{size / GIGABYTE:.2f} GB"
