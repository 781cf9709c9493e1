"""
Whose embeddings are: what tells a network, the way into it and its rows from all others, and the key made of that.

Where several machines work on one extraction each finds the network and the rows by itself; their traits must agree.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt64
from torch import nn

from leakaudit import own_code
from leakaudit.dataset import Dataset
from leakaudit.embeddings import Origin
from leakaudit.encoder import Encoder
from leakaudit.layer import Layer
from leakaudit.numerics.imprint import imprint
from leakaudit.store import canonical, digest, digest_file, digest_tensors

PROBES = 16
"""Images whose pixels are part of the key, beside the contents of all: what is decoded otherwise is another image."""


class Traits(NamedTuple):
    """What one machine says of an extraction, without having read all images."""

    weights: str
    """Sha256 of the network's tensors."""
    layers: tuple[tuple[str, str], ...]
    """Of each layer that is read: its name, and how it is built, what enters it, where it is read; canonical JSON."""
    rows: str
    """The fingerprint of the data set."""
    pixels: str
    """Sha256 of a few images."""

    def other(self, there: "Traits") -> str:
        """What is another one there than here, in a person's words; empty: nothing."""
        words = ("weights", "a network, or code of it, that computes otherwise,", "rows or labels", "images")
        return next((word for word, one, two in zip(words, self, there, strict=True) if one != two), "")


def traits(
    encoder: Encoder, dataset: Dataset, network: nn.Module, bottleneck: str, layers: tuple[Layer, ...], *, amp: bool
) -> Traits:
    """Of an encoder on a data set, read at `layers`, or at the bottleneck where none is named."""
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
    entries = []
    for layer in layers or (None,):
        name = bottleneck if layer is None else str(layer)
        entry = [str(encoder.backbone), encoder.classes, name, encoder.shape, encoder.mean, encoder.std]
        entry += ["bfloat16"] * amp
        own = further if layer is None else further | {"at": layer.at, "pool": layer.pool}
        entries.append((name, canonical([*entry, own] if own else entry)))
    state = digest_tensors({name: tensor.numpy() for name, tensor in network.state_dict().items()})
    probe = digest_tensors({"images": dataset.images.batch(_probe(dataset))})
    return Traits(state, tuple(entries), dataset.fingerprint, probe)


def keyed(encoder: Encoder, dataset: Dataset, found: Traits) -> list[Origin]:
    """Whose the embeddings of each layer are, with the key of each; every image is read for it."""
    seen = digest_tensors({"contents": dataset.contents, "images": dataset.images.batch(_probe(dataset))})
    return [
        Origin(
            name=encoder.name,
            kind=encoder.kind,
            sha256=found.weights,
            data=dataset.name,
            split=dataset.split,
            fingerprint=dataset.fingerprint,
            layer=name,
            key=digest("embeddings 1 float32", found.weights, entry, found.rows, seen)[:16],
        )
        for name, entry in found.layers
    ]


def of_rows(dataset: Dataset, rows: range) -> UInt64[np.ndarray, " n"]:
    """What these images are made of, here and now."""
    return dataset.images.contents(np.arange(rows.start, rows.stop, dtype=np.int64))


def _probe(dataset: Dataset) -> Int64[np.ndarray, " p"]:
    return np.unique(np.linspace(0, len(dataset) - 1, PROBES).astype(np.int64))
