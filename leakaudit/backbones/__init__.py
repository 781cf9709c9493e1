"""
Backbones. One file is one network, with one constant and one function:

    BOTTLENECK = "classifier"                              name of the layer whose input is the bottleneck
    build(classes, shape, *, <knobs>) -> nn.Module         maps (n, c, h, w) to logits (n, classes)

`shape` is (c, h, w). Initialisation draws from torch's current generator, which the caller seeds.
"""

from typing import Any, Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Build(Protocol):
    """The contract of `build`."""

    def __call__(self, classes: int, shape: tuple[int, int, int], **knobs: Any) -> nn.Module:
        """A network with fresh weights."""
