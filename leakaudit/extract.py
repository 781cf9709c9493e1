"""
Extraction: every image through the encoder once, bottleneck and logits to the store, shard by shard.

A shard is whole or absent, so an interrupted extraction goes on where it stopped; the manifest is written last. Several
layers are read in one pass, each into a folder of its own, as if it had been asked for alone. Shards are written behind
the passes.
"""

import contextlib
import math
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Required, TypedDict, Unpack

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float32
from torch import nn

from leakaudit import embeddings, entrance, origins, passes
from leakaudit import network as networks
from leakaudit.dataset import Dataset
from leakaudit.embeddings import SHARD, Embeddings, Origin
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import Layer
from leakaudit.numerics.pixels import DRAWN, components
from leakaudit.origins import Traits, keyed
from leakaudit.passes import Make, Way, alone
from leakaudit.store import open_store, writing

PATIENCE_SECONDS = 600
"""How long one extraction waits for another of the same embeddings."""
PIECE = 5 << 18
"""Numbers that enter a network at a time on a CPU, whose inner maps then stay close to it: 8 images of 3x224x224."""


class How(TypedDict, total=False):
    """How rows pass."""

    device: Required[str]
    batch_size: Required[int]
    """Rows at a time, at most: fewer on a CPU where images are large."""
    amp: bool
    """Whether in mixed precision (bfloat16), which has a key of its own."""


@dataclass(frozen=True)
class Shard:
    """One shard is in the store: of every layer, where several are read."""

    done: int
    """Rows finished."""
    total: int
    path: Path
    """Of the last layer."""


@dataclass(frozen=True)
class _Place:
    """Where what is read of one layer lies, and whose it is."""

    origin: Origin
    where: Path

    @property
    def finished(self) -> bool:
        return (self.where / "manifest.json").exists()

    def lacks(self, number: int) -> bool:
        return not self.finished and not embeddings.shard(self.where, number).exists()


def extract(
    encoder: Encoder, dataset: Dataset, *, store: Path, make: Make = alone, **how: Unpack[How]
) -> Generator[Shard, None, Embeddings]:
    """
    Bottleneck, or the one layer of `encoder.layers`, and logits of every image; shards that are there are kept.

    Those that are not are made by this process, or by whom `make` says.

    Raises:
        InputError: the images do not fit the encoder, it has no such layer, it gives a number that is not finite, or
            the disk is full.
        RefusedError: the weights do not fit the backbone, or a shard is damaged or another model's.
    """
    assert len(encoder.layers) <= 1, "several layers are read by together()"
    (found,) = yield from together(encoder, dataset, store=store, make=make, **how)
    return found


def together(
    encoder: Encoder, dataset: Dataset, *, store: Path, make: Make = alone, **how: Unpack[How]
) -> Generator[Shard, None, list[Embeddings]]:
    """
    The embeddings of each of `encoder.layers`, in one pass over the images; of none, of the bottleneck alone.

    Each lies under the key that it has when it is asked for alone, with the same bytes, and is read back by `extract`.

    Raises:
        InputError, RefusedError: as `extract`.
    """
    opened = _opened(encoder, dataset, how.get("amp", False))
    home = open_store(store)
    places = [
        _Place(origin, embeddings.folder(home, origin.key, dataset.split))
        for origin in keyed(encoder, dataset, opened.traits)
    ]
    with contextlib.ExitStack() as held:
        for where in sorted(place.where for place in places):
            held.enter_context(_alone(where))
        if not all(place.finished for place in places):
            way, notes = _way(opened, encoder, dataset, **how)
            yield from _filled(places, way, opened.traits, make)
            for number, place in enumerate(places):
                if not place.finished:
                    own = (*opened.said, *notes, *way.tapped.notes[number : number + 1])
                    embeddings.seal(place.where, place.origin.key, place.origin, dataset, own)
        read = [replace(embeddings.read(place.where), origin=place.origin) for place in places]
    made = {
        layer: replace(each, notes=tuple(dict.fromkeys((*each.notes, *encoder.notes))))
        for layer, each in zip(opened.layers or (None,), read, strict=True)
    }
    return [made[layer] for layer in encoder.layers or (None,)]


def helped(encoder: Encoder, dataset: Dataset, **how: Unpack[How]) -> tuple[Traits, Way]:
    """How another process passes a share of the rows: by its own finding, which whoever leads compares with its own."""
    opened = _opened(encoder, dataset, how.get("amp", False))
    return opened.traits, _way(opened, encoder, dataset, **how)[0]


