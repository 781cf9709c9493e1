"""
The bottleneck and the inner maps of a forward pass, by hooks: any network with a classifier layer will do.

The bottleneck z is the input of the classifier layer, taken by a forward pre-hook; taps are the outputs of inner
layers by name. How a pass is computed (in mixed precision, with channels last in memory, compiled) is settled here too,
so that a second network, which its method calls itself, goes the same way.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leakaudit.errors import InputError
from leakaudit.numerics import compiling


class Out(NamedTuple):
    """What one forward pass gives."""

    z: Float[Tensor, "n d"]
    """Bottleneck."""
    logits: Float[Tensor, "n k"]
    taps: dict[str, Tensor]
    """Outputs of the inner layers asked for."""

    def detach(self) -> "Out":
        """The same numbers, out of the graph."""
        return Out(self.z.detach(), self.logits.detach(), {name: tap.detach() for name, tap in self.taps.items()})


class Tapped(nn.Module):
    """A network whose forward pass gives `Out`; parameters and state are the network's own."""

    def __init__(self, network: nn.Module, bottleneck: str, taps: Sequence[str] = (), *, readout: bool = False) -> None:
        """
        Hook `bottleneck`, the name of the classifier layer, and `taps`, names of inner layers.

        With `readout` the classifier gets a detached bottleneck: no gradient of the logits reaches the network below.
        """
        super().__init__()
        self.network = network
        self.bottleneck = bottleneck
        self.readout = readout
        self.taps = tuple(taps)
        self._seen: dict[str, Tensor] = {}
        self._amp = self._last = False
        self._compiled: Callable[[Tensor], Out] | None = None
        self._full: torch.Size | None = None
        _layer(network, bottleneck).register_forward_pre_hook(self._keep_input)
        for name in taps:
            _layer(network, name).register_forward_hook(self._keeper(name))

    def hasten(self, where: str, *, amp: bool, channels_last: bool, compiled: bool) -> None:
        """
        From now on: mixed precision (what comes out is float32), channels last in memory, passes compiled.

        Compiled are training passes over a batch of the shape that the first one has. The shorter last batch of an
        epoch and passes in evaluation mode run as they are: a handful, not worth a minute's compiling for each. `where`
        begins the message of an InputError where the network cannot be compiled.
        """
        self._amp, self._last, self._full = amp, channels_last, None
        if channels_last:
            self.to(memory_format=torch.channels_last)
        self._compiled = compiling.compiled(self._pass, where) if compiled else None

    def forward(self, x: Float[Tensor, "n ..."]) -> Out:
        """One pass."""
        if self._last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self._compiled is None or not self.training:
            return self._pass(x)
        self._full = self._full or x.shape
        return self._compiled(x) if x.shape == self._full else self._pass(x)

    def _pass(self, x: Float[Tensor, "n ..."]) -> Out:
        self._seen.clear()
        with torch.autocast(x.device.type, torch.bfloat16) if self._amp else contextlib.nullcontext():
            logits = self.network(x)
        seen = dict(self._seen)
        self._seen.clear()
        asleep = [name or self.bottleneck for name in ("", *self.taps) if name not in seen]
        if asleep:
            raise InputError(f"{type(self.network).__name__}: a forward pass does not run layer {', '.join(asleep)}")
        out = Out(seen.pop("").flatten(1), logits, seen)
        if not self._amp:
            return out
        return Out(out.z.float(), out.logits.float(), {name: tap.float() for name, tap in out.taps.items()})

    def _keep_input(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        self._seen[""] = inputs[0]
        return (inputs[0].detach(), *inputs[1:]) if self.readout else None

    def _keeper(self, name: str) -> Any:
        def keep(_: nn.Module, __: Any, output: Tensor) -> None:
            self._seen[name] = output

        return keep


def _layer(network: nn.Module, name: str) -> nn.Module:
    layers: dict[str, nn.Module] = dict(network.named_modules())
    if name not in layers or not name:
        raise InputError(
            f"no layer {name!r} in {type(network).__name__}. There are: {', '.join(filter(None, layers))}."
        )
    return layers[name]
