"""Weights in the safetensors format: a header of JSON and the numbers, no code."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from leakaudit.errors import InputError, RefusedError
from leakaudit.weights import Contents
from leakaudit.weights._plain import Plainly

LENGTH = 8
"""Bytes that hold the length of the header, which begins with a brace."""
HEADER = 100_000_000
"""Bytes of a header, at most; the format's own limit."""


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
        RefusedError: it is truncated, not safetensors, or holds no tensor.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    plainly = Plainly(path.stat().st_size, copy=True)
    try:
        tree = plainly(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        told = " ".join(str(error).split())[:120]
        raise RefusedError(f"{path}: truncated, or not a safetensors file ({told})") from error
    if not tree:
        raise RefusedError(f"{path}: holds no tensor")
    return Contents("safetensors", tree, plainly.notes())
