"""Small files that claim or unfold to be enormous, and names that would take over a terminal."""

import json
import struct
import zipfile

import opcodes
from evil import HONEST, OLD, beside, safetensors
from opcodes import call, inflating, mapping, name, paired, pickled, row, storage, tensor, text, torch_zip, whole
from opcodes import torch_legacy as old_torch

HUGE = 10**12
GIB = 1 << 30
DEEP = 100_000
LOUD = "a\x1b[2J\x1b]0;owned\x07\u202egnp.\nweight\r\x00\x9b"
"""Clears the screen, names the window, turns the line around, and starts a new one."""


def doubled(opening: bytes, closing: bytes, times: int = 40) -> bytes:
    """A value that holds itself twice, forty times over: 2^40 leaves in half a kilobyte."""
    body = opening + whole(1) + closing + b"q\x00"
    for _ in range(times):
        body += b"0" + opening + b"h\x00h\x00" + closing + b"q\x00"
    return body


def shared_dicts(times: int = 40) -> bytes:
    """The same of dicts, with a tensor at the bottom."""
    body = mapping(weight=tensor(storage())) + b"q\x00"
    for _ in range(times):
        body += b"0" + paired((text("a"), b"h\x00"), (text("b"), b"h\x00")) + b"q\x00"
    return body


def itself() -> bytes:
    """A dict that holds itself."""
    return EMPTY_KEPT + text("weight") + tensor(storage()) + b"s" + text("self") + b"h\x00s"


EMPTY_KEPT = b"}q\x00"


def overlapping(count: int = 2000) -> bytes:
    """A zip whose entries are all the same bytes, each a storage (D. Fifield, A better zip bomb, WOOT 2019)."""
    inner = opcodes.zipped(
        {"archive/data.pkl": pickled(HONEST), "archive/data/0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED
    )
    end = inner.rindex(b"PK\5\6")
    start = struct.unpack("<I", inner[end + 16 : end + 20])[0]
    central = inner[start:end]
    many = central * count
    total = 2 * count
    tail = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, total % 65536, total % 65536, len(many), start, 0)
    return inner[:start] + many + tail


def header(**tensors: object) -> bytes:
    """A safetensors file that says so."""
    return safetensors(json.dumps(tensors).encode())


def described(shape: list[int], end: int) -> dict[str, object]:
    """One tensor of a safetensors header."""
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}


