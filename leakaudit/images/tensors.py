"""
Arrays as a source of images: of bytes or numbers, grey or with channels first or last; or vectors.

A vector is an image of one pixel that has as many channels as the vector has numbers.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int64, Shaped, UInt64

from leakaudit.dataset import Batch, hashes
from leakaudit.errors import InputError
from leakaudit.images.stored import Stored

BLOCK = 1 << 24
"""Bytes visited at a time where all rows are."""
Order = Literal["hw", "hwc", "chw", "d"]
"""What a row's axes are: grey images, channels last, channels first, or a vector."""
Channels = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Tensors:
    """The images of some arrays, one array behind the other."""

    parts: tuple[Stored, ...]
    """All of one type, and of one shape but for their rows."""
    order: Order
    where: str
    """For messages."""
    size: int | None = None
    """Side of the square that is asked for; None: as they are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width as an image enters a network."""
        item = self.parts[0].shape[1:]
        turned = {"hw": (1, *item), "hwc": (*item[2:], *item[:2]), "chw": item, "d": (*item, 1, 1)}
        channels, height, width = turned[self.order]
        return (channels, height, width) if self.size is None else (channels, self.size, self.size)

    @property
    def distorted(self) -> bool:
        """Whether images lose the ratio of their sides."""
        _, height, width = replace(self, size=None).shape
        return self.size is not None and height != width

    def keeping(self, resize: tuple[int, int], size: tuple[int, int]) -> "Tensors":
        """The same as they are, for the device to bring over `resize` and cut: as `Files.keeping`."""
        del resize, size
        return replace(self, size=None)

    def __len__(self) -> int:
        """Count of images."""
        return sum(map(len, self.parts))

    def batch(self, rows: Int64[np.ndarray, " b"]) -> Batch:
        """
        The images of these rows: 8-bit as they are, all other numbers and vectors as float32.

        Raises:
            InputError: a number is not finite, or the file ends before a row does.
        """
        stored = self._stored(rows)
        if stored.dtype != np.uint8 or self.order == "d":
            with np.errstate(over="ignore"):
                stored = stored.astype(np.float32)
            bad = ~np.isfinite(stored).all(axis=tuple(range(1, stored.ndim)))
            if bad.any():
                row = int(rows[bad.argmax()]) + 1
                raise InputError(f"{self.where}: row {row} holds NaN, infinity or what is more than float32 can hold")
        if self.order == "hwc":
            return np.ascontiguousarray(stored.transpose(0, 3, 1, 2))
        return {"hw": stored[:, None], "chw": stored, "d": stored[..., None, None]}[self.order]

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A 64-bit hash of each row's bytes."""
        return hashes(row.tobytes() for row in self._stored(rows))

    def _stored(self, rows: Int64[np.ndarray, " b"]) -> Shaped[np.ndarray, "b ..."]:
        if len(self.parts) == 1:
            return self.parts[0][rows]
        out = np.empty((len(rows), *self.parts[0].shape[1:]), self.parts[0].dtype)
        first = 0
        for part in self.parts:
            here = (rows >= first) & (rows < first + len(part))
            out[here] = part[rows[here] - first]
            first += len(part)
        return out

    def moments(self, rows: Int64[np.ndarray, " n"]) -> Channels:
        """
        Mean and standard deviation of each channel over some rows, visited in blocks; 1 where a channel never varies.

        Raises:
            InputError: as `batch`.
        """
        channels = self.shape[0]
        count, mean, spread = 0, np.zeros(channels), np.zeros(channels)
        step = max(1, BLOCK // max(1, 8 * int(np.prod(self.parts[0].shape[1:]))))
        for first in range(0, len(rows), step):
            block = self.batch(rows[first : first + step]).astype(np.float64)
            values = block.transpose(1, 0, 2, 3).reshape(channels, -1)
            size, here = values.shape[1], values.mean(axis=1)
            away = here - mean
            spread += ((values - here[:, None]) ** 2).sum(axis=1) + away**2 * count * size / (count + size)
            mean, count = mean + away * size / (count + size), count + size
        std = np.sqrt(spread / max(1, count))
        std[std <= np.abs(mean) * 1e-7] = 1.0
        return tuple(mean.tolist()), tuple(std.tolist())
