"""
The bottleneck and the inner maps of a forward pass, by hooks: any network with a classifier layer will do.

The bottleneck z is the input of the classifier layer, taken by a forward pre-hook; taps are the outputs of inner
layers by name, or vectors pooled from either side of a layer (`numerics.pooling`). How a pass is computed (in mixed
precision, with channels last in memory, compiled) is settled here too, so that a second network, which its method calls
itself, goes the same way.
"""

import contextlib
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leakaudit.errors import InputError
from leakaudit.layer import Layer
from leakaudit.numerics import compiling, pooling, returned
from leakaudit.numerics.sharing import Sharing
from leakaudit.numerics.synchronised import share

FEW = 8
"""Layers that a message names, where a network has no more."""


class Out(NamedTuple):
    """What one forward pass gives."""

    z: Float[Tensor, "n d"]
    """Bottleneck."""
    logits: Float[Tensor, "n k"]
    taps: dict[str, Tensor]
    """Outputs of the inner layers asked for, and vectors (n, d) of layers to be read, by what is typed of them."""

    def detach(self) -> "Out":
        """The same numbers, out of the graph."""
        return Out(self.z.detach(), self.logits.detach(), {name: tap.detach() for name, tap in self.taps.items()})


class Tapped(nn.Module):
    """A network whose forward pass gives `Out`; parameters and state are the network's own."""

    def __init__(
        self,
        network: nn.Module,
        bottleneck: str,
        taps: Sequence[str] = (),
        *,
        readout: bool = False,
        layers: Sequence[Layer] = (),
        width: int = 0,
        path: str = "",
    ) -> None:
        """
        Hook `bottleneck`, the name of the classifier layer, `taps`, names of inner layers, and `layers` to be pooled.

        With `readout` the classifier gets a detached bottleneck: no gradient of the logits reaches the network below.
        `bottleneck` may be empty where there are `layers`: then z has no columns. `path`, or else `width`, tells the
        logits among several things that a network returns; 0: the first matrix.
        """
        super().__init__()
        self.network = network
        self.bottleneck = bottleneck
        self.readout = readout
        self.taps = tuple(taps)
        self.layers = tuple(layers)
        self.width, self.path = width, path
        self._seen: dict[str, Tensor] = {}
        self._said: dict[str, tuple[str, int]] = {}
        self._rows, self._sides = 0, list[int]()
        self._amp = self._last = False
        self._compiled: Callable[[Tensor], Out] | None = None
        self._full: torch.Size | None = None
        self._sharing: Sharing | None = None
        if bottleneck or not layers:
            _layer(network, bottleneck).register_forward_pre_hook(self._keep_input, with_kwargs=True)
        for name in taps:
            _layer(network, name).register_forward_hook(self._keeper(name))
        for layer in layers:
            found = _layer(network, layer.name)
            if layer.at == "output":
                found.register_forward_hook(self._reader(layer))
            else:
                found.register_forward_pre_hook(self._reader(layer), with_kwargs=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """How each of `layers` became vectors in the last pass: `layer3: map 256x14x14, mean over its 196 places`."""
        said = []
        for layer in self.layers:
            words, times = self._said[str(layer)]
            often = f"; it runs {times} times in a pass, its last is read" if times > 1 else ""
            said.append(f"{layer}: {words}{often}")
        return tuple(said)

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

    def share(self, sharing: Sharing | None) -> None:
        """From now on a pass takes this rank's rows of a batch and gives the answers for all; None: as it was."""
        self._sharing = sharing
        share(self.network, sharing is not None)

    def forward(self, x: Float[Tensor, "n ..."]) -> Out:
        """One pass."""
        sharing = self._sharing
        if sharing is None:
            return self._run(x)
        with sharing.chance.drawn():
            out = self._run(x)
        taps = {name: sharing.whole(tap) for name, tap in out.taps.items()}
        return Out(sharing.whole(out.z), sharing.whole(out.logits), taps)

    def _run(self, x: Float[Tensor, "n ..."]) -> Out:
        if self._last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self._compiled is None or not self.training:
            return self._pass(x)
        self._full = self._full or x.shape
        return self._compiled(x) if x.shape == self._full else self._pass(x)

    def _pass(self, x: Float[Tensor, "n ..."]) -> Out:
        self._seen.clear()
        if self.layers:
            self._said.clear()
            self._rows, *self._sides = x.shape[0], *x.shape[2:]
        with torch.autocast(x.device.type, torch.bfloat16) if self._amp else contextlib.nullcontext():
            logits = self.network(x)
        if not isinstance(logits, Tensor) or logits.ndim != 2:  # noqa: PLR2004 (rows and classes)
            logits = returned.chosen(logits, self.width, self.path)[1]
        seen = dict(self._seen)
        self._seen.clear()
        if not self.bottleneck and self.layers:
            seen[""] = logits[:, :0]
        wanted = dict.fromkeys(("", *self.taps, *map(str, self.layers)))
        asleep = [name or self.bottleneck for name in wanted if name not in seen]
        if asleep:
            raise InputError(f"{type(self.network).__name__}: a forward pass does not run layer {', '.join(asleep)}")
        out = Out(seen.pop("").flatten(1), logits, seen)
        if not self._amp:
            return out
        return Out(out.z.float(), out.logits.float(), {name: tap.float() for name, tap in out.taps.items()})

    def _keep_input(
        self, _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if inputs:
            self._seen[""] = inputs[0]
            return ((inputs[0].detach(), *inputs[1:]), named) if self.readout else None
        name, z = next((name, value) for name, value in named.items() if isinstance(value, Tensor))
        self._seen[""] = z
        return (inputs, named | {name: z.detach()}) if self.readout else None

    def _keeper(self, name: str) -> Any:
        def keep(_: nn.Module, __: Any, output: Tensor) -> None:
            self._seen[name] = output

        return keep

    def _reader(self, layer: Layer) -> Any:
        def read(_: nn.Module, *given: Any) -> None:
            value = given[-1] if layer.at == "output" else (*given[0], *given[1].values())
            found = pooling.first(value)
            where = f"{type(self.network).__name__}: layer {layer}"
            if found is None or not found.is_floating_point() or not found.ndim:
                raise InputError(f"{where}: its {layer.at} holds no numbers that could be read")
            if len(found) != self._rows:
                raise InputError(
                    f"{where}: its {layer.at} has {len(found)} rows for {self._rows} images: it sees windows, or "
                    "tokens before images; the block around it may be read"
                )
            how = pooling.rule(tuple(found.shape), layer.pool, tuple(self._sides), where)
            self._seen[str(layer)] = pooling.pooled(found, how)
            self._said[str(layer)] = how.words, self._said.get(str(layer), ("", 0))[1] + 1

        return read


def _layer(network: nn.Module, name: str) -> nn.Module:
    layers: dict[str, nn.Module] = {key: part for key, part in network.named_modules() if key}
    if name not in layers:
        near = difflib.get_close_matches(name, layers, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        few = len(layers) <= FEW
        there = f"There are: {', '.join(layers)}." if few else f"It has {len(layers)}; leakaudit inspect lists them."
        raise InputError(f"no layer {name!r} in {type(network).__name__}. {hint}{there}")
    return layers[name]
