"""
Extraction: every image through the encoder once, bottleneck and logits to the store, shard by shard.

A shard is whole or absent, so an interrupted extraction goes on where it stopped; the manifest is written last.
Images are read two batches ahead and go to the device as their source keeps them; shards are written behind the passes.
"""

import contextlib
import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float32
from torch import Tensor

from leakaudit import embeddings
from leakaudit import network as networks
from leakaudit.dataset import Dataset
from leakaudit.embeddings import SHARD, Embeddings, Origin
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.numerics.normalising import Normalise
from leakaudit.numerics.pixels import DRAWN, components
from leakaudit.numerics.taps import Tapped
from leakaudit.store import canonical, digest, digest_tensors, open_store, writing

PATIENCE_SECONDS = 600
"""How long one extraction waits for another of the same embeddings."""
PROBES = 16
"""Images whose pixels are part of the key, beside the contents of all: what is decoded otherwise is another image."""
AHEAD = 2
"""Batches that are read while one is worked on."""
PIECE = 5 << 18
"""Numbers that enter a network at a time on a CPU, whose inner maps then stay close to it: 8 images of 3x224x224."""


Passed = tuple[range, Float32[np.ndarray, "b d"], Float32[np.ndarray, "b k"]]
"""Rows of a batch, their bottleneck and their logits."""


@dataclass(frozen=True)
class Shard:
    """One shard is in the store."""

    done: int
    """Rows finished."""
    total: int
    path: Path


