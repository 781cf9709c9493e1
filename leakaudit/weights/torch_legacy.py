"""Weights that torch.save wrote before torch 1.6: pickles one after another, then the numbers of each storage."""

import mmap
from pathlib import Path

from leakaudit import store
from leakaudit.errors import RefusedError
from leakaudit.weights import Contents, _asked, _opcodes, _pickled

PICKLES = 5
"""The magic number, the format's version, the machine, the tree, the keys of the storages."""
TREE = 3


def recognises(head: bytes, path: Path) -> bool:  # noqa: ARG001 # as the others are called
    """Whether its first pickle is torch's magic number."""
    return _opcodes.is_torch(head)


def read(path: Path) -> Contents:
    """
    What its fourth pickle holds; the numbers follow the fifth.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated, asks for anything but tensors and plain data, or does so where torch never does.
    """
    with store.opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place, sizes, steps = 0, {}, _opcodes.STEPS
        for number in range(PICKLES):
            found = _asked.told(data, path, steps, place)
            place, steps = found.end, steps - found.steps
            if number == TREE:
                sizes = _asked.storages(found, path)
            elif found.storages or found.names:
                raise RefusedError(f"{path}: a header that asks for {_asked.listing(list(found.names)) or 'a tensor'}")
        there = len(data) - place
    if sum(sizes.values()) > there:
        raise RefusedError(
            f"{path}: truncated, or damaged: {there:,} bytes of its tensors' {sum(sizes.values()):,} are there"
        )
    return _pickled.read(path, "torch legacy", mapped=False)
