"""Which device arithmetic runs on, and how chance is seeded there."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

import torch

from leakaudit.errors import InputError

SMALL = 1 << 22
"""Numbers in an array up to which one thread is quicker than several, which would mostly wait for each other."""

MAPPED, TRIMMED = (-4, 0), (-1, -1)
"""glibc's M_MMAP_MAX and M_TRIM_THRESHOLD (malloc.h): no block apart from the heap, nothing of which is given back."""
TOLD = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")
"""Variables by which a user sets the same (mallopt(3))."""
USUAL = ((-4, 65536), (-3, 32 << 20), (-1, 64 << 20))
"""As it sets them, and M_MMAP_THRESHOLD, by itself when it has seen a block of 32 MiB freed."""


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


@contextlib.contextmanager
def hoarding(device: str) -> Iterator[None]:
    """
    What a step on a CPU frees stays with the process for the next, rather than going back to the system each time.

    There every map of a layer is memory that the system takes back when it is freed and must clear when it is asked for
    again: an eighth to two fifths of a step here (tests/benchmarks/processor.py). With glibc's `mallopt` it
    comes from the heap, which is trimmed afterwards; where there is no glibc nothing is done, nor where the environment
    says how glibc is to keep memory (MALLOC_TRIM_THRESHOLD_=131072, say): at its peak a process has more than it would,
    by what lies between blocks in use. No number depends on it.
    """
    told = any(name in os.environ for name in TOLD) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    ours = device == "cpu" and os.name == "posix" and not told
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if ours else None
    if adjust is None:
        yield
        return
    for name, value in (MAPPED, TRIMMED):
        adjust(name, value)
    try:
        yield
    finally:
        for name, value in USUAL:
            adjust(name, value)
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def halves(device: str) -> bool:
    """Whether products of bfloat16 are computed as such: on CUDA, and on processors with instructions for it."""
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.startswith("cuda") or bool(found.get("avx512_bf16") or found.get("amx_bf16"))
