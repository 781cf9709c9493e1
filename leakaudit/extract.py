"""
Extraction: every image through the encoder once, bottleneck and logits to the store, shard by shard.

A shard is whole or absent, so an interrupted extraction goes on where it stopped; the manifest is written last.
"""

import contextlib
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float32
from torch import Tensor, nn

from leakaudit import catalog, embeddings
from leakaudit.backbones import bottleneck
from leakaudit.dataset import Batch, Dataset
from leakaudit.embeddings import SHARD, Embeddings, Origin
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError
from leakaudit.numerics.pixels import gather
from leakaudit.numerics.resizing import fit
from leakaudit.numerics.taps import Tapped
from leakaudit.store import canonical, digest, digest_tensors, open_store, writing

PATIENCE_SECONDS = 600
"""How long one extraction waits for another of the same embeddings."""
PROBES = 16
"""Images whose pixels are part of the key, so that a folder that was filled anew is not taken for the old one."""


@dataclass(frozen=True)
class Shard:
    """One shard is in the store."""

    done: int
    """Rows finished."""
    total: int
    path: Path


def extract(
    encoder: Encoder, dataset: Dataset, *, store: Path, device: str, batch_size: int
) -> Generator[Shard, None, Embeddings]:
    """
    Bottleneck and logits of every image; shards that are there already are checked and kept.

    Raises:
        InputError: the images do not fit the encoder, it gives a number that is not finite, or the disk is full.
        RefusedError: the weights do not fit the backbone, or a shard is damaged or another model's.
    """
    if tuple(dataset.images.shape) != tuple(encoder.shape):
        wanted, found = ("x".join(map(str, shape)) for shape in (encoder.shape, dataset.images.shape))
        raise InputError(f"{encoder.name} takes images of {wanted}, {dataset.name} has {found} (channels x h x w)")
    if len(dataset) == 0:
        raise InputError(f"{dataset.name}: no rows in split {dataset.split}")
    network, layer = _network(encoder)
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
    probe = np.unique(np.linspace(0, len(dataset) - 1, PROBES).astype(np.int64))
    seen = digest_tensors({"images": dataset.images.batch(probe)})
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
        for number, first in enumerate(range(0, len(dataset), SHARD)):
            path, last = embeddings.shard(where, number), min(first + SHARD, len(dataset))
            if path.exists():
                embeddings.read_shard(path, key, first, last - first)
            else:
                z, logits = _pass(tapped, encoder, dataset, range(first, last), device, batch_size)
                embeddings.write_shard(path, key, first, z, logits)
            yield Shard(last, len(dataset), path)
        return embeddings.seal(where, key, Origin(**{**vars(origin), "key": key}), dataset)


def pixels(dataset: Dataset, side: int = 32) -> Float32[np.ndarray, "n p"]:
    """What is read without any network: pixels in 0..1, averaged over areas to at most `side` a side, flattened."""
    return gather(dataset.images, side).reshape(len(dataset), -1)


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


def _network(encoder: Encoder) -> tuple[nn.Module, str]:
    """The network with its weights in it, and the name of the layer whose input is the bottleneck."""
    module = catalog.thing("backbones", encoder.backbone.name, encoder.name)
    knobs = catalog.check(module.build, encoder.backbone.knobs, f"{encoder.name}: backbone {encoder.backbone.name}")
    if "pretrained" in catalog.knobs(module.build) and (encoder.weights is not None or encoder.kind == "random-init"):
        knobs["pretrained"] = False
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(encoder.seed)
        network: nn.Module = module.build(encoder.classes, tuple(encoder.shape), **knobs)
    if encoder.weights is not None:
        _fill(network, encoder.weights, f"{encoder.name}: the weights do not fit {encoder.backbone}")
    return network, encoder.layer or bottleneck(module, network)


def _fill(network: nn.Module, weights: dict[str, np.ndarray], where: str) -> None:
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    shapes = [
        f"{name} {list(weights[name].shape)} for {list(wanted[name].shape)}"
        for name in wanted
        if name in weights and weights[name].shape != tuple(wanted[name].shape)
    ]
    parts = [("missing", missing), ("unknown", unknown), ("of another shape", shapes)]
    wrong = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if names[3:] else ''})" for what, names in parts if names
    ]
    if wrong:
        raise RefusedError(f"{where}: {'; '.join(wrong)}; of {len(wanted)} tensors")
    network.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in weights.items()})


def _pass(
    tapped: Tapped, encoder: Encoder, dataset: Dataset, rows: range, device: str, batch_size: int
) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n k"]]:
    """Bottleneck and logits of some rows, checked to be finite."""
    mean, std = (torch.tensor(part, device=device).view(1, -1, 1, 1) for part in (encoder.mean, encoder.std))
    found: list[tuple[Tensor, Tensor]] = []
    with torch.inference_mode():
        for batch in _batches(dataset, rows, batch_size):
            x = fit(torch.from_numpy(np.ascontiguousarray(batch)).to(device), encoder.shape)
            x = x.float().div_(255) if x.dtype == torch.uint8 else x
            x = (x - mean) / std
            out = tapped(x.contiguous(memory_format=torch.channels_last) if x.is_cuda else x)
            found.append((out.z.float().cpu(), out.logits.float().cpu()))
    z, logits = (torch.cat(part).numpy() for part in zip(*found, strict=True))
    for name, values in (("z", z), ("logits", logits)):
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise InputError(
                f"{encoder.name}: {name} is not finite (NaN or infinity) in {bad.sum()} of {len(bad)} rows, "
                f"first for row {rows[0] + bad.argmax()} of {dataset.name} {dataset.split}"
            )
    return z, logits


def _batches(dataset: Dataset, rows: range, size: int) -> Iterator[Batch]:
    """The images of some rows; the next batch is read while this one is worked on."""
    parts = [
        np.arange(first, min(first + size, rows.stop), dtype=np.int64) for first in range(rows.start, rows.stop, size)
    ]
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(dataset.images.batch, parts[0])
        for part in parts[1:]:
            batch, ahead = ahead.result(), reader.submit(dataset.images.batch, part)
            yield batch
        yield ahead.result()
