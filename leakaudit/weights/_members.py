"""
The members of a zip archive, before anything reads it: each is stored plainly, once, in a place of its own.

torch writes archives whose members are not compressed, and its reader trusts what the archive says of itself. So a
member that claims more bytes than the file has, that shares its bytes with another, or that stands twice, is refused.
"""

import re
import struct
import zipfile
from pathlib import Path

from leakaudit import store
from leakaudit.errors import RefusedError

MAGIC, END = b"PK\x03\x04", b"PK\x05\x06"
DIRECTORY = 8 << 20
"""Bytes of an archive's directory, at most: 60,000 tensors fill no more."""
ENCRYPTED, UTF8 = 1, 1 << 11
KINDS = {
    "torchscript": r"([^/]+/)?(constants\.pkl|bytecode\.pkl|model\.json|code/.+\.py)",
    "torch_export": r"([^/]+/)?(archive_format|models/.+\.json|data/aotinductor/.+|serialized_exported_program\.json)",
    "torch_package": r"[^/]+/\.data/(extern_modules|python_version)",
    "keras": r"(config\.json|model\.weights\.h5)",
    "torch_zip": r"[^/]+/data\.pkl",
}
"""What an archive is by a member that it has; the first holds."""
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")


def members(path: Path) -> list[zipfile.ZipInfo]:
    """
    What an archive says of its members.

    Raises:
        InputError: there is no such file.
        RefusedError: it is cut short, or has no directory that can be read.
    """
    with store.opened(path) as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _END.size))
        tail = file.read()
    size = _END.unpack(tail)[5] if tail.startswith(END) and len(tail) == _END.size else 0
    if size > DIRECTORY:
        raise RefusedError(f"{path}: an archive with a directory of {size:,} bytes, at most {DIRECTORY:,} are read")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, UnicodeError) as error:
        raise RefusedError(f"{path}: truncated, or a damaged archive ({error})") from error


def kind(head: bytes, path: Path) -> str:
    """Of `KINDS`, `numpy_arrays` or `packed`; empty where it is no archive."""
    if not head.startswith(MAGIC):
        return ""
    try:
        names = [member.filename for member in members(path)]
    except RefusedError:
        return "packed"
    known = (word for word, mark in KINDS.items() if any(re.fullmatch(mark, name) for name in names))
    arrays = bool(names) and all(name.endswith(".npy") for name in names)
    return next(known, "numpy_arrays" if arrays else "packed")


def checked(path: Path) -> dict[str, tuple[int, int]]:
    """
    Where the bytes of each member begin, and how many they are, by its name without the archive's one folder.

    Raises:
        RefusedError: the archive is damaged, or not one that torch writes.
    """
    listed = members(path)
    for member in listed:
        _check(member, path)
    folders = {member.filename.partition("/")[0] for member in listed}
    keys = [member.filename.partition("/")[2] for member in listed]
    if len(folders) != 1 or "" in keys:
        raise RefusedError(f"{path}: an archive of {len(folders)} folders; torch.save writes one")
    if len({key.casefold() for key in keys}) != len(keys):
        raise RefusedError(f"{path}: an archive with two members of one name")
    places = {}
    with path.open("rb") as file:
        last = file.seek(0, 2)
        for key, member in sorted(zip(keys, listed, strict=True), key=lambda pair: -pair[1].header_offset):
            file.seek(min(max(member.header_offset, 0), last))
            head = file.read(_LOCAL.size)
            magic, *_, letters, extra = _LOCAL.unpack(head) if len(head) == _LOCAL.size else (b"", 0, 0)
            start = member.header_offset + _LOCAL.size + letters + extra
            name = file.read(letters)
            if (
                magic != MAGIC
                or name != member.orig_filename.encode(_letters(member))
                or start + member.file_size > last
            ):
                said = f"member {member.filename[:80]!r} says {member.file_size:,} bytes"
                raise RefusedError(f"{path}: truncated, or a damaged archive ({said}, and they are not its own)")
            places[key] = (start, member.file_size)
            last = member.header_offset
    return places


def _letters(member: zipfile.ZipInfo) -> str:
    """How its name is written: by a flag, in one of two encodings."""
    return "utf-8" if member.flag_bits & UTF8 else "cp437"


def _check(member: zipfile.ZipInfo, path: Path) -> None:
    """One member's own words."""
    name = f"{path}: member {member.filename[:80]!r} of the archive"
    if member.flag_bits & ENCRYPTED:
        raise RefusedError(f"{name} is encrypted; decrypt the file and name that")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise RefusedError(f"{name} is compressed, which torch.save never does; save it again with torch.save")
