"""What a careless disk, a broken transfer or somebody patient does to a file: a few edits, anywhere in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st
from opcodes import torch_zip, zipped

Edit = Callable[[bytes], bytes]
EXTREMES = tuple(
    value.to_bytes(size, "little", signed=True)
    for size in (1, 2, 4, 8)
    for value in (0, 1, -1, 1 << (8 * size - 2), (1 << (8 * size - 1)) - 1, -(1 << (8 * size - 1)))
)
"""Numbers at which a length or an offset goes wrong."""
OPCODES = [
    bytes([code])
    for code in b"(.02FIJKLMNPQRSTUVX]abceghijlopqrstu}\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95"
]
"""What a pickle is made of."""


@dataclass(frozen=True)
class Seed:
    """A file to be mutated: the part of it that is, what is put around that afterwards, and the job that reads it."""

    name: str
    job: str
    part: bytes = field(repr=False)
    around: Callable[[bytes], bytes] = bytes


def flip(place: float, mask: int, data: bytes) -> bytes:
    """One byte is another."""
    at = int(place * len(data))
    return data[:at] + bytes(byte ^ mask for byte in data[at : at + 1]) + data[at + 1 :]


def cut(place: float, data: bytes) -> bytes:
    """The end is missing."""
    return data[: int(place * len(data))]


def put(place: float, what: bytes, over: bool, data: bytes) -> bytes:  # noqa: FBT001 (drawn)
    """Bytes between those that are there, or over them."""
    at = int(place * len(data))
    return data[:at] + what + data[at + over * len(what) :]


def copied(place: float, length: int, to: float, data: bytes) -> bytes:
    """A stretch stands a second time, elsewhere."""
    at, there = int(place * len(data)), int(to * len(data))
    return data[:there] + data[at : at + length] + data[there:]


def without(place: float, length: int, data: bytes) -> bytes:
    """A stretch is missing."""
    at = int(place * len(data))
    return data[:at] + data[at + length :]


def spliced(place: float, other: Seed, to: float, data: bytes) -> bytes:
    """It begins as one file and goes on as another."""
    return data[: int(place * len(data))] + other.part[int(to * len(other.part)) :]


def edits(others: list[Seed]) -> st.SearchStrategy[list[Edit]]:
    """One to four edits; `others` are what is spliced in."""
    place = st.floats(0, 1, exclude_max=True)
    length = st.integers(1, 64)
    bits: st.SearchStrategy[Any] = st.sampled_from([*EXTREMES, *OPCODES]) | st.binary(min_size=1, max_size=12)
    kinds = [
        st.builds(partial, st.just(flip), place, st.integers(1, 255)),
        st.builds(partial, st.just(put), place, bits, st.booleans()),
        st.builds(partial, st.just(cut), place),
        st.builds(partial, st.just(copied), place, length, place),
        st.builds(partial, st.just(without), place, length),
        st.builds(partial, st.just(spliced), place, st.sampled_from(others), place),
    ]
    return st.lists(st.one_of(kinds), min_size=1, max_size=4)


def mutated(seed: Seed, changes: list[Edit]) -> bytes:
    """The file after the edits."""
    data = seed.part
    for change in changes:
        data = change(data)
    return seed.around(data)


def member(data: bytes) -> bytes:
    """An `.npz` whose array z is this file."""
    return zipped({"z.npy": data})


def header(data: bytes) -> bytes:
    """A safetensors file whose header is this text, as long as it says."""
    return len(data).to_bytes(8, "little") + data + bytes(64)


INNER = {"zip": torch_zip, "npz": member, "safetensors": header}
"""What is put around a part that a checksum or a length protects, so that its own reader sees the edits."""
