"""
Rows that are shared out among the ranks of a process group, and what each made of its share brought together again.

Losses that look at statistics of a batch (HSIC, SupCon, EnD, FairKL, mutual information) are wrong on a rank's share:
each rank passes its own rows, `gather` gives every rank the answers of all of them, and gradients go back to whoever
made the answers. With DistributedDataParallel, which averages over ranks, parameters get the gradient of one process
that sees the whole batch. Every rank calls these functions in the same order. In a single process all of them are free.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch import distributed as dist

from leakaudit.errors import InputError

PATIENCE_SECONDS = 1800
"""How long one rank waits for another: rank 0 alone writes to disk."""
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process that it starts."""


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


def launched() -> bool:
    """Whether torchrun started this process among others."""
    return all(name in os.environ for name in LAUNCHED) and int(os.environ["WORLD_SIZE"]) > 1


@contextlib.contextmanager
def joined(device: str) -> Iterator[str]:
    """
    Join the others that torchrun started, if it did; gives the device of this process.

    `device` is `auto`, `cpu` or `cuda`: each process of a node takes the GPU of its own local rank.

    Raises:
        InputError: a node has fewer GPUs than processes, or one GPU is asked for by number.
    """
    from leakaudit.numerics.device import resolve

    if not launched():
        yield resolve(device)
        return
    if ":" in device:
        raise InputError(
            f"--device {device}: under torchrun each process has a GPU of its own; auto, cpu or cuda expected"
        )
    local = int(os.environ["LOCAL_RANK"])
    mine = resolve(device)
    if mine != "cpu":
        if local >= torch.cuda.device_count():
            raise InputError(
                f"torchrun: process {local} of this node has no GPU: there are {torch.cuda.device_count()}; at most as "
                f"many processes per node, or --device cpu"
            )
        mine = f"cuda:{local}"
        torch.cuda.set_device(mine)
    dist.init_process_group("gloo" if mine == "cpu" else "nccl", timeout=timedelta(seconds=PATIENCE_SECONDS))
    try:
        yield mine
    finally:
        dist.destroy_process_group()


def gather(x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "_ ..."]:
    """The rows of all ranks, in order of rank; differentiable. Ranks may hold unlike counts of rows, or none."""
    if ranks().world == 1:
        return x
    made: Tensor = _Gather.apply(x)
    return made


class _Gather(torch.autograd.Function):
    """All-gather forwards; backwards each rank's share of the gradients of all ranks, summed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Rows of all ranks, padded to the longest for the way."""
        here = ranks()
        counts = torch.zeros(here.world, dtype=torch.int64, device=x.device)
        counts[here.rank] = len(x)
        dist.all_reduce(counts)
        ctx.counts = counts.tolist()
        padded = x.new_zeros(max(ctx.counts), *x.shape[1:])
        padded[: len(x)] = x
        parts = [torch.empty_like(padded) for _ in range(here.world)]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, ctx.counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """What every rank's loss says of this rank's rows."""
        slope = slope.contiguous().clone()
        dist.all_reduce(slope)
        start = sum(ctx.counts[: ranks().rank])
        return slope[start : start + ctx.counts[ranks().rank]]


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
