"""
Weight formats. One file is one format, with two functions:

    recognises(head, path) -> bool      by content: `head` is the file's first KiB; never by its name alone
    read(path) -> Contents              tensors and plain data, never code

A format that cannot be read without running code has a file too: its `read` always raises, and says how to export the
model so that it can be. `read` raises `RefusedError` for a file that is truncated, foreign or unsafe, `InputError` for
one that is not there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Contents:
    """What a weights file holds, before anything is taken off it."""

    format: str
    """In a person's words: `safetensors`, `torch zip`, `torch legacy`, `ONNX`."""
    tree: Any
    """Nested dicts (with text keys) and lists of plain data; every tensor is a numpy array."""
    notes: tuple[str, ...] = ()
    """What was let through as something else: `argparse.Namespace read as plain data`."""


@runtime_checkable
class Recognises(Protocol):
    """The contract of `recognises`."""

    def __call__(self, head: bytes, path: Path) -> bool:
        """Whether the file is of this format."""


@runtime_checkable
class Read(Protocol):
    """The contract of `read`."""

    def __call__(self, path: Path) -> Contents:
        """What a weights file holds."""
