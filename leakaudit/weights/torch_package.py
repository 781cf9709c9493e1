"""A package of torch.package, Python files and pickles in an archive: refused, since loading it runs its code."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _members


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an archive with a package's members."""
    return _members.kind(head, path) == "torch_package"


def read(path: Path) -> Never:
    """
    How to export its weights is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a package of torch.package; loading it runs its code. Export its weights where it was made: "
        "torch.save(model.state_dict(), 'weights.pth')"
    )
