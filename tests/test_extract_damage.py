"""A damaged, foreign or newer file among the embeddings of the store is named and refused."""

from pathlib import Path

import numpy as np
import pytest
from test_extract import dataset, encoder, run

from leakaudit import embeddings, extract, store
from leakaudit.dataset import Dataset
from leakaudit.embeddings import SHARD
from leakaudit.errors import RefusedError


@pytest.fixture
def halfway(tmp_path: Path) -> tuple[Dataset, Path]:
    """An extraction left after the first of two shards, and that shard."""
    data = dataset(SHARD + 5)
    steps = extract.extract(encoder(data), data, store=tmp_path, device="cpu", batch_size=512)
    path = next(steps).path
    steps.close()
    return data, path


def test_a_truncated_shard_is_refused(tmp_path: Path, halfway: tuple[Dataset, Path]) -> None:
    """A shard that was cut is named, not taken and not overwritten."""
    data, path = halfway
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(RefusedError, match=rf"{path.name}: truncated"):
        run(tmp_path, data)


def test_another_models_shard_is_refused(tmp_path: Path, halfway: tuple[Dataset, Path]) -> None:
    """A shard that was put there from another model's folder is named and refused."""
    data, path = halfway
    foreign = next(
        extract.extract(encoder(data, seed=1), data, store=tmp_path / "b", device="cpu", batch_size=512)
    ).path
    path.write_bytes(foreign.read_bytes())
    with pytest.raises(RefusedError, match="belongs to another model"):
        run(tmp_path, data)


def test_a_shard_of_other_rows_is_refused(tmp_path: Path, halfway: tuple[Dataset, Path]) -> None:
    """The first shard under the second's name is refused."""
    data, path = halfway
    path.with_name("shard-00001.safetensors").write_bytes(path.read_bytes())
    with pytest.raises(RefusedError, match="8192 to 8196 expected"):
        run(tmp_path, data)


def test_a_newer_shard_is_refused(tmp_path: Path, halfway: tuple[Dataset, Path]) -> None:
    """A shard of another format, or no shard at all, is refused."""
    data, path = halfway
    for said in ({"format": 2}, None):
        store.write_tensors(path, {"z": np.ones((1, 1))}, said)
        with pytest.raises(RefusedError, match="format 1 expected"):
            run(tmp_path, data)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("place", [0.001, 0.02, 0.3, 0.6, 0.999])
def test_a_flipped_bit_is_refused(
    tmp_path: Path, halfway: tuple[Dataset, Path], place: float, *, finished: bool
) -> None:
    """One changed bit anywhere in a shard is noticed, before and after the manifest is written."""
    data, path = halfway
    if finished:
        run(tmp_path, data)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=path.name):
        run(tmp_path, data)


def test_damage_beside_the_shards_is_refused(tmp_path: Path) -> None:
    """Changed labels, a missing shard and a newer manifest are refused."""
    data = dataset(20)
    run(tmp_path, data)
    (where,) = (path.parent for path in tmp_path.rglob("manifest.json"))
    manifest = (where / "manifest.json").read_text()
    (where / "manifest.json").write_text(manifest.replace('"format": 1', '"format": 2'))
    with pytest.raises(RefusedError, match="newer"):
        embeddings.read(where)
    (where / "manifest.json").write_text(manifest)
    (where / "labels.parquet").write_bytes((where / "labels.parquet").read_bytes()[:-1])
    with pytest.raises(RefusedError, match=r"labels\.parquet: has sha256"):
        embeddings.read(where)
    (where / "labels.parquet").unlink()
    with pytest.raises(RefusedError, match=r"labels\.parquet: missing"):
        embeddings.read(where)
