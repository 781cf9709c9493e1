"""An encoder: a network with its weights and how an image enters it, ready to be extracted."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leakaudit import catalog, store
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset
from leakaudit.errors import InputError, RefusedError


@dataclass(frozen=True)
class Encoder:
    """A network by name and knobs, and the tensors that fill it."""

    name: str
    """What a person calls it: `digits/end@1f0f26ed`."""
    kind: str
    """`checkpoint`, `weights` (a file) or `random-init`."""
    backbone: Call
    classes: int
    shape: tuple[int, ...]
    """Channels, height and width of the input."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: dict[str, np.ndarray] | None
    """None: fresh weights drawn with `seed`."""
    seed: int = 0
    layer: str = ""
    """Name of the layer whose input is the bottleneck; empty: the backbone's own."""

    def untrained(self, seed: int) -> "Encoder":
        """The same architecture before any training: the baseline of a random initialisation."""
        return replace(self, name=f"random-init of {self.name}", kind="random-init", weights=None, seed=seed)


def of(checkpoint: Checkpoint) -> Encoder:
    """The encoder of a checkpoint."""
    card, recipe = checkpoint.card, checkpoint.recipe
    return Encoder(
        name=checkpoint.name,
        kind="checkpoint",
        backbone=recipe.backbone,
        classes=len(card.target_classes) or 1,
        shape=card.shape,
        mean=card.mean,
        std=card.std,
        weights=checkpoint.weights,
        seed=card.seed,
        layer=card.bottleneck,
    )


def from_weights(path: Path, backbone: Call, dataset: Dataset) -> Encoder:
    """
    The encoder of a weights file; input size and normalisation are the data set's, classes the classifier's rows.

    Raises:
        InputError: no format reads such a file, or there is no such file, backbone or knob.
        RefusedError: it is truncated, unsafe, or has no tensor for the backbone's classifier.
    """
    formats = {suffix: name for name in catalog.names("weights") for suffix in catalog.thing("weights", name).SUFFIXES}
    if path.suffix not in formats:
        raise InputError(f"{path}: weights are read from {', '.join(sorted(formats))}, not {path.suffix or path.name}")
    module = catalog.thing("backbones", backbone.name, "--backbone")
    knobs = catalog.check(module.build, backbone.knobs, f"--backbone {backbone.name}")
    layer: str = getattr(module, "BOTTLENECK", "") or module.layer(dataset.images.shape, **knobs)
    weights: dict[str, np.ndarray] = catalog.thing("weights", formats[path.suffix]).read(path)
    head = weights.get(f"{layer}.weight")
    if head is None or head.ndim == 0:
        some = ", ".join(sorted(weights)[:3])
        raise RefusedError(f"{path}: no tensor {layer}.weight, the classifier of {backbone.name}; it has {some}, ...")
    return Encoder(
        name=f"{path.stem}@{store.digest_tensors(weights)[:8]}",
        kind="weights",
        backbone=backbone,
        classes=len(head),
        shape=dataset.images.shape,
        mean=dataset.mean,
        std=dataset.std,
        weights=weights,
        layer=layer,
    )
