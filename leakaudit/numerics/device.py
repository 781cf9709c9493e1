"""Which device arithmetic runs on, and how chance is seeded there."""

import contextlib
from collections.abc import Iterator

import torch

from leakaudit.errors import InputError

SMALL = 1 << 22
"""Numbers in an array up to which one thread is quicker than several, which would mostly wait for each other."""


def resolve(name: str) -> str:
    """
    `cpu` or `cuda:N` for `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is CUDA where there is one.

    Raises:
        InputError: the device does not exist here; there is no silent fallback.
    """
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise InputError(f"--device {name}: auto, cpu, cuda or cuda:N expected")
    if not torch.cuda.is_available():
        raise InputError(f"--device {name}: no CUDA device here (torch {torch.__version__})")
    index = int(number or "0")
    if index >= torch.cuda.device_count():
        raise InputError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return f"cuda:{index}"


def generator(seed: int, device: str = "cpu") -> torch.Generator:
    """A generator of its own; nothing in leakaudit draws from the global one."""
    return torch.Generator(device=device).manual_seed(seed)


@contextlib.contextmanager
def threads(numbers: int) -> Iterator[None]:
    """One thread while arrays of this many numbers are worked on, where they are small; else as it was."""
    if numbers > SMALL:
        yield
        return
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


def describe(device: str) -> str:
    """What a reader of the audit needs to know of the device."""
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"
