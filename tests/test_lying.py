"""Embeddings that stay on disk are read as they stand there, and looked at whole once."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from leakaudit import embeddings, lying, store
from leakaudit.errors import InputError, RefusedError

RNG = np.random.default_rng(0)


def put(path: Path, z: np.ndarray) -> Path:
    """A file with z between two columns."""
    labels = RNG.integers(0, 2, len(z))
    save_file({"colour": labels, "z": z, "zone": labels.astype(np.float32)}, path)
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_rows_are_those_of_the_file(kind: type, tmp_path: Path) -> None:
    """Blocks in order, and any rows in any order, some of them twice."""
    z = RNG.standard_normal((1000, 7)).astype(kind)
    found = lying.find(put(tmp_path / "e.safetensors", z), large=1000)
    assert found is not None
    assert (len(found), found.width) == z.shape
    blocks = [(rows, block.astype(np.float32)) for rows, block in found.blocks(size=300)]
    assert [(rows.start, rows.stop) for rows, _ in blocks] == [(0, 300), (300, 600), (600, 900), (900, 1000)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), z.astype(np.float32))
    rows = np.concatenate([RNG.permutation(1000)[:200], np.arange(10, 90), [5, 5]])
    np.testing.assert_array_equal(found.take(rows), z[rows].astype(np.float32))
    assert found.take(rows[:0]).shape == (0, 7)


def test_only_a_large_z_of_floats_stays_on_disk(tmp_path: Path) -> None:
    """A z that memory holds is read whole; so is one of whole numbers, and what is no such file."""
    z = RNG.standard_normal((1000, 7)).astype(np.float16)
    assert lying.find(put(tmp_path / "e.safetensors", z)) is None
    assert lying.find(put(tmp_path / "i.safetensors", (9 * z).astype(np.int32)), large=1000) is None
    (tmp_path / "noise.safetensors").write_bytes(b"noise" * 1000)
    assert lying.find(tmp_path / "noise.safetensors", large=1000) is None
    assert lying.find(tmp_path / "e.npz") is None
    assert embeddings.read(tmp_path / "e.safetensors").lying is None


def test_the_file_is_looked_at_whole(tmp_path: Path) -> None:
    """Its sha256 is that of its bytes; a number that float16 could not hold is named by its row."""
    z = RNG.standard_normal((40_000, 3)).astype(np.float16)
    found = lying.find(put(tmp_path / "e.safetensors", z), large=1000)
    assert found is not None
    assert found.examined() == store.digest_file(tmp_path / "e.safetensors")
    z[[20_000, 39_999], 1] = [np.inf, np.nan]
    broken = lying.find(put(tmp_path / "b.safetensors", z), large=1000)
    assert broken is not None
    with pytest.raises(InputError, match=r"not finite \(NaN or infinity\) in 2 of 40000 rows, first in row 20000"):
        broken.examined()


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    """Rows that its header promises and that are not there are no zeros."""
    path = put(tmp_path / "e.safetensors", RNG.standard_normal((1000, 7)).astype(np.float16))
    path.write_bytes(path.read_bytes()[:6000])
    found = lying.find(path, large=1000)
    assert found is not None
    with pytest.raises(RefusedError, match="truncated"):
        found.take(np.array([3, 990]))
