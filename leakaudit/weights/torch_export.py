"""A program of torch.export or AOTInductor (.pt2): refused, since loading it runs code."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _members


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an archive with such a program's members."""
    return _members.kind(head, path) == "torch_export"


def read(path: Path) -> Never:
    """
    How to export its weights is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a program of torch.export (.pt2); loading it runs code. Export its weights where it was made: "
        "torch.save(torch.export.load('model.pt2').state_dict, 'weights.pth')"
    )
