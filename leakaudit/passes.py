"""
Every image of a data set once through a network, in batches of which two are read ahead of the one at work.

Before, a few images of waves show what it gives and how it may lie in memory. Images go to the device as their source
keeps them; while one batch is fetched from there, the next is under way.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from leakaudit.dataset import Dataset
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import Layer
from leakaudit.numerics import classifier, pooling
from leakaudit.numerics.normalising import Normalise
from leakaudit.numerics.taps import Out, Tapped
from leakaudit.origins import Traits

AHEAD = 2
"""Batches that are read while one is worked on."""
TRIED = 2
"""Images of the pass that shows what layers give, before any are written."""
NEAR = 1e-4
"""How far two passes over one image may lie apart, of the largest number: the order of sums moves it by less."""

Passed = tuple[range, list[Float32[np.ndarray, "b _"]]]
"""Rows of a batch; what is read of them, and their logits, which come last."""
Shared = tuple[range, list[Float32[np.ndarray, "n _"]]]
"""The same of a shard."""
Under = tuple[range, list[Tensor], "torch.cuda.Event | None"]
"""A batch on its way from the device."""


@dataclass(frozen=True)
class Way:
    """How rows pass: through which network, how many at a time, on what device."""

    tapped: Tapped
    encoder: Encoder
    dataset: Dataset
    size: int
    """Rows of a batch."""
    device: str
    width: int
    """Numbers that are read of an image."""


Make = Callable[[Way, Sequence[range], Traits], Generator[Shared, None, None]]
"""Who makes the shards of these rows: this process, or others with it; each shard once, in any order."""


def alone(way: Way, missing: Sequence[range], _: Traits) -> Generator[Shared, None, None]:
    """This process, in the order of the rows."""
    return shards(missing, passes(way, starts(missing, way.size)))


def prepared(
    encoder: Encoder, network: nn.Module, bottleneck: str, layers: tuple[Layer, ...], device: str, *, amp: bool
) -> tuple[Tapped, int, tuple[str, ...]]:
    """
    The network on the device with hooks in it, how many numbers are read, and what a reader must know of it.

    Raises:
        InputError: it has no such layer, does not take the images, or gives more numbers than can be kept.
    """
    notes, width, path = ("the network ran in mixed precision (bfloat16)",) * amp, 0, ""
    network = network.to(device)
    if bottleneck and encoder.kind != "checkpoint" and encoder.backbone.name != "onnx":
        found = classifier.remarks(network, bottleneck, encoder.shape, encoder.name)
        width, path, notes = found.width, found.path, (*notes, *found.notes)
    tapped = Tapped(network, bottleneck, layers=layers, width=width or encoder.classes, path=path).eval()
    *tried, _ = _laid_out(tapped, encoder, device, amp=amp)
    total = sum(each.shape[1] for each in tried)
    if layers and total > pooling.MOST:
        raise InputError(
            f"{encoder.name}: {len(layers)} layers of together {total:,} numbers for each image, at most "
            f"{pooling.MOST:,} in one pass; ask for fewer, or for pool=mean"
        )
    return tapped, total, notes


def _laid_out(tapped: Tapped, encoder: Encoder, device: str, *, amp: bool) -> list[Float32[Tensor, "b _"]]:
    """
    What is read of a few images, channels last in memory from then on where that gives the same.

    A network may look at maps as they lie: `x.view(n, -1)`, as much code has it, fails with channels last.
    """
    x = classifier.waves(encoder.shape, TRIED).abs().to(device)

    def tried(images: Tensor = x, *, last: bool) -> list[Tensor]:
        tapped.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        tapped.hasten(encoder.name, amp=False, channels_last=last, compiled=False)
        with torch.inference_mode():
            return read(tapped(images), tapped)

    try:
        wanted = tried(last=False)
        if not _close(wanted, tried(last=False)):
            why = "dropout or sampling is active in evaluation mode (dropout(x, training=self.training) ends with it)"
            raise InputError(f"{encoder.name}: gives two different answers for the same image: {why}")
        beside = tried(torch.cat([x[:1], torch.zeros_like(x[1:])]), last=False)
        if not _close([part[:1] for part in wanted], [part[:1] for part in beside]):
            why = "statistics of the batch stand in for those of training (track_running_stats=True keeps them)"
            raise InputError(f"{encoder.name}: what it says of an image depends on the images beside it: {why}")
    except classifier.UNFIT as error:
        raise InputError(classifier.unfit(encoder.name, encoder.shape, error)) from error
    try:
        pairs = zip(tried(last=True), wanted, strict=True)
        same = all(torch.allclose(one, two, rtol=1e-3, atol=1e-3 * float(two.abs().max())) for one, two in pairs)
    except classifier.UNFIT:
        same = False
    tapped.to(memory_format=torch.channels_last if same else torch.contiguous_format)
    tapped.hasten(encoder.name, amp=amp, channels_last=same, compiled=False)
    return wanted


def _close(one: list[Tensor], two: list[Tensor]) -> bool:
    """Whether two passes gave the same, as nearly as the order of sums lets them."""
    return all(
        torch.allclose(a, b, rtol=NEAR, atol=NEAR * float(a.nan_to_num(posinf=0, neginf=0).abs().max()), equal_nan=True)
        for a, b in zip(one, two, strict=True)
        if a.numel()
    )


def starts(missing: Sequence[range], size: int) -> list[int]:
    """First rows of batches that hold missing rows: multiples of `size`, so that a resumed run computes the same."""
    return sorted({start for rows in missing for start in range(rows.start // size * size, rows.stop, size)})


def shards(missing: Sequence[range], passes: Iterator[Passed]) -> Generator[Shared, None, None]:
    """What is read of each missing shard, and its logits, from batches that may reach over its ends."""
    at: range = range(0)
    values: list[np.ndarray] = []
    for rows in missing:
        parts: list[list[np.ndarray]] = []
        while True:
            first, last = max(at.start, rows.start), min(at.stop, rows.stop)
            if first < last:
                parts.append([each[first - at.start : last - at.start] for each in values])
            if at.stop >= rows.stop:
                break
            at, values = next(passes)
        yield rows, [np.concatenate(part) for part in zip(*parts, strict=True)]


def read(out: Out, tapped: Tapped) -> list[Float[Tensor, "b _"]]:
    """What a pass read: the layers asked for, or else the bottleneck; and the logits, which come last."""
    vectors = [out.taps[str(layer)] for layer in tapped.layers] or [out.z]
    return [part.float() for part in (*vectors, out.logits)]


def passes(way: Way, first_rows: Sequence[int]) -> Iterator[Passed]:
    """Rows, and what is read of them, of each batch; while one is fetched the next is under way on the device."""
    tapped, encoder, dataset, device = way.tapped, way.encoder, way.dataset, way.device
    cuda = torch.device(device).type == "cuda"
    normalise = Normalise(encoder.mean, encoder.std, encoder.shape, device, encoder.resize, ratio=encoder.ratio)

    def load(start: int) -> tuple[range, Tensor]:
        rows = range(start, min(start + way.size, len(dataset)))
        batch = torch.from_numpy(dataset.images.batch(np.arange(rows.start, rows.stop, dtype=np.int64)))
        if not cuda:
            return rows, batch
        with torch.cuda.device(device):  # of this thread, too: memory is pinned for the GPU of the process alone
            return rows, batch.pin_memory()

    def begin(rows: range, batch: Tensor) -> Under:
        with torch.inference_mode():
            found = read(tapped(normalise(batch.to(device, non_blocking=True))), tapped)
            if any(len(part) != len(rows) for part in found):
                counts = " and ".join(str(len(part)) for part in found)
                raise InputError(f"{encoder.name}: {len(rows)} images give {counts} rows: these are no rows of images")
            parts = [part.to("cpu", non_blocking=cuda) for part in found]
        arrived = torch.cuda.Event() if cuda else None
        if arrived is not None:
            arrived.record(torch.cuda.current_stream(device))
        return rows, parts, arrived

    def end(rows: range, parts: list[Tensor], arrived: "torch.cuda.Event | None") -> Passed:
        if arrived is not None:
            arrived.synchronize()
        return rows, [part.numpy() for part in parts]

    rest, under_way = iter(first_rows), deque[Under]()
    with ThreadPoolExecutor(AHEAD, "read") as readers:
        ahead = deque(readers.submit(load, start) for start in islice(rest, AHEAD))
        while ahead:
            try:
                rows, batch = ahead.popleft().result()
            except InputError:  # what was read before a bad image is not lost with it
                yield from (end(*each) for each in under_way)
                raise
            ahead.extend(readers.submit(load, start) for start in islice(rest, 1))
            under_way.append(begin(rows, batch))
            if len(under_way) > 1:
                yield end(*under_way.popleft())
    yield from (end(*each) for each in under_way)
