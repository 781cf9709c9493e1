"""A stranger's file, opened: format by content, tensors read without running anything, wrappers taken off."""

import hashlib
import os
from io import BufferedReader
from pathlib import Path

from leakaudit import catalog, store
from leakaudit.errors import InputError, RefusedError
from leakaudit.unwrapping import Weights, unwrap
from leakaudit.weights import Contents

HEAD = 1024
"""Bytes by which a format is recognised."""
FIRST = "safetensors"
"""The format that is asked first: it begins with a length, whose bytes may be those by which another is recognised."""
MODELS = (".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt", ".onnx")


def read(path: Path, sha256: str = "") -> Weights:
    """
    The tensors of a weights file of any format; `sha256`: what its bytes were when somebody looked at them before.

    One open file is hashed, read and hashed again, whatever comes to lie at its name meanwhile; where the system gives
    an open file no name of its own (it is not Linux), the file must lie there still at the end.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
        RefusedError: it is truncated, unsafe, of a format that cannot be read without running code, no model at all, or
            other bytes than before.
    """
    if _is_folder(path):
        inside = sorted(file.name for file in path.iterdir() if file.suffix in MODELS)[:5]
        there = f": {', '.join(inside)}" if inside else f", there is none ({', '.join(MODELS)})"
        raise InputError(f"{path}: a folder; name the model's file in it{there}")
    with store.opened(path) as file:
        found = _digest(file)
        if sha256 and found != sha256:
            raise RefusedError(f"{path}: changed since it was checked: sha256 {found}, {sha256} expected")
        held = Held(path)
        held.number = file.fileno()
        contents = _contents(held, file)
        tensors, taken_off, beside = unwrap(contents.tree, str(path))
        if _digest(file) != found or not held.same():
            raise RefusedError(f"{path}: changed while it was read")
        size = os.fstat(file.fileno()).st_size
    return Weights(tensors, contents.format, found, size, taken_off, beside, contents.notes)


class Held(type(Path())):  # type: ignore[misc] # the kind of path that this system has
    """A path that reads as it was typed, and opens the one file that is held, not what lies at that name by now."""

    number = -1
    """Of the open file."""

    def __fspath__(self) -> str:
        """The name that the system gives to the open file; else its own."""
        there = f"/proc/self/fd/{self.number}"
        return there if os.path.exists(there) else str(self)  # noqa: PTH110 # a path would ask for itself

    def same(self) -> bool:
        """Whether what it opens is the file that is held."""
        try:
            return os.path.samestat(self.stat(), os.fstat(self.number))
        except OSError:
            return False


def _contents(path: Path, file: BufferedReader) -> Contents:
    """What the format that recognises the file reads out of it."""
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        raise RefusedError(f"{path}: an empty file")
    for name in sorted(catalog.names("weights"), key=lambda name: name != FIRST):
        module = catalog.thing("weights", name)
        if module.recognises(head, path):
            contents: Contents = module.read(path)
            return contents
    raise RefusedError(f"{path}: no model of any format that is known (`leakaudit list weights` names them)")


def _digest(file: BufferedReader) -> str:
    """Sha256 of an open file from its first byte on."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
