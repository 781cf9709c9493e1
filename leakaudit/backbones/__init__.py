"""
Backbones. One file is one network, with one constant and one function:

    BOTTLENECK = "classifier"                              name of the layer whose input is the bottleneck
    build(classes, shape, *, <knobs>) -> nn.Module         maps (n, c, h, w) to logits (n, classes)

Where that layer's name depends on the network, `bottleneck(network) -> name` stands in place of the constant, and
`layer(shape, *, <knobs>) -> name` says it of a network that is not built. `shape` is (c, h, w). A knob `pretrained`
starts from published weights; without it weights are fresh. Initialisation draws from
torch's current generator, which the caller seeds.
"""

from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Build(Protocol):
    """The contract of `build`."""

    def __call__(self, classes: int, shape: tuple[int, int, int], **knobs: Any) -> nn.Module:
        """A network with fresh weights."""


def bottleneck(backbone: ModuleType, network: nn.Module) -> str:
    """The name of the layer of a network of this backbone whose input is the bottleneck."""
    name: str = backbone.bottleneck(network) if hasattr(backbone, "bottleneck") else backbone.BOTTLENECK
    return name
