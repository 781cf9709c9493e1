"""A TorchScript program (torch.jit.save): refused, since loading it runs its code."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _members


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an archive with a program's members."""
    return _members.kind(head, path) == "torchscript"


def read(path: Path) -> Never:
    """
    How to export its weights is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a TorchScript program; loading it runs its code. Export its weights where it was made: "
        "torch.save(torch.jit.load('model.pt').state_dict(), 'weights.pth')"
    )
