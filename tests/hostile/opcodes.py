"""
Pickles assembled by hand, opcode by opcode, and the containers that torch puts around them.

https://github.com/python/cpython/blob/main/Lib/pickletools.py; torch/serialization.py for the layouts.
"""

import io
import struct
import tarfile
import zipfile
import zlib

MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
"""1001: what torch calls its protocol."""
MARK, EMPTY, NONE, TUPLE, REDUCE, BUILD, NEW = b"(", b"}", b"N", b"t", b"R", b"b", b"\x81"


def pickled(body: bytes, protocol: int = 2) -> bytes:
    """A whole pickle of one value."""
    return b"\x80" + bytes([protocol]) + body + b"."


def name(module: str, what: str) -> bytes:
    """A global, by the old opcode."""
    return b"c" + f"{module}\n{what}\n".encode()


def stacked(module: str, what: str) -> bytes:
    """A global whose two names come off the stack: it may be dotted."""
    return text(module) + text(what) + b"\x93"


def text(value: str) -> bytes:
    """A text; lone surrogates are let through."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def whole(value: int) -> bytes:
    """A whole number of any size, in the opcode a pickler would take."""
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return (b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<I", len(data))) + data


def row(*values: bytes) -> bytes:
    """A tuple."""
    return MARK + b"".join(values) + TUPLE


def listed(*values: bytes) -> bytes:
    """A list."""
    return b"](" + b"".join(values) + b"e"


def call(function: bytes, *arguments: bytes) -> bytes:
    """What a function gives."""
    return function + row(*arguments) + REDUCE


def mapping(**values: bytes) -> bytes:
    """A dict with text keys."""
    return paired(*((text(key), value) for key, value in values.items()))


def paired(*items: tuple[bytes, bytes]) -> bytes:
    """A dict of any keys."""
    return EMPTY + MARK + b"".join(key + value for key, value in items) + b"u"


def storage(kind: bytes = b"ctorch\nFloatStorage\n", key: str = "0", size: int = 6, *, legacy: bool = False) -> bytes:
    """A storage by its persistent name."""
    parts = (text("storage"), kind, text(key), text("cpu"), whole(size), *([NONE] if legacy else []))
    return row(*parts) + b"Q"


def tensor(held: bytes, size: tuple[int, ...] = (2, 3), stride: tuple[int, ...] = (3, 1), offset: int = 0) -> bytes:
    """A tensor as torch writes it."""
    shape, steps = (row(*map(whole, each)) for each in (size, stride))
    none = name("collections", "OrderedDict") + b")R"
    return call(name("torch._utils", "_rebuild_tensor_v2"), held, whole(offset), shape, steps, b"\x89", none)


def torch_zip(pickle: bytes, more: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """The container of torch since 1.6, with a storage of six floats."""
    members = {
        "archive/data.pkl": pickle,
        "archive/byteorder": b"little",
        "archive/data/0": struct.pack("<6f", *range(6)),
        "archive/version": b"3\n",
        "archive/.data/serialization_id": b"1" * 40,
    }
    return zipped(members | (more or {}), method)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return data.getvalue()


def inflating(members: dict[str, bytes], inflated: str, size: int) -> bytes:
    """A zip in which one member is so many zeros, deflated to a thousandth: made without ever having them."""
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = block.compress(bytes(1 << 20)) + block.flush(zlib.Z_FULL_FLUSH)
    stream, crc = piece * (size >> 20) + block.flush(), 0
    for _ in range(size >> 20):
        crc = zlib.crc32(bytes(1 << 20), crc)
    data = bytearray(zipped({inflated: stream} | members))
    central = data.index(b"PK\1\2")
    for start in (8, central + 10):
        data[start : start + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    for start in (14, central + 16):
        data[start : start + 12] = struct.pack("<III", crc, len(stream), size)
    return bytes(data)


def torch_legacy(
    pickle: bytes,
    *,
    system: bytes = pickled(mapping(little_endian=b"\x88")),
    keys: bytes = pickled(listed(text("0"))),
    sizes: tuple[int, ...] = (6,),
) -> bytes:
    """The container of torch before 1.6: five pickles in a row, then the storages."""
    data = b"".join(struct.pack("<q", size) + struct.pack("<6f", *range(6)) for size in sizes)
    return MAGIC + PROTOCOL + system + pickle + keys + data


def tarred(members: dict[str, bytes]) -> bytes:
    """A tar of these: the container of torch before 0.1.10."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()
