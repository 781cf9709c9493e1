"""Weights in the safetensors format: a header of JSON and the numbers, no code."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from leakaudit import store
from leakaudit.errors import RefusedError, spelt
from leakaudit.weights import Contents
from leakaudit.weights._limits import ceiling
from leakaudit.weights._plain import Plainly

LENGTH = store.LENGTH
"""Bytes that hold the length of the header, which begins with a brace."""
HEADER = 100_000_000
"""Bytes of a header, at most, by the format; fewer are read."""


def recognises(head: bytes, path: Path) -> bool:
    """Whether a header of JSON follows its length, or, of a file too short to say, its name says so."""
    if len(head) <= LENGTH:
        return path.suffix == ".safetensors"
    return head[LENGTH : LENGTH + 1] == b"{" and int.from_bytes(head[:LENGTH], "little") <= HEADER


def read(path: Path) -> Contents:
    """
    The tensors by name; bfloat16, float16 and float8 become float32 without loss.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated, not safetensors, holds no tensor, or more than any network.
    """
    store.tensor_names(path)
    size = path.stat().st_size
    plainly = Plainly(size, copy=True)
    try:
        with ceiling(size):
            tree = plainly(load_file(path))
    except MemoryError as error:
        raise RefusedError(f"{path}: takes more memory than a file of {size:,} bytes can need") from error
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise RefusedError(f"{path}: truncated, or not a safetensors file ({spelt(error)})") from error
    if not tree:
        raise RefusedError(f"{path}: holds no tensor")
    return Contents("safetensors", tree, plainly.notes())
