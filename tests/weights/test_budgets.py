"""What may be counted in a stranger's file is counted over all of it, before anything is made of it."""

import json
import struct
import time
from pathlib import Path

import pytest
import torch
from assembled import PROTO

from leakaudit import catalog, embeddings, opening, store
from leakaudit.errors import RefusedError
from leakaudit.weights import _opcodes


def test_many_pickles_in_one_file_share_one_count_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them below the limit, together beyond it: the file ends where one as long as all would."""
    monkeypatch.setattr(_opcodes, "STEPS", 100)
    one = PROTO + b"N0" * 20 + b"N."
    path = tmp_path / "w.pkl"
    path.write_bytes(one * 2)
    with pytest.raises(RefusedError, match=r"a bare pickle, not torch\.save's: holds no tensors"):
        opening.read(path)
    path.write_bytes(one * 3)
    with pytest.raises(RefusedError, match="more than 100 opcodes in the file"):
        opening.read(path)


def test_the_pickles_of_an_old_file_share_one_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header's pickles count as the tree does; within the count the file is read."""
    path = tmp_path / "w.pt"
    torch.save({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    steps, start = [], 0
    for _ in range(5):
        found = _opcodes.walk(path.read_bytes(), start)
        steps, start = [*steps, found.steps], found.end
    assert max(steps) < sum(steps) - 1
    monkeypatch.setattr(_opcodes, "STEPS", sum(steps))
    assert opening.read(path).format == "torch legacy"
    monkeypatch.setattr(_opcodes, "STEPS", sum(steps) - 1)
    with pytest.raises(RefusedError, match="opcodes in the file"):
        opening.read(path)


def test_a_line_without_an_end_is_not_waited_for() -> None:
    """A text of megabytes in one line is read once, or not at all."""
    start = time.process_time()
    with pytest.raises(_opcodes.DamagedError, match="a line without an end"):
        _opcodes.walk(PROTO + b"V" + b"a" * (8 << 20) + b"\n.")
    assert time.process_time() - start < 1
    assert _opcodes.walk(PROTO + b"V" + b"a" * 1000 + b"\n.").end == 1005


def headed(header: bytes) -> bytes:
    """A safetensors file of that header."""
    return struct.pack("<Q", len(header)) + header


def test_a_header_larger_than_any_networks_is_not_parsed(tmp_path: Path) -> None:
    """As weights and as embeddings; one of a hundred thousand tensors is."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(headed(b"{" + b" " * store.HEADER + b"}"))
    for reader in (opening.read, embeddings.read):
        start = time.process_time()
        with pytest.raises(RefusedError, match="a header of 16,777,218 bytes, at most 16,777,216 are read"):
            reader(path)
        assert time.process_time() - start < 1


def test_more_tensors_than_any_network_has_are_counted_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are counted before a tensor is made; as many as may be are read."""
    path = tmp_path / "w.safetensors"
    header = {str(number): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(60)}
    path.write_bytes(headed(json.dumps(header).encode()))
    monkeypatch.setattr(store, "HELD", 60)
    assert len(catalog.thing("weights", "safetensors").read(path).tree) == 60
    monkeypatch.setattr(store, "HELD", 59)
    with pytest.raises(RefusedError, match="60 tensors, at most 59 are read"):
        catalog.thing("weights", "safetensors").read(path)
