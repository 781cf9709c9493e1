"""
Images on their way to the device: small sets sit there whole, large ones are read some batches ahead.

They travel as the source keeps them (uint8 mostly), and are resized and become normalised float32 on the device;
painted ones (`numerics.painting`) sit there as drawings and are coloured there. On CUDA what is read ahead lies in
pinned memory and is sent beside the stream that computes: the device waits for no image that was read in time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from leakaudit.dataset import Dataset
from leakaudit.numerics.normalising import Normalise
from leakaudit.numerics.painting import Canvas, painted
from leakaudit.numerics.resizing import fit

RESIDENT = 0.25
"""Share of a CUDA device's free memory up to which a set sits there whole; what is free is asked for each split."""
AT_HOME = 1 << 28
"""Bytes up to which it does on a CPU, where the splits of a set share the process's memory with the network."""
BLOCK = 1 << 26
"""Bytes of images visited at a time on their way there."""
AHEAD = 2
"""Batches that are read while one is used, each by a thread of its own."""

Sent = tuple[Tensor, "torch.cuda.Event | None"]
"""A batch, and what to wait for where it is still on its way."""


class Feed:
    """The normalised images of a data set, by row."""

    def __init__(self, dataset: Dataset, device: str, resident: int | None = None) -> None:
        """Images on the device as a whole where they take no more than `resident` bytes there."""
        self.images, self.device = dataset.images, device
        self.normalise = Normalise(dataset.mean, dataset.std, self.images.shape, device)
        cuda = torch.device(device).type == "cuda"
        self.beside = torch.cuda.Stream(device) if cuda else None
        if resident is None:
            resident = int(RESIDENT * torch.cuda.mem_get_info(device)[0]) if cuda else AT_HOME
        self.held: Callable[[Int64[Tensor, " _"]], Float[Tensor, "_ c h w"]] | None = None
        drawings = painted(self.images)
        if drawings is not None and drawings.drawn.nbytes + drawings.ground.nbytes <= resident:
            self.held = Canvas(drawings, self.normalise)
            return
        first = self._send(np.arange(min(1, len(dataset)), dtype=np.int64))
        if first[0].nbytes * len(dataset) <= resident:
            self.held = Resident(self._blocks(first[0].nbytes), len(dataset), self.normalise)

    def __len__(self) -> int:
        """Count of images."""
        return len(self.images)

    def batches(self, parts: Iterable[Int64[Tensor, " _"]]) -> Iterator[Float[Tensor, "_ c h w"]]:
        """The images of each part, in order; parts that do not sit on the device are read while the last is used."""
        if self.held is not None:
            for part in parts:
                yield self.held(part)
            return
        rest = iter([part.cpu().numpy() for part in parts])  # all at once: later each would wait for the device
        with ThreadPoolExecutor(AHEAD, "feed") as pool:
            waiting = deque(pool.submit(self._begin, part) for part in islice(rest, AHEAD))
            while waiting:
                ready = self._arrived(waiting.popleft().result())
                waiting.extend(pool.submit(self._begin, part) for part in islice(rest, 1))
                yield self.normalise(ready)

    def in_order(self, size: int) -> list[Int64[Tensor, " _"]]:
        """All rows, in their own order, in parts of `size`."""
        return list(torch.split(torch.arange(len(self), device=self.device), size))

    def _blocks(self, size: int) -> Iterator[Shaped[Tensor, "n c h w"]]:
        """All images as they lie on the device, some at a time; one has `size` bytes."""
        read = self.images.batch(np.zeros(min(1, len(self)), dtype=np.int64)).nbytes  # larger, where it is resized
        step = max(1, BLOCK // max(1, size, read))
        for start in range(0, len(self), step):
            yield self._send(np.arange(start, min(start + step, len(self)), dtype=np.int64))

    def _send(self, rows: Int64[np.ndarray, " n"]) -> Shaped[Tensor, "n c h w"]:
        return self._arrived(self._begin(rows))

    def _begin(self, rows: Int64[np.ndarray, " n"]) -> Sent:
        """These images read, and on their way; by any thread."""
        batch = torch.from_numpy(self.images.batch(rows))
        if self.beside is None:
            return fit(batch.to(self.device), self.images.shape), None
        with torch.cuda.stream(self.beside):
            sent = fit(batch.pin_memory().to(self.device, non_blocking=True), self.images.shape)
            return sent, self.beside.record_event()

    def _arrived(self, sent: Sent) -> Shaped[Tensor, "n c h w"]:
        """What was sent, to be used by the stream that computes, which waits for it, not the processor."""
        x, event = sent
        if event is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(event)
            x.record_stream(current)
        return x


class Resident:
    """Images on a device, in the order in memory in which they came, normalised when they are asked for."""

    def __init__(self, blocks: Iterable[Shaped[Tensor, "n c h w"]], rows: int, normalise: Normalise) -> None:
        self.normalise, self.last = normalise, False
        shape = normalise.shape
        self.bytes = torch.empty((0, *shape), dtype=torch.uint8, device=normalise.device)
        start = 0
        for block in blocks:
            if not start:
                self.last = not block.is_contiguous()
                self.bytes = torch.empty((rows, *self._turned(block).shape[1:]), dtype=block.dtype, device=block.device)
            self.bytes[start : start + len(block)] = self._turned(block)
            start += len(block)

    def __call__(self, rows: Int64[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """The images of these rows."""
        x = self.bytes[rows]
        return self.normalise(x.permute(0, 3, 1, 2) if self.last else x)

    def _turned(self, x: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n _ _ _"]:
        return x.permute(0, 2, 3, 1) if self.last else x
