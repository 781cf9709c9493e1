"""
Rows that are shared out among the ranks of a process group, and what each made of its share brought together again.

Losses that look at statistics of a batch (HSIC, SupCon, EnD, FairKL, mutual information) are wrong on a rank's share:
each rank passes its own rows, `gather` gives every rank the answers of all of them, and gradients go back to whoever
made the answers. With DistributedDataParallel, which averages over ranks, parameters get the gradient of one process
that sees the whole batch. Every rank calls these functions in the same order. In a single process all of them are free.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from leakaudit.errors import InputError
from leakaudit.numerics import ending
from leakaudit.numerics.device import resolve
from leakaudit.numerics.launching import launched

PATIENCE_SECONDS = 1800
"""How long one rank waits for another: rank 0 alone writes to disk."""


class Ranks(NamedTuple):
    """Which process this is, of how many that work together."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    def part(self, count: int) -> range:
        """The rows of `count` that are this rank's: ranges in order of rank, whose lengths differ by one at most."""
        each, more = divmod(count, self.world)
        start = self.rank * each + min(self.rank, more)
        return range(start, start + each + (self.rank < more))


def ranks() -> Ranks:
    """Of the process group that this process has joined; alone where it has joined none."""
    return Ranks(dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else Ranks()


@contextlib.contextmanager
def joined(device: str) -> Iterator[str]:
    """
    Join the others that torchrun started, if it did; gives the device of this process.

    `device` is `auto`, `cpu` or `cuda`: each process of a node takes the GPU of its own local rank. What goes wrong in
    here is raised on one rank alone, and ends all (`numerics.ending`).

    Raises:
        InputError: a node has fewer GPUs than processes, or none where another has some; one GPU is asked for by
            number; or the others cannot be reached.
    """
    if not launched():
        yield resolve(device)
        return
    patience = timedelta(seconds=PATIENCE_SECONDS)
    try:
        store, rank, world = next(rendezvous("env://", timeout=patience))
    except (RuntimeError, ValueError) as error:
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise InputError(
            f"torchrun: process 0 cannot be reached at {address} ({str(error).splitlines()[0]})"
        ) from error
    with ending.one_voice(store, rank, world):
        ending.meet(store, rank)
        mine = _own(device)
        ending.match(store, rank, mine.partition(":")[0])
        backend = "gloo" if mine == "cpu" else "nccl"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=patience)
    try:
        with ending.one_voice(store, rank, world):
            yield mine
    except BaseException:
        if backend == "gloo":  # nccl would wait for those that wait for this one
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def _own(device: str) -> str:
    """The device of this process, among those of its node."""
    if ":" in device:
        raise InputError(
            f"--device {device}: under torchrun each process has a GPU of its own; auto, cpu or cuda expected"
        )
    local = int(os.environ["LOCAL_RANK"])
    mine = resolve(device)
    if mine == "cpu":
        return mine
    if local >= torch.cuda.device_count():
        raise InputError(
            f"torchrun: process {local} of this node has no GPU: there are {torch.cuda.device_count()}; at most as "
            f"many processes per node, or --device cpu"
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


def gather(x: Shaped[Tensor, "n ..."], counts: Sequence[int] | None = None) -> Shaped[Tensor, "_ ..."]:
    """
    The rows of all ranks, in order of rank; differentiable. Ranks may hold unlike counts of rows, or none.

    `counts`: how many each rank holds, where all know it; else they ask one another.
    """
    if ranks().world == 1:
        return x
    made: Tensor = _Gather.apply(x, counts)
    return made


class _Gather(torch.autograd.Function):
    """All-gather forwards; backwards each rank's share of the gradients of all ranks, summed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, counts: Sequence[int] | None) -> Tensor:
        """Rows of all ranks, padded to the longest for the way."""
        here = ranks()
        if counts is None:
            asked = torch.zeros(here.world, dtype=torch.int64, device=x.device)
            asked[here.rank] = len(x)
            dist.all_reduce(asked)
            counts = asked.tolist()
        ctx.counts = counts
        padded = x.contiguous()
        if len(x) < max(counts):
            padded = x.new_zeros(max(counts), *x.shape[1:])
            padded[: len(x)] = x
        parts = [torch.empty_like(padded) for _ in range(here.world)]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """What every rank's loss says of this rank's rows."""
        slope = slope.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(slope)
        start = sum(ctx.counts[: ranks().rank])
        return slope[start : start + ctx.counts[ranks().rank]], None


def summed(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sum over ranks; differentiable: a gradient is what every rank's loss says, summed."""
    if ranks().world == 1:
        return x
    made: Tensor = _Sum.apply(x)
    return made


class _Sum(torch.autograd.Function):
    """All-reduce, both ways."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        """The sum."""
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, slope: Tensor) -> Tensor:
        """The sum of the slopes."""
        total = slope.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def agreed(x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """What rank 0 has for this, on every rank; out of any graph."""
    if ranks().world == 1:
        return x
    whole = x.detach().clone(memory_format=torch.contiguous_format)
    dist.broadcast(whole, 0)
    return whole


def align(tensors: Iterable[Tensor]) -> None:
    """Give these the numbers that they have on rank 0, in place; one message for all of a kind."""
    if ranks().world == 1:
        return
    kinds: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor.detach())
    for parts in kinds.values():
        flat = agreed(torch.cat([part.flatten() for part in parts]))
        for part, numbers in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(numbers.view(part.shape))


def told(said: bytes | None, device: str) -> bytes:
    """What rank 0 says, on every rank; the others give None."""
    here = ranks()
    if here.world == 1:
        assert said is not None
        return said
    size = torch.tensor([len(said or b"")], device=device)
    dist.broadcast(size, 0)
    words = torch.frombuffer(bytearray(said), dtype=torch.uint8) if said else torch.empty(int(size), dtype=torch.uint8)
    words = words.to(device)
    if int(size):
        dist.broadcast(words, 0)
    return words.cpu().numpy().tobytes()
