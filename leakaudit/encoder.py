"""An encoder: a network with its weights and how an image enters it, ready to be extracted."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.layer import Layer


@dataclass(frozen=True)
class Encoder:
    """A network by name and knobs, and the tensors that fill it."""

    name: str
    """What a person calls it: `digits/end@1f0f26ed`."""
    kind: str
    """`checkpoint`, `weights` (a file), `published` (by a library), `onnx`, `module` (in memory) or `random-init`."""
    backbone: Call
    """A thing of the room `backbones`; `FILE.py:FUNCTION` of a user's own code; `onnx`."""
    classes: int
    shape: tuple[int, ...]
    """Channels, height and width of the input."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: dict[str, np.ndarray] | None
    """None: fresh weights drawn with `seed`; or those of the graph, of ONNX."""
    seed: int = 0
    layer: str = ""
    """Name of the classifier, whose input is the bottleneck; empty: found in the network."""
    layers: tuple[Layer, ...] = ()
    """Layers that are read in place of the bottleneck."""
    resize: tuple[int, int] | None = None
    """Height and width of images before their middle, of `shape`, is cut out; None: they come at `shape`."""
    ratio: bool = False
    """Whether images keep the ratio of their sides and cover `resize`; else they are brought to just that."""
    distorted: bool = False
    """Whether some images lose the ratio of their sides."""
    prepared: str = ""
    """Whose size, normalisation and cut these are, in a person's words: `timm's configuration of resnet18.a1_in1k`."""
    code: Path | None = None
    """File that builds the network: a user's own code, or an ONNX graph."""
    module: Any = None
    """The network itself, an `nn.Module` that a program holds; it is copied before anything is done to it."""
    partial: bool = False
    """Whether layers that `weights` lacks stay as they are drawn, and what no layer wants is left aside."""
    told: int = 0
    """Classes of the target, where the ledger or the data set says so: which of several heads is meant; else 0."""
    notes: tuple[str, ...] = ()
    """What a reader of an audit must know of how it was opened: what was taken off, what stayed fresh."""

    def untrained(self, seed: int) -> "Encoder":
        """The same architecture before any training: the baseline of a random initialisation."""
        return replace(
            self, name=f"random-init of {self.name}", kind="random-init", weights=None, seed=seed, partial=False
        )


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
