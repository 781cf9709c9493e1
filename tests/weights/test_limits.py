"""A small file cannot take much memory or time, and what torch would refuse is named."""

import resource
import time
import zipfile

import pytest
import torch
from assembled import (
    EMPTY_LIST,
    NONE,
    PROTO,
    STOP,
    archive,
    call,
    legacy,
    name,
    number,
    several,
    storage,
    table,
    tensor,
    text,
)

from leakaudit import catalog
from leakaudit.errors import RefusedError
from leakaudit.weights import _limits, _plain

NUMBERS = bytes(40)
SECONDS = 3
"""CPU time of a file that is refused; a bomb that goes off takes minutes."""


def read(path):
    """What the format's file reads."""
    head = path.read_bytes()[:1024]
    kind = next(kind for kind in ("torch-zip", "torch-legacy") if catalog.thing("weights", kind).recognises(head, path))
    return catalog.thing("weights", kind).read(path)


def doubled(opening: bytes, closing: bytes) -> bytes:
    """A collection that holds the one before twice, sixty times over; the last is `LAST` in the memo."""
    steps = (opening + b"h" + bytes([i]) + b"h" + bytes([i]) + closing + b"q" + bytes([i + 1]) for i in range(60))
    return opening + closing + b"q\0" + b"".join(steps)


LAST = b"h" + bytes([60])
UNFOLDS = PROTO + doubled(b"(", b"t")


GOOD = tensor(storage())
BOMBS = {
    "a storage that the file has not": (table(w=tensor(storage(1000))), "40 bytes of a tensor's 4,000 are there"),
    "a tensor larger than its storage": (table(w=tensor(storage(), (1000,))), "truncated, damaged or unsafe"),
    "one number spread over a terabyte": (table(w=tensor(storage(), (2**38,), (0,))), "spread a few numbers"),
    "many numbers spread": (table(w=tensor(storage(), (20, 10**6), (0, 0))), "spread a few numbers"),
    "a stride below zero": (table(w=tensor(storage(), (10,), (-1,), 9)), "damaged"),
    "an offset below zero": (table(w=tensor(storage(), offset=-5)), "damaged"),
    "a size below zero": (table(w=tensor(storage(), (-10,))), "damaged"),
    "a count below zero": (table(w=tensor(storage(-10))), "no number of elements"),
    "a count of thirty digits": (table(w=tensor(storage(10**30))), "truncated"),
    "a hundred dimensions": (table(w=tensor(storage(), (1,) * 100, (1,) * 100)), "dimensions"),
    "an array of bytes": (table(w=call("builtins", "bytearray", number(10**12))), "no checkpoint does"),
    "a tensor out of nothing": (table(w=call("torch", "Tensor", number(10**12))), "out of nothing"),
    "a slow encoding": (table(w=call("_codecs", "encode", text("é" * 9), text("punycode"))), "no checkpoint does"),
    "an encoding within a call": (
        table(w=call("torch._tensor", "_rebuild_from_type_v2", name("_codecs", "encode"), NONE, several(), NONE)),
        "something else than a tensor",
    ),
    "lists in lists": (PROTO + EMPTY_LIST * 5_000 + b"a" * 4_999 + STOP, "nested more than 64 deep"),
    "tuples in tuples": (PROTO + b")" + b"\x85" * 5_000 + STOP, "nested more than 64 deep"),
    "a list in itself": (PROTO + b"]q\0h\0a" + STOP, "in a circle"),
    "a dictionary in itself": (PROTO + b"}q\0" + text("a") + b"h\0s" + STOP, "in a circle"),
    "a billion lists in a few": (PROTO + doubled(b"](", b"e") + STOP, "more than 10,000 values"),
    "a billion tuples for a key": (PROTO + b"}" + doubled(b"(", b"t") + b"K\1s" + STOP, "keys are tuples"),
    "a billion tuples in a set": (UNFOLDS + table(w=call("builtins", "set", LAST))[2:], "keys are tuples"),
    "a key of a megabyte": (table(**{"k" * 10**6: GOOD}), "a key of 1,000,000 letters"),
    "two keys of one name": (PROTO + b"}(" + text("1") + b"K\1K\1K\1u" + STOP, "two keys that read '1'"),
    "a quantised tensor": (table(w=call("torch._utils", "_rebuild_qtensor")), r"tensor\.dequantize\(\)"),
    "a sparse tensor": (table(w=call("torch._utils", "_rebuild_sparse_tensor")), r"tensor\.to_dense\(\)"),
    "a storage of a quantised type": (table(w=tensor(storage(kind="QInt8Storage"))), r"torch\.QInt8Storage"),
    "a sparse tensor and more": (
        table(w=call("torch._utils", "_rebuild_sparse_tensor"), v=call("posix", "system", text("true"))),
        r"asks to run posix\.system, and names torch\._utils\._rebuild_sparse_tensor",
    ),
    "a storage whose key unfolds": (
        UNFOLDS + table(w=several(text("storage"), name("torch", "FloatStorage"), LAST, NONE, number(1)) + b"Q")[2:],
        "which no tensor that is read has",
    ),
    "an encoding that unfolds": (
        UNFOLDS + table(w=call("_codecs", "encode", text("a"), LAST))[2:],
        "no checkpoint does",
    ),
    "an opcode that torch does not read": (PROTO + b"N0N" + STOP, r"opcode POP, .*pickle_protocol=2"),
    "what was never kept": (PROTO + b"h\7" + STOP, "takes what it never kept"),
    "an empty stack": (PROTO + b"a" + STOP, "empty stack"),
    "a text longer than the file": (PROTO + b"X\xff\xff\xff\xff" + STOP, "cut short"),
}


