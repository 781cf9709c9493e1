"""
Backbones. One file is one network, with one constant and one function:

    BOTTLENECK = "classifier"                              name of the layer whose input is the bottleneck
    build(classes, shape, *, <knobs>) -> nn.Module         maps (n, c, h, w) to logits (n, classes)

Where that layer's name depends on the network, `bottleneck(network) -> name` stands in place of the constant, and
`layer(shape, *, <knobs>) -> name` says it of a network that is not built. `shape` is (c, h, w). A knob `pretrained`
starts from published weights; without it weights are fresh. Initialisation draws from
torch's current generator, which the caller seeds.

A library of networks has a third function, for a published model that is itself what is audited, classifier and all:

    published(size, *, <knobs>) -> Published               its weights, and how images enter it
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import nn

from leakaudit.preprocessing import Said


@runtime_checkable
class Build(Protocol):
    """The contract of `build`."""

    def __call__(self, classes: int, shape: tuple[int, int, int], **knobs: Any) -> nn.Module:
        """A network with fresh weights."""


@dataclass(frozen=True)
class Published:
    """A model as a library publishes it."""

    name: str
    """With its tag: `timm:resnet18.a1_in1k`."""
    tensors: dict[str, np.ndarray] | None
    """By the names of `build`, for `classes` classes; None: `pretrained = false` was said."""
    classes: int
    names: tuple[str, ...]
    """Of the classes, in the order of the logits; empty where the library does not know them."""
    preprocessing: Said
    """How images of its own size enter it."""
    sha256: str
    """Of the weights file; empty where there is none."""
    notes: tuple[str, ...]
    """What a reader of an audit must know: where the file is from, its licence, what is done otherwise here."""


@runtime_checkable
class Publishes(Protocol):
    """The contract of `published`."""

    def __call__(self, size: tuple[int, int] | None = None, **knobs: Any) -> Published:
        """A published model; for images of height and width `size`, where that is said."""


def bottleneck(backbone: ModuleType, network: nn.Module) -> str:
    """The name of the layer of a network of this backbone whose input is the bottleneck."""
    name: str = backbone.bottleneck(network) if hasattr(backbone, "bottleneck") else backbone.BOTTLENECK
    return name
