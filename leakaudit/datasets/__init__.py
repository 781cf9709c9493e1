"""
Data sets. One file is one data set, with one function:

    load(split, root, *, <knobs>) -> Dataset

`split` is one of the file's `SPLITS`, in which `train` is what models are trained on and `test` is the default of an
audit. `root` is the folder in which named sets lie, each in its own folder. Knobs are keyword arguments with defaults.
A file may say `PAPER = {knob: value}`: the knobs under which the papers' own attacker is trained on the `train` split.
A file whose splits depend on its knobs defines `splits(root, *, <knobs>) -> tuple of names` beside `SPLITS`.

Raises `InputError`, with what to put where, when the data are not there.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from leakaudit.dataset import Dataset


@runtime_checkable
class Load(Protocol):
    """The contract of `load`."""

    def __call__(self, split: str, root: Path, **knobs: Any) -> Dataset:
        """One split."""


def splits(source: ModuleType, root: Path, knobs: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits that a data set has under these knobs, of those that its file names."""
    named: tuple[str, ...] = source.splits(root, **knobs) if hasattr(source, "splits") else source.SPLITS
    return named
