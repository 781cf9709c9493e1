"""
Images on their way to the device: small sets sit there whole, large ones are read one batch ahead.

They travel as the source keeps them (uint8 mostly), and are resized and become normalised float32 on the device.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from leakaudit.dataset import Dataset
from leakaudit.numerics.resizing import fit

RESIDENT = 2 << 30
"""Bytes up to which a set sits on the device whole."""
BLOCK = 4096
"""Images visited at a time on their way there."""


class Feed:
    """The normalised images of a data set, by row."""

    def __init__(self, dataset: Dataset, device: str, resident: int = RESIDENT) -> None:
        self.images, self.device = dataset.images, device
        self.mean, self.std = (
            torch.tensor(part, device=device).view(1, -1, 1, 1) for part in (dataset.mean, dataset.std)
        )
        first = self._send(np.arange(min(1, len(dataset)), dtype=np.int64))
        self.held: Tensor | None = None
        if first[0].nbytes * len(dataset) <= resident:
            parts = np.split(np.arange(len(dataset), dtype=np.int64), range(BLOCK, len(dataset), BLOCK))
            self.held = torch.cat([self._send(part) for part in parts])

    def __len__(self) -> int:
        """Count of images."""
        return len(self.images)

    def batches(self, parts: Iterable[Int64[Tensor, " _"]]) -> Iterator[Float[Tensor, "_ c h w"]]:
        """The images of each part, in order; a part that does not sit on the device is read while the last is used."""
        if self.held is not None:
            for part in parts:
                yield self._normalise(self.held[part])
            return
        rest = iter([part.cpu().numpy() for part in parts])  # all at once: later each would wait for the device
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._send, part) for part in islice(rest, 2)]
            while waiting:
                ready = waiting.pop(0).result()
                waiting += [pool.submit(self._send, part) for part in islice(rest, 1)]
                yield self._normalise(ready)

    def in_order(self, size: int) -> list[Int64[Tensor, " _"]]:
        """All rows, in their own order, in parts of `size`."""
        return list(torch.split(torch.arange(len(self), device=self.device), size))

    def _send(self, rows: Int64[np.ndarray, " n"]) -> Tensor:
        return fit(torch.from_numpy(np.ascontiguousarray(self.images.batch(rows))).to(self.device), self.images.shape)

    def _normalise(self, x: Tensor) -> Float[Tensor, "n c h w"]:
        x = x.float().div_(255) if x.dtype == torch.uint8 else x
        return (x - self.mean) / self.std
