"""A tar archive of torch before 0.1.10: refused, since torch reads it by its unrestricted unpickler alone."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError

MAGIC, AT = b"ustar", 257
MEMBERS = ("sys_info", "pickle", "storages", "tensors")
NAME = 100
"""Bytes of a member's name, at the front of its header."""


def recognises(head: bytes, path: Path) -> bool:  # noqa: ARG001 # as the others are called
    """Whether it is a tar archive whose first member is one of torch's four."""
    first = head[:NAME].rstrip(b"\0").decode("latin1").removeprefix("./")
    return head[AT:].startswith(MAGIC) and first in MEMBERS


def read(path: Path) -> Never:
    """
    How to export its weights is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a tar archive of torch before 0.1.10, which no torch reads without running what it asks for. Export "
        "its weights where it was made: torch.save(model.state_dict(), 'weights.pth')"
    )
