"""
A network drawn anew whose own code loads numbers: what another seed leaves as it is was not drawn.

Layers are drawn by what torch's own layers have for it, `reset_parameters` (`_reset_parameters` of
`nn.MultiheadAttention`, https://docs.pytorch.org/docs/stable/nn.html); `init_weights` is accepted too.
"""

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

WAYS = ("reset_parameters", "_reset_parameters", "init_weights")
LEARNED = ("weight", "bias", "running_mean", "running_var")
"""Last parts of the names of buffers that hold what was learned; others, such as places or masks, are computed."""


def redraw(network: nn.Module, other: nn.Module) -> list[str]:
    """
    Draw anew every layer with numbers that it shares with `other`, the same code's network of another seed.

    Numbers that are all alike (the ones and zeros of a norm) are as good as drawn. Draws from torch's current
    generator. What is given are the names of tensors that are still as they were: no baseline without training.
    """
    theirs = _held(other)
    before = {name: tensor.clone() for name, tensor in _held(network).items() if _same(tensor, theirs.get(name))}
    owners = {name.rpartition(".")[0] for name in before}
    with torch.no_grad():
        for owner, layer in network.named_modules():
            if callable(getattr(layer, "reset_running_stats", None)):
                _called(layer, "reset_running_stats")
            if owner in owners:
                for way in WAYS:
                    if callable(getattr(layer, way, None)):
                        _called(layer, way)
                        break
    now = _held(network)
    return [name for name, tensor in before.items() if _same(tensor, now.get(name))]


def _called(layer: nn.Module, way: str) -> None:
    """Call it, where it takes nothing; what stays as it was is found afterwards."""
    draw: Any = getattr(layer, way)
    with contextlib.suppress(TypeError, AttributeError, ValueError):
        draw()


def _held(network: nn.Module) -> dict[str, Tensor]:
    """Parameters, and buffers that hold what was learned."""
    found: dict[str, Tensor] = dict(network.named_parameters())
    found |= {name: part for name, part in network.named_buffers() if name.rpartition(".")[2] in LEARNED}
    return {name: tensor.detach() for name, tensor in found.items()}


def _same(one: Tensor, two: Tensor | None) -> bool:
    """Whether two tensors are equal, and not one number throughout."""
    return two is not None and torch.equal(one, two) and one.numel() > 1 and bool((one != one.flatten()[0]).any())
