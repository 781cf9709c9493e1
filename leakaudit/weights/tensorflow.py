"""A model of TensorFlow (SavedModel, checkpoint, TFLite): refused, since its graph is run by TensorFlow alone."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError

SAVED = b"\x08\x01\x12"
"""Schema version 1, then the graphs: the front of `saved_model.pb`."""
LITE, AT = b"TFL3", 4
INDEX = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""The end of a checkpoint's `.index`."""


def recognises(head: bytes, path: Path) -> bool:
    """Whether it begins as a SavedModel or TFLite file, or ends as a checkpoint's index."""
    if head.startswith(SAVED) or head[AT:].startswith(LITE) or ".data-0000" in path.name:
        return True
    if path.stat().st_size < len(INDEX):
        return False
    with path.open("rb") as file:
        file.seek(-len(INDEX), 2)
        return file.read() == INDEX


def read(path: Path) -> Never:
    """
    How to export the model is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a model of TensorFlow. Export it where it was made, and audit that: "
        "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"
    )
