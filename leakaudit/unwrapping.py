"""
What lies around the tensors of a network in a stranger's file, taken off and named.

Wrappers (`state_dict`, `model`, `net`, `ema`, ...) and prefixes (`module.`, `model.`, `_orig_mod.`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from leakaudit.errors import RefusedError


@dataclass(frozen=True)
class Weights:
    """The tensors that fill a network, and what stood around them."""

    tensors: dict[str, np.ndarray]
    format: str
    """In a person's words: `torch zip`."""
    sha256: str
    """Of the file's bytes."""
    size: int
    """Bytes of the file."""
    taken_off: tuple[str, ...] = ()
    """Wrappers and prefixes, in the order in which they were taken off: `state_dict`, `module.`."""
    beside: tuple[str, ...] = ()
    """What else the file holds, in a person's words: `epoch = 49`, `optimizer (12 tensors)`."""
    notes: tuple[str, ...] = ()
    """What a reader of an audit must know of how the file was read."""


def unwrap(tree: Any, where: str) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """
    Tensors by name, what was taken off, and what lay beside.

    Raises:
        RefusedError: there are no tensors by name.
    """
    if not isinstance(tree, dict) or not all(isinstance(tensor, np.ndarray) for tensor in tree.values()):
        raise RefusedError(f"{where}: holds no tensors by name")
    return dict(tree), (), ()
