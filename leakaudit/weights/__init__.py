"""
Weight formats. One file is one format, with two constants-by-convention:

    SUFFIXES = (".safetensors",)
    read(path) -> dict[str, np.ndarray]       tensors, never code

Raises `RefusedError` for a file that is truncated, foreign or unsafe.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Read(Protocol):
    """The contract of `read`."""

    def __call__(self, path: Path) -> dict[str, np.ndarray]:
        """The tensors of a weights file, by name."""
