"""Arrays of numpy (.npy, .npz): refused as weights; embeddings need no network, and weights want names."""

import re
from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError, spelt
from leakaudit.weights import _members

MAGIC = b"\x93NUMPY"
HEAD = 4096
"""Bytes in which a header says what an array holds (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)."""


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an array, or an archive of nothing else."""
    return head.startswith(MAGIC) or _members.kind(head, path) == "numpy_arrays"


def read(path: Path) -> Never:
    """
    What to do instead is said, of one array and of an archive of them.

    Raises:
        RefusedError: always.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.startswith(MAGIC):
        raise RefusedError(
            f"{path}: arrays of numpy. Of embeddings, leave out --backbone; of weights, write them by their names: "
            "safetensors.numpy.save_file(dict(numpy.load('weights.npz')), 'weights.safetensors')"
        )
    if re.search(rb"'[|<>=]?O\d*'", head):
        raise RefusedError(
            f"{path}: an array of numpy that holds Python objects, which leakaudit never loads; save numbers instead"
        )
    raise RefusedError(
        f"{path}: one array of numpy, without names. Of embeddings, add labels: numpy.savez('embeddings.npz', "
        f"z=numpy.load({spelt(path.name)!r}), NAME=labels); of weights, save all by their names: "
        "safetensors.numpy.save_file(tensors, 'weights.safetensors')"
    )
