"""
A ceiling on memory while a stranger's file is read: what asks for more is told that there is none.

The soft limit on the address space, which the operating system enforces on every allocation of the process.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

BUDGET = 2 << 30
"""Bytes a reader may ask for beside what a file's size explains."""
TIMES = 6
"""Of a file's size: it is mapped, its tensors are copied, and halves become floats."""


@contextlib.contextmanager
def ceiling(size: int) -> Iterator[None]:
    """
    Allocations fail with MemoryError beyond what a file of `size` bytes explains; the limit is put back at the end.

    Where the system cannot say how much a process has (it is not Linux), there is no such limit.
    """
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + BUDGET + TIMES * size
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
