"""
Passes compiled by torch.compile, and whether it can compile at all on a device.

It takes a C++ compiler on a CPU and Triton on CUDA; what is missing is said in one line, before the first step. The
mode is torch's default. CUDA graphs (`reduce-overhead`) keep what a pass gives in memory that the next replay writes
over, while here the model's answer outlives passes of a second network that learns from it, and the step itself: the
epoch's tallies read it.

Nor is a whole step captured as one graph. It would spare the processor the launches of a step, which costs time only
where the device waits for them: as no step asks anything back, the processor runs ahead of it (tests/benchmarks/
training.py prints after what part of an epoch it has). And a graph holds what a step read when it was captured: the
rates of schedules, sampled rows, views drawn by a generator, weights that a method changes from epoch to epoch would
each have to be fed to it by hand, in a way that no CPU can test.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from leakaudit.errors import InputError


def ready(device: str, where: str) -> None:
    """
    Compile and run a sum, and forget what was compiled before.

    Raises:
        InputError: torch cannot compile for this device here; `where` begins the message.
    """
    torch.compiler.reset()
    unseen = time.time_ns() % 1_000_000  # a kernel that lies in torch's cache asks no compiler
    compiled(lambda x: x + unseen, where)(torch.zeros(8, device=device))


def compiled(function: Callable[[Tensor], Any], where: str) -> Callable[[Tensor], Any]:
    """
    The function compiled for the first shape it meets; the compiler's failures become InputErrors.

    Raises:
        InputError: at a call for which torch compiles, and cannot; `where` begins the message.
    """
    quick = torch.compile(function, dynamic=False)

    def call(x: Tensor) -> Any:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return quick(x)
        except (TorchDynamoException, OSError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{where}: compile = true: torch cannot compile for {x.device}: {why}") from error

    return call
