"""Torch files assembled opcode by opcode, as no pickler would write them. Nothing here unpickles anything."""

import struct
import zipfile
from pathlib import Path

PROTO, STOP = b"\x80\x02", b"."
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
NONE, FALSE, EMPTY_LIST, EMPTY_TUPLE = b"N", b"\x89", b"]", b")"


def name(module: str, wanted: str) -> bytes:
    """GLOBAL: what the pickle asks for."""
    return f"c{module}\n{wanted}\n".encode()


def text(value: str) -> bytes:
    """BINUNICODE."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    """LONG1: a whole number of any size."""
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def several(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def call(module: str, wanted: str, *arguments: bytes) -> bytes:
    """REDUCE: a name, called."""
    return name(module, wanted) + several(*arguments) + b"R"


def storage(count: int = 10, key: str = "0", kind: str = "FloatStorage", more: bytes = b"") -> bytes:
    """BINPERSID: a storage that lies outside the pickle; `more` is the view that only old files write."""
    return several(text("storage"), name("torch", kind), text(key), text("cpu"), number(count), more) + b"Q"


def tensor(held: bytes, size: tuple[int, ...] = (10,), stride: tuple[int, ...] = (1,), offset: int = 0) -> bytes:
    """A tensor over a storage."""
    shape, steps = several(*map(number, size)), several(*map(number, stride))
    hooks = call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", held, number(offset), shape, steps, FALSE, hooks)


def table(**entries: bytes) -> bytes:
    """A dictionary, as a whole pickle."""
    return PROTO + b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u" + STOP


def archive(path: Path, pickled: bytes, packing: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """A file as torch.save writes it since 1.6, around any pickle."""
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/version", b"3\n")
        for key, data in members.items():
            file.writestr(f"archive/data/{key.removeprefix('at')}", data)
    return path


def legacy(path: Path, pickled: bytes, *keys: str, data: bytes = b"") -> Path:
    """A file as torch.save wrote it before 1.6, around any pickle."""
    version, machine = PROTO + b"M\xe9\x03.", PROTO + b"}."
    listed = PROTO + EMPTY_LIST + b"(" + b"".join(map(text, keys)) + b"e."
    path.write_bytes(MAGIC + version + machine + pickled + listed + data)
    return path