def extract(
    encoder: Encoder, dataset: Dataset, *, store: Path, device: str, batch_size: int, amp: bool = False
) -> Generator[Shard, None, Embeddings]:
    """
    Bottleneck and logits of every image; shards that are there already are checked and kept.

    At most `batch_size` images pass at a time, fewer on a CPU where they are large; with `amp` in mixed precision
    (bfloat16), under a key of its own.

    Raises:
        InputError: the images do not fit the encoder, it gives a number that is not finite, or the disk is full.
        RefusedError: the weights do not fit the backbone, or a shard is damaged or another model's.
    """
    if tuple(dataset.images.shape) != tuple(encoder.shape):
        wanted, found = ("x".join(map(str, shape)) for shape in (encoder.shape, dataset.images.shape))
        raise InputError(f"{encoder.name} takes images of {wanted}, {dataset.name} has {found} (channels x h x w)")
    if len(dataset) == 0:
        raise InputError(f"{dataset.name}: no rows in split {dataset.split}")
    network, layer = networks.of(encoder)
    origin = Origin(
        name=encoder.name,
        kind=encoder.kind,
        sha256=digest_tensors({name: tensor.numpy() for name, tensor in network.state_dict().items()}),
        data=dataset.name,
        split=dataset.split,
        fingerprint=dataset.fingerprint,
        layer=layer,
        key="",
    )
    entry = [str(encoder.backbone), encoder.classes, layer, encoder.shape, encoder.mean, encoder.std]
    entry += ["bfloat16"] * amp
    probe = np.unique(np.linspace(0, len(dataset) - 1, PROBES).astype(np.int64))
    seen = digest_tensors({"contents": dataset.contents, "images": dataset.images.batch(probe)})
    key = digest("embeddings 1 float32", origin.sha256, canonical(entry), origin.fingerprint, seen)[:16]
    where = embeddings.folder(open_store(store), key, dataset.split)
    with writing(where):
        where.mkdir(parents=True, exist_ok=True)
    with _alone(where):
        if (where / "manifest.json").exists():
            return embeddings.read(where)
        for stray in where.glob(".*.part"):
            stray.unlink()
        tapped = Tapped(network, layer).to(device).eval()
        tapped.hasten(encoder.name, amp=amp, channels_last=True, compiled=False)
        if torch.device(device).type == "cpu":
            batch_size = min(batch_size, max(1, PIECE // math.prod(encoder.shape)))
        shards = [range(first, min(first + SHARD, len(dataset))) for first in range(0, len(dataset), SHARD)]
        missing = [each for number, each in enumerate(shards) if not embeddings.shard(where, number).exists()]
        made = _shards(missing, _passes(tapped, encoder, dataset, _starts(missing, batch_size), batch_size, device))
        with ThreadPoolExecutor(1, "write") as writer:
            written: deque[tuple[Future[None], Shard]] = deque()
            for number, rows in enumerate(shards):
                path = embeddings.shard(where, number)
                if rows in missing:
                    z, logits = next(made)
                    _check(z, logits, rows, f"{dataset.name} {dataset.split}", encoder.name)
                    work = writer.submit(embeddings.write_shard, path, key, rows.start, z, logits)
                else:
                    work = writer.submit(_kept, path, key, rows)
                written.append((work, Shard(rows.stop, len(dataset), path)))
                if len(written) > 1:
                    yield _finished(*written.popleft())
            yield _finished(*written.popleft())
        notes = ("the network ran in mixed precision (bfloat16)",) * amp
        return embeddings.seal(where, key, replace(origin, key=key), dataset, notes)


def pixels(dataset: Dataset, side: int = 32) -> Float32[np.ndarray, "n p"]:
    """
    What is read without any network: pixels in 0..1, averaged over areas to at most `side` a side, flattened.

    Of more images than memory should hold, the leading components of these (`numerics.pixels.components`).
    """
    return components(dataset.images, side)


def reduced(found: Float32[np.ndarray, "n p"], dataset: Dataset, side: int = 32) -> tuple[str, ...]:
    """What a reader must know of `pixels` that are components."""
    channels, *sides = dataset.images.shape
    width = channels * math.prod(min(each, side) for each in sides)
    if found.shape[1] == width:
        return ()
    return (
        f"raw-input is read from {found.shape[1]} leading components of {width:,} numbers, those of {DRAWN:,} images",
    )


@contextlib.contextmanager
def _alone(where: Path) -> Iterator[None]:
    """The folder for oneself, once whoever else extracts the same has finished."""
    lock = FileLock(where / ".lock", timeout=PATIENCE_SECONDS)
    with writing(where):
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(f"{where}: another leakaudit has been extracting this for {PATIENCE_SECONDS} s") from error
    try:
        yield
    finally:
        lock.release()


def _kept(path: Path, key: str, rows: range) -> None:
    """Refuse a shard of an earlier run that is not what it should be."""
    embeddings.read_shard(path, key, rows.start, len(rows))


def _finished(work: Future[None], shard: Shard) -> Shard:
    """The record of a shard, once it is in the store."""
    work.result()
    return shard


def _starts(missing: Sequence[range], size: int) -> list[int]:
    """First rows of batches that hold missing rows: multiples of `size`, so that a resumed run computes the same."""
    return sorted({start for rows in missing for start in range(rows.start // size * size, rows.stop, size)})


def _shards(missing: Sequence[range], passes: Iterator[Passed]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Bottleneck and logits of each missing shard, from batches that may reach over its ends."""
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
            at, *values = next(passes)
        z, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
        yield z, logits


def _passes(
    tapped: Tapped, encoder: Encoder, dataset: Dataset, starts: Sequence[int], size: int, device: str
) -> Iterator[Passed]:
    """Rows, bottleneck and logits of each batch; while one is fetched from the device the next is under way there."""
    cuda = torch.device(device).type == "cuda"
    normalise = Normalise(encoder.mean, encoder.std, encoder.shape, device)

    def read(start: int) -> tuple[range, Tensor]:
        rows = range(start, min(start + size, len(dataset)))
        batch = torch.from_numpy(dataset.images.batch(np.arange(rows.start, rows.stop, dtype=np.int64)))
        return rows, batch.pin_memory() if cuda else batch

    def begin(rows: range, batch: Tensor) -> tuple[range, Tensor, Tensor, torch.cuda.Event | None]:
        with torch.inference_mode():
            out = tapped(normalise(batch.to(device, non_blocking=True)))
            z, logits = (part.float().to("cpu", non_blocking=cuda) for part in (out.z, out.logits))
        arrived = torch.cuda.Event() if cuda else None
        if arrived is not None:
            arrived.record(torch.cuda.current_stream(device))
        return rows, z, logits, arrived

    def end(rows: range, z: Tensor, logits: Tensor, arrived: torch.cuda.Event | None) -> Passed:
        if arrived is not None:
            arrived.synchronize()
        return rows, z.numpy(), logits.numpy()

    rest, under_way = iter(starts), deque[tuple[range, Tensor, Tensor, torch.cuda.Event | None]]()
    with ThreadPoolExecutor(AHEAD, "read") as readers:
        ahead = deque(readers.submit(read, start) for start in islice(rest, AHEAD))
        while ahead:
            try:
                rows, batch = ahead.popleft().result()
            except InputError:  # what was read before a bad image is not lost with it
                yield from (end(*each) for each in under_way)
                raise
            ahead.extend(readers.submit(read, start) for start in islice(rest, 1))
            under_way.append(begin(rows, batch))
            if len(under_way) > 1:
                yield end(*under_way.popleft())
    yield end(*under_way.popleft())


def _check(z: np.ndarray, logits: np.ndarray, rows: range, where: str, name: str) -> None:
    """Refuse what is not finite."""
    for what, values in (("z", z), ("logits", logits)):
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise InputError(
                f"{name}: {what} is not finite (NaN or infinity) in {bad.sum()} of {len(bad)} rows, "
                f"first for row {rows[0] + bad.argmax()} of {where}"
            )
