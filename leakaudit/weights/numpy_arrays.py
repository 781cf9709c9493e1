"""Arrays of numpy (.npy, .npz): refused as weights; embeddings need no network, and weights want names."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _members

MAGIC = b"\x93NUMPY"


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an array, or an archive of nothing else."""
    return head.startswith(MAGIC) or _members.kind(head, path) == "numpy_arrays"


def read(path: Path) -> Never:
    """
    What to do instead is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: arrays of numpy. Of embeddings, leave out --backbone; of weights, write them by their names: "
        "safetensors.numpy.save_file(dict(numpy.load('weights.npz')), 'weights.safetensors')"
    )
