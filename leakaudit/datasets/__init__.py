"""
Data sets. One file is one data set, with one function:

    load(split, root, *, <knobs>) -> Dataset

`split` is one of the file's `SPLITS`, in which `train` is what models are trained on and `test` is the default of an
audit. `root` is the folder in which named sets lie, each in its own folder. Knobs are keyword arguments with defaults.
A file may say `PAPER = {knob: value}`: the knobs under which the papers' own attacker is trained on the `train` split.
A file that reads a user's own data says `OWN = True`: two folders may give one name to different images, so that a row
is taken for one that a model was trained on where their contents are equal, and by its name where these are unknown.
A file whose splits depend on its knobs defines `splits(root, *, <knobs>) -> tuple of names` beside `SPLITS`.

Most named sets are a `layout(root, *, <knobs>) -> Listing`, from which `_reader` makes `load` and `splits`.

Raises `InputError`, with what to put where, when the data are not there.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from leakaudit import catalog
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset

TABLES = (".csv", ".tsv", ".parquet")
ARRAYS = (".npz",)


@runtime_checkable
class Load(Protocol):
    """The contract of `load`."""

    def __call__(self, split: str, root: Path, **knobs: Any) -> Dataset:
        """One split."""


def splits(source: ModuleType, root: Path, knobs: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits that a data set has under these knobs, of those that its file names."""
    named: tuple[str, ...] = source.splits(root, **knobs) if hasattr(source, "splits") else source.SPLITS
    return named


def named(text: str, root: Path, where: str) -> Call:
    """
    DATA as it is typed: a data set with its knobs, or the user's own file or folder, whose kind its form tells.

    A table of paths, a file of arrays, a folder of class folders, or a folder of a Hugging Face data set.

    Raises:
        InputError: there is no such data set and no such file or folder.
    """
    call = catalog.parse(text, where)
    suffix = Path(call.name).suffix.lower()
    if suffix in (*TABLES, *ARRAYS):
        return Call("table" if suffix in TABLES else "arrays", {"file": call.name, **call.knobs})
    for folder in (Path(call.name), root / call.name):
        if call.name not in catalog.names("datasets") and folder.is_dir():
            kind = (
                "huggingface"
                if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()
                else "folders"
            )
            return Call(kind, {"folder": call.name, **call.knobs})
    return catalog.call("datasets", text, where)
