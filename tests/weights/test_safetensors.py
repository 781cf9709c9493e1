"""Weights in safetensors: what goes in comes out, and nothing else is taken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leakaudit import catalog
from leakaudit.errors import InputError, RefusedError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a scalar, a matrix and a half-precision vector."""
    tensors = {"count": torch.tensor(3), "w": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_tensors_come_back(path: Path) -> None:
    """Shapes and numbers are kept; bfloat16 becomes float32."""
    found = catalog.thing("weights", "safetensors").read(path).tree
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()} == {
        "count": ((), np.dtype(np.int64)),
        "w": ((2, 3), np.dtype(np.float32)),
        "b": ((2,), np.dtype(np.float32)),
    }
    np.testing.assert_array_equal(found["w"], np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_file_is_refused(path: Path, keep: int) -> None:
    """A file that was cut anywhere is not weights."""
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RefusedError, match="truncated"):
        catalog.thing("weights", "safetensors").read(path)


def test_a_pickle_is_refused(path: Path) -> None:
    """A file of another format under this name is refused, not unpickled."""
    torch.save({"w": torch.ones(2)}, path)
    with pytest.raises(RefusedError, match="not a safetensors file"):
        catalog.thing("weights", "safetensors").read(path)


def test_a_file_without_tensors_is_refused(path: Path) -> None:
    """An empty set of weights fills no network."""
    save_file({}, path)
    with pytest.raises(RefusedError, match="no tensor"):
        catalog.thing("weights", "safetensors").read(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A path that does not exist can be corrected."""
    with pytest.raises(InputError, match="no such file"):
        catalog.thing("weights", "safetensors").read(tmp_path / "w.safetensors")
