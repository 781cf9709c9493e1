"""Weights in the safetensors format: a header of JSON and the numbers, no code."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from leakaudit.errors import InputError, RefusedError

SUFFIXES = (".safetensors",)


def read(path: Path) -> dict[str, np.ndarray]:
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
    return {name: (t.float() if t.dtype == torch.bfloat16 else t).numpy() for name, t in tensors.items()}
