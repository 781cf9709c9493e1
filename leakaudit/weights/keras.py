"""A Keras file (.keras, HDF5): refused, since its layers are built by code that the file names."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _members

HDF5 = b"\x89HDF\r\n\x1a\n"


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is HDF5, or an archive with Keras' members."""
    return head.startswith(HDF5) or _members.kind(head, path) == "keras"


def read(path: Path) -> Never:
    """
    How to export the model is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a Keras or HDF5 file, whose layers are built by code. Export the model where it was made: "
        "model.export('model.onnx', format='onnx'), and audit that"
    )
