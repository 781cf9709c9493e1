"""
A batch shared out among ranks: each passes its own rows through a network, and every rank gets the answers for all.

Gradients are those of one process that passes the whole batch: each rank computes the same loss on the same answers,
`gather` brings back what all of them say of a row, and DistributedDataParallel averages over the ranks that said it.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from leakaudit.numerics.gather import Ranks, gather

FEWEST = 2
"""Rows that each rank must get of a batch for it to be shared out: a batch norm of vectors needs as many."""


class OwnChance:
    """Torch's own generators, as one rank alone draws from them: no two ranks drop the same units of unlike rows."""

    def __init__(self, seed: int, device: str) -> None:
        self.device = torch.device(device)
        self.states = [torch.Generator(each).manual_seed(seed).get_state() for each in self._devices()]

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """In here chance is this rank's; outside it is as if nothing had been drawn."""
        before = self.now()
        self._set(self.states)
        try:
            yield
        finally:
            self.states = self.now()
            self._set(before)

    def _devices(self) -> list[torch.device]:
        return [torch.device("cpu"), *[self.device] * (self.device.type == "cuda")]

    def now(self) -> list[Tensor]:
        """Where they stand."""
        return [
            torch.get_rng_state() if each.type == "cpu" else torch.cuda.get_rng_state(each) for each in self._devices()
        ]

    def _set(self, states: list[Tensor]) -> None:
        for each, state in zip(self._devices(), states, strict=True):
            torch.set_rng_state(state) if each.type == "cpu" else torch.cuda.set_rng_state(state, each)


def draws(network: nn.Module, x: Float[Tensor, "n ..."]) -> bool:
    """Whether a training pass draws on chance, as dropout does; the network stays as it is."""
    before, states = [each.clone() for each in network.buffers()], OwnChance(0, str(x.device)).now()
    mode = network.training
    with torch.no_grad():
        network.train()(x)
        for each, was in zip(network.buffers(), before, strict=True):
            each.copy_(was)
    network.train(mode)
    return not all(map(torch.equal, states, OwnChance(0, str(x.device)).now()))


class Sharing:
    """How the rows of one batch lie on the ranks: `rows` training rows, each under as many `views`, at least one."""

    def __init__(self, here: Ranks, rows: int, views: int, chance: OwnChance) -> None:
        self.chance = chance
        self.rows = here.part(rows)
        """Those of this rank, among the rows of the batch."""
        self.counts = tuple(views * len(Ranks(rank, here.world).part(rows)) for rank in range(here.world))
        self.order = _order(here.world, rows, views, str(chance.device)) if views > 1 else None

    def whole(self, x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "_ ..."]:
        """What all ranks made of their shares, in the batch's order: all rows in one view, then all in the next."""
        together = gather(x, self.counts)
        return together if self.order is None else together[self.order]


@cache
def _order(world: int, rows: int, views: int, device: str) -> Int64[Tensor, " n"]:
    """Where each row of the batch stands among the ranks' answers, each of which has its views one after another."""
    parts = [Ranks(rank, world).part(rows) for rank in range(world)]
    places = [
        torch.arange(len(part)) + views * part.start + view * len(part) for view in range(views) for part in parts
    ]
    return torch.cat(places).to(device)


def spread(here: Ranks, rows: int, size: int, device: str) -> tuple[list[Int64[Tensor, " _"]], tuple[int, ...]]:
    """
    This rank's of so many rows, in their own order, in parts of `size`; and how many each rank has, for `whole`.

    Where there are fewer rows than ranks each has all of them, and there is nothing to gather: no counts.
    """
    alone = rows < here.world or here.world == 1
    mine = range(rows) if alone else here.part(rows)
    counts = () if alone else tuple(len(Ranks(rank, here.world).part(rows)) for rank in range(here.world))
    return list(torch.arange(mine.start, mine.stop, device=device).split(size)), counts


def whole(x: Shaped[Tensor, "n ..."], counts: tuple[int, ...]) -> Shaped[Tensor, "_ ..."]:
    """What ranks made of rows that were spread."""
    return gather(x, counts) if counts else x


class _Pass(nn.Module):
    """A call, and the parameters whose gradients it leads to: what DistributedDataParallel wraps."""

    def __init__(self, call: Callable[..., Any], parameters: Iterable[nn.Parameter]) -> None:
        super().__init__()
        self.calls = [
            call
        ]  # in a list: the parameters of a module would be this one's, those that no gradient reaches too
        self.moved = nn.ParameterList(parameters)

    def forward(self, *given: Any) -> Any:
        """What the call gives."""
        return self.calls[0](*given)


def averaged(call: Callable[..., Any], parameters: Iterable[nn.Parameter]) -> Callable[..., Any]:
    """The call, after which one backward pass leaves the ranks' mean gradient on each of the parameters."""
    return DistributedDataParallel(_Pass(call, [each for each in parameters if each.requires_grad]))


def reached(network: nn.Module, x: Float[Tensor, "n ..."]) -> list[nn.Parameter]:
    """The parameters that what a `Tapped` network gives depends on; a stranger's may hold others."""
    moved = [each for each in network.parameters() if each.requires_grad]
    network.eval()
    out = network(x)
    total = sum(each.sum() for each in (out.z, out.logits, *out.taps.values()) if each.requires_grad)
    if not isinstance(total, Tensor):
        return []
    slopes = torch.autograd.grad(total, moved, allow_unused=True)
    return [each for each, slope in zip(moved, slopes, strict=True) if slope is not None]
