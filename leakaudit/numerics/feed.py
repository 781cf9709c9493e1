"""
Images on their way to the device: small sets sit there whole, large ones are read two batches ahead.

They travel as the source keeps them (uint8 mostly), and are resized and become normalised float32 on the device.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from leakaudit.dataset import Dataset
from leakaudit.numerics.normalising import Normalise
from leakaudit.numerics.resizing import fit

RESIDENT = 2 << 30
"""Bytes up to which a set sits on the device whole."""
AT_HOME = 1 << 28
"""The same on a CPU, where the splits of a set share the process's memory with the network."""
BLOCK = 1 << 26
"""Bytes of images visited at a time on their way there."""


class Feed:
    """The normalised images of a data set, by row."""

    def __init__(self, dataset: Dataset, device: str, resident: int | None = None) -> None:
        """Images on the device as a whole where they take no more than `resident` bytes there."""
        self.images, self.device = dataset.images, device
        self.normalise = Normalise(dataset.mean, dataset.std, self.images.shape, device)
        if resident is None:
            resident = AT_HOME if torch.device(device).type == "cpu" else RESIDENT
        first = self._send(np.arange(min(1, len(dataset)), dtype=np.int64))
        self.last = not first.is_contiguous()
        self.held: Tensor | None = None
        if first[0].nbytes * len(dataset) <= resident:
            step = max(1, BLOCK // first[0].nbytes)
            self.held = torch.empty((len(dataset), *self._turned(first).shape[1:]), dtype=first.dtype, device=device)
            for start in range(0, len(dataset), step):
                stop = min(start + step, len(dataset))
                self.held[start:stop] = self._turned(self._send(np.arange(start, stop, dtype=np.int64)))

    def __len__(self) -> int:
        """Count of images."""
        return len(self.images)

    def batches(self, parts: Iterable[Int64[Tensor, " _"]]) -> Iterator[Float[Tensor, "_ c h w"]]:
        """The images of each part, in order; a part that does not sit on the device is read while the last is used."""
        if self.held is not None:
            for part in parts:
                x = self.held[part]
                yield self.normalise(x.permute(0, 3, 1, 2) if self.last else x)
            return
        rest = iter([part.cpu().numpy() for part in parts])  # all at once: later each would wait for the device
        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(self._send, part) for part in islice(rest, 2))
            while waiting:
                ready = waiting.popleft().result()
                waiting.extend(pool.submit(self._send, part) for part in islice(rest, 1))
                yield self.normalise(ready)

    def in_order(self, size: int) -> list[Int64[Tensor, " _"]]:
        """All rows, in their own order, in parts of `size`."""
        return list(torch.split(torch.arange(len(self), device=self.device), size))

    def _send(self, rows: Int64[np.ndarray, " n"]) -> Shaped[Tensor, "n c h w"]:
        batch = torch.from_numpy(self.images.batch(rows))
        if torch.device(self.device).type == "cuda":
            batch = batch.pin_memory()
        return fit(batch.to(self.device, non_blocking=True), self.images.shape)

    def _turned(self, x: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n _ _ _"]:
        """As it is held: in the order in memory in which it came."""
        return x.permute(0, 2, 3, 1) if self.last else x