wide = storage(size=HUGE)
NAMESPACE = name("argparse", "Namespace") + b")" + opcodes.NEW
BOMBS = {
    "bytearray.pth": torch_zip(beside(call(name("builtins", "bytearray"), whole(HUGE)))),
    "bytes.pth": torch_zip(beside(call(name("builtins", "bytes"), whole(HUGE)))),
    "range.pth": torch_zip(beside(call(name("builtins", "list"), call(name("builtins", "range"), whole(HUGE))))),
    "storage.pth": torch_zip(pickled(mapping(weight=tensor(wide, (HUGE,), (1,))))),
    "view.pth": torch_zip(pickled(mapping(weight=tensor(storage(), (10**6, 10**6), (0, 0))))),
    "views.pth": torch_zip(pickled(paired(*((text(f"w{i}"), tensor(storage(), (10**7,), (0,))) for i in range(99))))),
    "windows.pth": torch_zip(pickled(mapping(weight=tensor(storage(), (2,) * 60, (0,) * 60)))),
    "negative.pth": torch_zip(pickled(mapping(weight=tensor(storage(), (2, 3), (-3, 1))))),
    "beyond.pth": torch_zip(pickled(mapping(weight=tensor(storage(), (2, 3), (3, 1), offset=HUGE)))),
    "overflow.pth": torch_zip(pickled(mapping(weight=tensor(storage(size=1 << 62), (1 << 62, 4), (4, 1))))),
    "negative-storage.pth": torch_zip(pickled(mapping(weight=tensor(storage(size=-1))))),
    "legacy-storage.pth": old_torch(
        pickled(mapping(weight=tensor(storage(size=HUGE, legacy=True), (HUGE,), (1,)))), sizes=(HUGE,)
    ),
    "legacy-view.pth": old_torch(pickled(mapping(weight=tensor(storage(legacy=True), (10**6, 10**6), (0, 0))))),
    "legacy-keys.pth": old_torch(pickled(OLD), keys=pickled(call(name("builtins", "bytearray"), whole(HUGE)))),
    "lists.pth": torch_zip(beside(b"]" * DEEP + b"a" * (DEEP - 1))),
    "tuples.pth": torch_zip(beside(b")" + b"\x85" * DEEP)),
    "dicts.pth": torch_zip(beside((b"}" + text("a")) * DEEP + b"N" + b"s" * DEEP)),
    "marks.pth": torch_zip(beside(b"(" * DEEP)),
    "shared-lists.pth": torch_zip(beside(doubled(b"](", b"e"))),
    "shared-tuples.pth": torch_zip(beside(doubled(b"(", b"t"))),
    "shared-dicts.pth": torch_zip(pickled(shared_dicts())),
    "shared-bare.pkl": pickled(shared_dicts()),
    "itself.pth": torch_zip(pickled(itself())),
    "long.pth": torch_zip(pickled(paired((text("weight"), tensor(storage())), (text("epoch"), whole(10**100_000))))),
    "wide.pth": torch_zip(beside(row(*[b"K\x01"] * 300_000))),
    "many.pth": torch_zip(beside(paired(*((text(str(i)), b"N") for i in range(100_000))))),
    "hashes.pth": torch_zip(beside(paired(*((whole(i * (2**61 - 1)), b"N") for i in range(3000))))),
    "memo.pth": torch_zip(pickled(b"Nr\xff\xff\xff\xff0" + HONEST)),
    "frame.pth": torch_zip(b"\x80\x04\x95" + struct.pack("<Q", HUGE) + HONEST + b"."),
    "text.pth": torch_zip(b"\x80\x04\x8d" + struct.pack("<Q", HUGE) + b"a."),
    "bytes8.pth": torch_zip(b"\x80\x05\x96" + struct.pack("<Q", HUGE) + b"a."),
    "digits.pth": torch_zip(beside(b"I" + b"9" * 1_000_000 + b"\n")),
    "line.pth": torch_zip(beside(b"V" + b"a" * 4_000_000 + b"\n")),
    "magic.pth": opcodes.MAGIC + opcodes.PROTOCOL + b"\x80\x02" + b"]" * DEEP,
    "overlapping.pth": overlapping(),
    "state.pth": torch_zip(beside(NAMESPACE + doubled(b"](", b"e") + opcodes.BUILD)),
    "header.safetensors": struct.pack("<Q", HUGE) + b"{}",
    "nested.safetensors": safetensors(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "brackets.safetensors": safetensors(b"[" * DEEP),
    "shape.safetensors": header(w=described([HUGE], 4 * HUGE)),
    "overflow.safetensors": header(w=described([1 << 62, 1 << 62], 4)),
    "none.safetensors": header(w=described([0, HUGE], 0)),
    "twice.safetensors": header(a=described([1], 4), b=described([1], 4)) + b"\0\0\0\0",
    "header.csv": b"z0," * 50_000 + b"y\n",
    "rows.csv": b"z0,y\n" + b'"' * 1_000_000,
}  # fmt: skip
"""By name: what must be refused, or read within bounds."""


def inflated() -> dict[str, bytes]:
    """Those of a megabyte that are made when they are asked for."""
    floats = pickled(mapping(weight=tensor(storage(size=GIB >> 2), (GIB >> 2,), (1,))))
    plain = {"archive/version": b"3\n", "archive/byteorder": b"little"}
    return {
        "inflated-storage.pth": inflating(plain | {"archive/data.pkl": floats}, "archive/data/0", GIB),
        "inflated-pickle.pth": inflating(plain | {"archive/data/0": bytes(24)}, "archive/data.pkl", GIB),
        "inflated-member.npz": inflating({"y.npy": bytes(8)}, "z.npy", GIB),
        "inflated-elsewhere.pth": inflating(
            plain | {"archive/data.pkl": pickled(HONEST), "archive/data/0": bytes(24)}, "archive/data/9", GIB
        ),
    }


loud = tensor(storage())
LOUD_FILES = {
    "key.pth": torch_zip(pickled(paired((text(LOUD), loud)))),
    "keys.pth": torch_zip(pickled(paired((text(LOUD * 30_000), loud), (text("b"), loud)))),
    "beside.pth": torch_zip(pickled(paired((text("weight"), loud), (text(LOUD), text(LOUD * 9))))),
    "wrapper.pth": torch_zip(pickled(mapping(state_dict=paired((text(LOUD), paired((text(LOUD), loud))))))),
    "surrogate.pth": torch_zip(pickled(paired((text("\ud800"), loud)))),
    "number.pth": torch_zip(pickled(paired((whole(7), loud), (b"N", loud), (row(whole(1)), loud)))),
    "global.pth": torch_zip(beside(call(b"\x8c\x02os\x8c" + bytes([len(b"a\x1b[2J\nx")]) + b"a\x1b[2J\nx" + b"\x93"))),
    "class.pth": torch_zip(beside(name("__main__\x1b[2J", "N\u202eet") + b")" + opcodes.NEW)),
    "key.safetensors": safetensors(json.dumps({LOUD: described([1], 4)}).encode(), bytes(4)),
    "metadata.safetensors": safetensors(
        json.dumps({"__metadata__": {LOUD: LOUD}, "w": described([1], 4)}).encode(), bytes(4)
    ),
    "legacy.pth": old_torch(pickled(paired((text(LOUD), tensor(storage(legacy=True)))))),
}
"""By name: files with names that a terminal obeys."""
