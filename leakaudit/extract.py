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
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float32
from torch import nn

from leakaudit import embeddings, entrance, own_code, passes
from leakaudit import network as networks
from leakaudit.dataset import Dataset
from leakaudit.embeddings import SHARD, Embeddings, Origin
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import Layer
from leakaudit.numerics.imprint import imprint
from leakaudit.numerics.pixels import DRAWN, components
from leakaudit.numerics.taps import Tapped
from leakaudit.store import canonical, digest, digest_file, digest_tensors, open_store, writing

PATIENCE_SECONDS = 600
"""How long one extraction waits for another of the same embeddings."""
PROBES = 16
"""Images whose pixels are part of the key, beside the contents of all: what is decoded otherwise is another image."""
PIECE = 5 << 18
"""Numbers that enter a network at a time on a CPU, whose inner maps then stay close to it: 8 images of 3x224x224."""


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
    encoder: Encoder, dataset: Dataset, *, store: Path, device: str, batch_size: int, amp: bool = False
) -> Generator[Shard, None, Embeddings]:
    """
    Bottleneck, or the one layer of `encoder.layers`, and logits of every image; shards that are there are kept.

    At most `batch_size` images pass at a time, fewer on a CPU where they are large; with `amp` in mixed precision
    (bfloat16), under a key of its own.

    Raises:
        InputError: the images do not fit the encoder, it has no such layer, it gives a number that is not finite, or
            the disk is full.
        RefusedError: the weights do not fit the backbone, or a shard is damaged or another model's.
    """
    assert len(encoder.layers) <= 1, "several layers are read by together()"
    (found,) = yield from together(encoder, dataset, store=store, device=device, batch_size=batch_size, amp=amp)
    return found


def together(
    encoder: Encoder, dataset: Dataset, *, store: Path, device: str, batch_size: int, amp: bool = False
) -> Generator[Shard, None, list[Embeddings]]:
    """
    The embeddings of each of `encoder.layers`, in one pass over the images; of none, of the bottleneck alone.

    Each lies under the key that it has when it is asked for alone, with the same bytes, and is read back by `extract`.

    Raises:
        InputError, RefusedError: as `extract`.
    """
    said = entrance.check(encoder, dataset)
    layers = tuple(dict.fromkeys(encoder.layers))
    network, bottleneck = networks.of(encoder)
    home = open_store(store)
    places = [
        _Place(origin, embeddings.folder(home, origin.key, dataset.split))
        for origin in _origins(encoder, dataset, network, bottleneck, layers, amp=amp)
    ]
    with contextlib.ExitStack() as held:
        for where in sorted(place.where for place in places):
            held.enter_context(_alone(where))
        if not all(place.finished for place in places):
            tapped, notes = passes.prepared(encoder, network, bottleneck, layers, device, amp=amp)
            yield from _filled(places, tapped, encoder, dataset, device, batch_size)
            for number, place in enumerate(places):
                if not place.finished:
                    own = (*said, *notes, *tapped.notes[number : number + 1])
                    embeddings.seal(place.where, place.origin.key, place.origin, dataset, own)
        read = [replace(embeddings.read(place.where), origin=place.origin) for place in places]
    made = {
        layer: replace(each, notes=tuple(dict.fromkeys((*each.notes, *encoder.notes))))
        for layer, each in zip(layers or (None,), read, strict=True)
    }
    return [made[layer] for layer in encoder.layers or (None,)]


def _origins(
    encoder: Encoder, dataset: Dataset, network: nn.Module, bottleneck: str, layers: tuple[Layer, ...], *, amp: bool
) -> list[Origin]:
    """Whose the embeddings of each layer are, with the key of each."""
    state = digest_tensors({name: tensor.numpy() for name, tensor in network.state_dict().items()})
    probe = np.unique(np.linspace(0, len(dataset) - 1, PROBES).astype(np.int64))
    seen = digest_tensors({"contents": dataset.contents, "images": dataset.images.batch(probe)})
    further: dict[str, Any] = {}
    if encoder.resize is not None:
        further["resize"] = encoder.resize
    if encoder.ratio:
        further["ratio"] = True
    graph = encoder.backbone.name == "onnx"
    if encoder.code is not None:
        sources = [digest for _, digest in own_code.sources(encoder.code)] if not graph else []
        further["code"] = digest_file(encoder.code) if graph else sources
    if not graph and (encoder.code is not None or encoder.module is not None):
        said = imprint(network, bottleneck, encoder.shape)
        further["says"] = digest(*(part.tobytes() for part in said))
    origins = []
    for layer in layers or (None,):
        name = bottleneck if layer is None else str(layer)
        entry = [str(encoder.backbone), encoder.classes, name, encoder.shape, encoder.mean, encoder.std]
        entry += ["bfloat16"] * amp
        own = further if layer is None else further | {"at": layer.at, "pool": layer.pool}
        entry += [own] if own else []
        key = digest("embeddings 1 float32", state, canonical(entry), dataset.fingerprint, seen)[:16]
        origins.append(
            Origin(
                name=encoder.name,
                kind=encoder.kind,
                sha256=state,
                data=dataset.name,
                split=dataset.split,
                fingerprint=dataset.fingerprint,
                layer=name,
                key=key,
            )
        )
    return origins


def _filled(
    places: list[_Place], tapped: Tapped, encoder: Encoder, dataset: Dataset, device: str, batch_size: int
) -> Iterator[Shard]:
    """Write the shards that any unfinished layer lacks, in one pass over the rows of all of them."""
    if torch.device(device).type == "cpu":
        batch_size = min(batch_size, max(1, PIECE // math.prod(encoder.shape)))
    for place in places:
        for stray in place.where.glob(".*.part"):
            stray.unlink()
    shards = [range(first, min(first + SHARD, len(dataset))) for first in range(0, len(dataset), SHARD)]
    missing = [rows for number, rows in enumerate(shards) if any(place.lacks(number) for place in places)]
    starts = passes.starts(missing, batch_size)
    made = passes.shards(missing, passes.passes(tapped, encoder, dataset, starts, batch_size, device))
    with ThreadPoolExecutor(1, "write") as writer:
        written: deque[tuple[list[Future[None]], Shard]] = deque()
        for number, rows in enumerate(shards):
            lacking = [at for at, place in enumerate(places) if place.lacks(number)]
            vectors: list[np.ndarray] = []
            if lacking:
                *vectors, logits = next(made)
                of = (f"z of {place.origin.layer}" if tapped.layers else "z" for place in places)
                found = {name: z for at, (name, z) in enumerate(zip(of, vectors, strict=True)) if at in lacking}
                _check(found | {"logits": logits}, rows, f"{dataset.name} {dataset.split}", encoder.name)
            work = []
            for at, place in enumerate(places):
                path, key = embeddings.shard(place.where, number), place.origin.key
                if at in lacking:
                    work.append(writer.submit(embeddings.write_shard, path, key, rows.start, vectors[at], logits))
                elif not place.finished:
                    work.append(writer.submit(_kept, path, key, rows))
            written.append((work, Shard(rows.stop, len(dataset), path)))
            if len(written) > 1:
                yield _finished(*written.popleft())
        yield _finished(*written.popleft())


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