def test_what_is_assembled_here_is_read(tmp_path):
    """The same file without a bomb in it holds its tensor, in both layouts."""
    assert (read(archive(tmp_path / "w.pt", table(w=GOOD), at0=NUMBERS)).tree["w"] == 0).all()
    old = legacy(tmp_path / "o.pt", table(w=tensor(storage(more=NONE))), "0", data=number_of(10) + NUMBERS)
    assert read(old).tree["w"].shape == (10,)


def number_of(count: int) -> bytes:
    """How a legacy file counts the numbers of a storage."""
    return count.to_bytes(8, "little")


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_one_line(tmp_path, monkeypatch, bomb):
    """What claims, unfolds or asks for too much costs neither memory nor time."""
    monkeypatch.setattr(_plain, "VALUES", 10_000)  # what checks types at run time makes a million take half a minute
    pickled, told = BOMBS[bomb]
    path = archive(tmp_path / "w.pt", pickled, at0=NUMBERS)
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedError, match=told) as refused:
        read(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize("count", [11, 10**6, 10**12])
def test_a_legacy_storage_larger_than_the_file_is_refused(tmp_path, count):
    """The numbers that follow the pickles are all there is."""
    pickled = table(w=tensor(storage(count, more=NONE), (count,)))
    with pytest.raises(RefusedError, match="truncated"):
        read(legacy(tmp_path / "w.pt", pickled, "0", data=NUMBERS))


def test_a_legacy_tensor_larger_than_its_storage_is_refused(tmp_path):
    """Torch would let the storage grow to hold it."""
    pickled = table(w=tensor(storage(more=NONE), (10**10,)))
    with pytest.raises(RefusedError, match=r"memory|damaged"):
        read(legacy(tmp_path / "w.pt", pickled, "0", data=number_of(10) + NUMBERS))


def test_an_archive_that_lies_is_refused(tmp_path):
    """A member that claims more than the file has, or the bytes of another, or that is encrypted."""
    whole = archive(tmp_path / "w.pt", table(w=GOOD), at0=NUMBERS).read_bytes()
    central = whole.index(b"PK\x01\x02")
    sized = bytearray(whole)
    for place in (20, 24):
        sized[central + place : central + place + 4] = (10**9).to_bytes(4, "little")
    flagged = bytearray(whole)
    flagged[central + 8] |= 1
    second = whole.index(b"PK\x01\x02", central + 1)
    moved = bytearray(whole)
    moved[second + 42 : second + 46] = (0).to_bytes(4, "little")
    for data, told in ((sized, "not its own"), (flagged, "encrypted"), (moved, "not its own")):
        (tmp_path / "other.pt").write_bytes(data)
        with pytest.raises(RefusedError, match=told):
            read(tmp_path / "other.pt")


def test_unsafe_names_are_listed_apart_from_networks(tmp_path):
    """A pickled network is told how to be exported; what runs something else is told by its name."""
    asked = {
        "network": (
            name("torch.nn.modules.linear", "Linear") + name("__main__", "Net"),
            r"a pickled model object \(torch",
        ),
        "command": (name("posix", "system"), r"asks to run posix\.system$"),
        "old name": (name("__builtin__", "eval"), r"asks to run builtins\.eval$"),
        "own class": (name("my.config", "Config"), r"asks for my\.config\.Config, whose code would run"),
        "loud": (name("a\x1b[2J", "b" * 500), r"asks for a\\x1b\[2J\.b+ \.\.\. b+, whose"),
    }
    for wanted, told in asked.values():
        with pytest.raises(RefusedError, match=told):
            read(archive(tmp_path / "w.pt", PROTO + wanted + STOP))


def test_memory_has_a_ceiling_while_a_file_is_read():
    """Beyond it there is none to be had; afterwards the limit is what it was."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with _limits.ceiling(1 << 20):
        assert resource.getrlimit(resource.RLIMIT_AS) != before
        assert len(bytearray(1 << 20)) == 1 << 20
        with pytest.raises(MemoryError):
            bytearray(_limits.BUDGET + (1 << 30))
        with pytest.raises(RuntimeError, match="memory"):
            torch.empty(_limits.BUDGET + (1 << 30), dtype=torch.uint8)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_an_archive_that_is_packed_is_refused_whatever_it_unfolds_to(tmp_path):
    """Torch never packs; a member of a gigabyte in a kilobyte is not unfolded."""
    path = archive(tmp_path / "w.pt", table(w=GOOD), zipfile.ZIP_DEFLATED, at0=bytes(10**7))
    assert path.stat().st_size < 50_000
    with pytest.raises(RefusedError, match="compressed"):
        read(path)
