"""Weights in the safetensors format: a header of JSON and the numbers, no code."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from leakaudit.errors import InputError, RefusedError
from leakaudit.weights import Contents

LENGTH = 8
"""Bytes that hold the length of the header, which begins with a brace."""


def recognises(head: bytes, path: Path) -> bool:
    """Whether a header of JSON follows its length, or, of a file too short to say, its name says so."""
    return head[LENGTH : LENGTH + 1] == b"{" or (path.suffix == ".safetensors" and len(head) <= LENGTH)


def read(path: Path) -> Contents:
    """
    The tensors by name; bfloat16, which numpy lacks, becomes float32 without loss.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated, not safetensors, or holds no tensor.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise RefusedError(f"{path}: truncated, or not a safetensors file ({error})") from error
    if not tensors:
        raise RefusedError(f"{path}: holds no tensor")
    tree = {name: (t.float() if t.dtype == torch.bfloat16 else t).numpy() for name, t in tensors.items()}
    return Contents("safetensors", tree)
