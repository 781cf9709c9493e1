"""A packed file (gzip, xz, zstd, 7z, rar, tar, other zip): refused, since what is in it must be unpacked first."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _asked, _members

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x78\x01": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
}
TAR, AT = b"ustar", 257
NAME = 100
TORCH = ("sys_info", "pickle", "storages", "tensors")
"""What the first member of torch's own tar archives is named."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def recognises(head: bytes, path: Path) -> bool:
    """Whether it begins as one, and is an archive of none of the formats that have a file here."""
    if head.startswith(ZIP):
        return _members.kind(head, path) in {"packed", ""}
    first = head[:NAME].rstrip(b"\0").decode("latin1").removeprefix("./")
    return head.startswith(tuple(MAGIC)) or (head[AT:].startswith(TAR) and first not in TORCH)


def read(path: Path) -> Never:
    """
    What is in it is said, where that can be read.

    Raises:
        RefusedError: always.
    """
    with path.open("rb") as file:
        head = file.read(AT + len(TAR))
    if head.startswith(ZIP):
        names = [member.filename for member in _members.members(path)]
        inside = f"with {_asked.listing(names[:5])}" if names else "with nothing in it"
        raise RefusedError(f"{path}: a zip archive {inside}, none that torch.save wrote. Unpack it, and name the model")
    kind = next((name for magic, name in MAGIC.items() if head.startswith(magic)), "tar")
    raise RefusedError(f"{path}: packed by {kind}. Unpack it, and name the model that is in it")
