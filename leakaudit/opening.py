"""A stranger's file, opened: format by content, tensors read without running anything, wrappers taken off."""

from pathlib import Path

from leakaudit import catalog, store
from leakaudit.errors import InputError, RefusedError
from leakaudit.unwrapping import Weights, unwrap

HEAD = 1024
"""Bytes by which a format is recognised."""


def read(path: Path) -> Weights:
    """
    The tensors of a weights file of any format.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated, unsafe, of a format that cannot be read without running code, or no model at all.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(HEAD)
    for name in catalog.names("weights"):
        module = catalog.thing("weights", name)
        if module.recognises(head, path):
            break
    else:
        raise RefusedError(f"{path}: no weights of any format that is known ({', '.join(catalog.names('weights'))})")
    contents = module.read(path)
    tensors, taken_off, beside = unwrap(contents.tree, str(path))
    return Weights(
        tensors, contents.format, store.digest_file(path), path.stat().st_size, taken_off, beside, contents.notes
    )