class _Opened(NamedTuple):
    """A network, and what is known of it before any row passes."""

    said: tuple[str, ...]
    network: nn.Module
    bottleneck: str
    layers: tuple[Layer, ...]
    traits: Traits


def _opened(encoder: Encoder, dataset: Dataset, amp: bool) -> _Opened:  # noqa: FBT001 (private; as it is asked)
    said = entrance.check(encoder, dataset)
    layers = tuple(dict.fromkeys(encoder.layers))
    network, bottleneck = networks.of(encoder)
    found = origins.traits(encoder, dataset, network, bottleneck, layers, amp=amp)
    return _Opened(said, network, bottleneck, layers, found)


def _way(
    opened: _Opened, encoder: Encoder, dataset: Dataset, *, device: str, batch_size: int, amp: bool = False
) -> tuple[Way, tuple[str, ...]]:
    """The network on its device, and what a reader must know of how it is read."""
    tapped, width, notes = passes.prepared(encoder, opened.network, opened.bottleneck, opened.layers, device, amp=amp)
    if torch.device(device).type == "cpu":
        batch_size = min(batch_size, max(1, PIECE // math.prod(encoder.shape)))
    return Way(tapped, encoder, dataset, batch_size, device, width), notes


def _filled(places: list[_Place], way: Way, traits: Traits, make: Make) -> Iterator[Shard]:
    """Write the shards that any unfinished layer lacks as they are made, in one pass over the rows of all of them."""
    for place in places:
        for stray in place.where.glob(".*.part"):
            stray.unlink()
    total = len(way.dataset)
    shards = [range(first, min(first + SHARD, total)) for first in range(0, total, SHARD)]
    missing = [rows for number, rows in enumerate(shards) if any(place.lacks(number) for place in places)]
    left, done = set(missing), 0
    kept = deque(rows for rows in shards if rows not in left)
    with ThreadPoolExecutor(1, "write") as writer, contextlib.closing(make(way, missing, traits)) as made:
        written: deque[tuple[list[Future[None]], range, Path]] = deque()
        for rows, arrays in made:
            left.remove(rows)
            while kept and kept[0].start < rows.start:
                written.append(_work(writer, places, way, kept.popleft(), None))
            written.append(_work(writer, places, way, rows, arrays))
            while len(written) > 1:
                work, whole, path = written.popleft()
                done += len(whole)
                yield _finished(work, Shard(done, total, path))
        assert not left, f"never made: {left}"
        written.extend(_work(writer, places, way, rows, None) for rows in kept)
        for work, whole, path in written:
            done += len(whole)
            yield _finished(work, Shard(done, total, path))


def _work(
    writer: ThreadPoolExecutor, places: list[_Place], way: Way, rows: range, arrays: list[np.ndarray] | None
) -> tuple[list[Future[None]], range, Path]:
    """What is to be done about one shard: to write it where it lacks, and elsewhere to look whether it is whole."""
    number, work = rows.start // SHARD, []
    lacking = [at for at, place in enumerate(places) if place.lacks(number)]
    if arrays is not None:
        *vectors, logits = arrays
        of = (f"z of {place.origin.layer}" if way.tapped.layers else "z" for place in places)
        found = {name: z for at, (name, z) in enumerate(zip(of, vectors, strict=True)) if at in lacking}
        _check(found | {"logits": logits}, rows, f"{way.dataset.name} {way.dataset.split}", way.encoder.name)
    for at, place in enumerate(places):
        path, key = embeddings.shard(place.where, number), place.origin.key
        if at in lacking:
            work.append(writer.submit(embeddings.write_shard, path, key, rows.start, vectors[at], logits))
        elif not place.finished:
            work.append(writer.submit(_kept, path, key, rows))
    return work, rows, path


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


def _finished(work: list[Future[None]], shard: Shard) -> Shard:
    """The record of a shard, once it is in the store."""
    for each in work:
        each.result()
    return shard


def _check(found: dict[str, np.ndarray], rows: range, where: str, name: str) -> None:
    """Refuse what is not finite."""
    for what, values in found.items():
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise InputError(
                f"{name}: {what} is not finite (NaN or infinity) in {bad.sum()} of {len(bad)} rows, "
                f"first for row {rows[0] + bad.argmax()} of {where}"
            )
