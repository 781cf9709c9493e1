"""Where a run stands goes to disk without pickling and comes back as it was, or is refused."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from leakaudit.errors import RefusedError
from leakaudit.numerics import state

VALUE: dict[str, Any] = {
    "a": torch.arange(6.0).view(2, 3),
    "scalar": torch.tensor(5),
    "nested": [1, 2.5, None, True, "word", (0.9, 0.999)],
    "numbers": {0: torch.ones(1), 1: {"step": 3}},
    "milestones": Counter({40: 1, 60: 2}),
    "infinite": [math.inf, -math.inf],
}


def same(one: Any, two: Any) -> bool:
    """Equal in type, order and bits."""
    if isinstance(one, torch.Tensor):
        return isinstance(two, torch.Tensor) and one.shape == two.shape and torch.equal(one, two)
    if isinstance(one, dict):
        return type(one) is type(two) and list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and bool(one == two)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    """Tensors of any shape, numbers as keys, tuples, counters and infinities survive."""
    state.save(tmp_path, 3, VALUE)
    assert same(state.load(tmp_path), VALUE)


def test_only_the_last_state_is_kept(tmp_path: Path) -> None:
    """Two files lie in the folder, however many epochs there were, and nothing is pickled."""
    for epoch in (1, 2, 3):
        state.save(tmp_path, epoch, {**VALUE, "epoch": epoch})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-0003.safetensors", "state.json"]
    assert state.load(tmp_path)["epoch"] == 3


def test_tensors_of_a_later_epoch_do_not_disturb_an_earlier_state(tmp_path: Path) -> None:
    """Killed between the tensors and the JSON, a run stands where the JSON says."""
    state.save(tmp_path, 1, VALUE)
    (tmp_path / "state-0002.safetensors").write_bytes(b"half")
    assert same(state.load(tmp_path), VALUE)


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "json", "foreign"])
def test_a_damaged_state_is_refused(tmp_path: Path, damage: str) -> None:
    """Truncated, altered, missing or not ours: never taken for a good one."""
    state.save(tmp_path, 1, VALUE)
    tensors, document = tmp_path / "state-0001.safetensors", tmp_path / "state.json"
    data = bytearray(tensors.read_bytes())
    if damage == "cut":
        tensors.write_bytes(data[:-3])
    elif damage == "flip":
        data[-1] ^= 1
        tensors.write_bytes(data)
    elif damage == "gone":
        tensors.unlink()
    elif damage == "json":
        document.write_text(document.read_text()[:-20])
    else:
        document.write_text('{"format": 1, "hello": 2}')
    with pytest.raises(RefusedError):
        state.load(tmp_path)


def test_what_would_need_pickling_is_not_kept() -> None:
    """A function is no state."""
    with pytest.raises(TypeError, match="pickling"):
        state.pack({"f": print}, "", {})
