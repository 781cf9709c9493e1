"""A stranger's file, opened: format by content, tensors read without running anything, wrappers taken off."""

import stat
from pathlib import Path

from leakaudit import catalog, store
from leakaudit.errors import InputError, RefusedError
from leakaudit.unwrapping import Weights, unwrap

HEAD = 1024
"""Bytes by which a format is recognised."""
MODELS = (".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt", ".onnx")


def read(path: Path) -> Weights:
    """
    The tensors of a weights file of any format.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
        RefusedError: it is truncated, unsafe, of a format that cannot be read without running code, or no model at all.
    """
    head = _head(path)
    for name in catalog.names("weights"):
        module = catalog.thing("weights", name)
        if module.recognises(head, path):
            break
    else:
        raise RefusedError(f"{path}: no model of any format that is known (`leakaudit list weights` names them)")
    contents = module.read(path)
    tensors, taken_off, beside = unwrap(contents.tree, str(path))
    return Weights(
        tensors, contents.format, store.digest_file(path), path.stat().st_size, taken_off, beside, contents.notes
    )


def _head(path: Path) -> bytes:
    """The first bytes of a file of the usual kind; a pipe or a device is not waited for."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            inside = sorted(file.name for file in path.iterdir() if file.suffix in MODELS)[:5]
            there = f": {', '.join(inside)}" if inside else f", there is none ({', '.join(MODELS)})"
            raise InputError(f"{path}: a folder; name the model's file in it{there}")
        if not stat.S_ISREG(kind):
            raise InputError(f"{path}: a pipe or a device; the name of a file expected")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not head:
        raise RefusedError(f"{path}: an empty file")
    return head
