"""However images pass through a network, the numbers are its own: in batches, resumed, in mixed precision, shelved."""

import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_extract import dataset, encoder, finish, run

from leakaudit import embeddings, extract, passes, store
from leakaudit import network as networks
from leakaudit.dataset import Dataset, Pixels
from leakaudit.datasets import table
from leakaudit.embeddings import Embeddings
from leakaudit.numerics import taps


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shards of a few rows."""
    for module in (embeddings, extract):
        monkeypatch.setattr(module, "SHARD", 10)
    return 10


@pytest.mark.parametrize("size", [1, 3, 7, 10, 64])
def test_batches_reach_over_shards_and_say_nothing(tmp_path: Path, short: int, size: int) -> None:
    """Any batch size gives the embeddings of the whole at once, in the order of the rows."""
    data = dataset(3 * short + 4)
    whole = run(tmp_path / "whole", data, batch_size=1000)
    found = run(tmp_path / "parts", data, batch_size=size)
    np.testing.assert_allclose(found.z, whole.z, atol=1e-5)
    np.testing.assert_allclose(found.logits, whole.logits, atol=1e-5)
    assert len(list((tmp_path / "parts").rglob("shard-*.safetensors"))) == 4


@pytest.mark.parametrize("lost", [[0], [1], [3], [0, 2], [1, 2]])
def test_any_shards_that_are_missing_are_made_again_to_the_bit(tmp_path: Path, short: int, lost: list[int]) -> None:
    """A resumed extraction computes the batches that it would have computed, and leaves the other shards alone."""
    data = dataset(3 * short + 4)
    whole = run(tmp_path, data, batch_size=7)
    where = next(tmp_path.rglob("manifest.json")).parent
    (where / "manifest.json").unlink()
    for number in lost:
        embeddings.shard(where, number).unlink()
    kept = {path: path.stat().st_mtime_ns for path in where.glob("shard-*")}
    steps, found = finish(extract.extract(encoder(data), data, store=tmp_path, device="cpu", batch_size=7))
    assert [step.done for step in steps] == [10, 20, 30, 34]
    assert found.sha256 == whole.sha256
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_large_images_pass_in_pieces_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more numbers enter the network at a time than stay close to the processor, whatever the batch size."""
    data, seen = dataset(40), []
    passes = taps.Tapped.forward

    def watched(self: taps.Tapped, x: torch.Tensor) -> object:
        seen.append(len(x))
        return passes(self, x)

    monkeypatch.setattr(taps.Tapped, "forward", watched)
    monkeypatch.setattr(extract, "PIECE", 16 * 3 * 8 * 8)
    run(tmp_path, data, batch_size=512)
    assert seen[-3:] == [16, 16, 8]


def test_few_batches_are_held_at_a_time(tmp_path: Path) -> None:
    """However many images there are, no more are in memory than are read ahead and worked on."""
    held: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()
    most = []

    class Counted(Pixels):
        def batch(self, rows: np.ndarray) -> np.ndarray:
            held[int(rows[0])] = images = super().batch(rows)
            most.append(len(held))
            return images

    data = dataset(300)
    run(tmp_path, replace(data, images=Counted(data.images.values)), batch_size=5)
    assert len(most) > 60
    assert 1 <= max(most) <= passes.AHEAD + 2


def test_mixed_precision_is_close_and_apart(tmp_path: Path) -> None:
    """Bfloat16 gives other numbers near those of float32, in a place of its own, and the notes say so."""
    data = dataset(30)
    plain = run(tmp_path, data)
    steps = extract.extract(encoder(data), data, store=tmp_path, device="cpu", batch_size=16, amp=True)
    found = finish(steps)[1]
    assert found.origin.key != plain.origin.key
    assert not np.array_equal(found.z, plain.z)
    np.testing.assert_allclose(found.z, plain.z, atol=0.02 * np.abs(plain.z).max())
    assert found.notes == (*plain.notes, "the network ran in mixed precision (bfloat16)")


def test_a_folder_too_large_for_memory_stays_on_disk(
    tmp_path: Path, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, blocks and labels of shards left where they lie are those of the whole."""
    data = dataset(3 * short + 4)
    held = run(tmp_path, data)
    monkeypatch.setattr(embeddings, "SHELVED", held.z.nbytes)
    assert embeddings.read(_folder(tmp_path)).lying is None
    monkeypatch.setattr(embeddings, "SHELVED", held.z.nbytes - 1)
    found: Embeddings = embeddings.read(_folder(tmp_path))
    assert found.lying is not None
    assert (len(found), len(found.z), len(found.lying), found.lying.width) == (34, 0, 34, held.z.shape[1])
    blocks = [(rows, block.copy()) for rows, block in found.lying.blocks(6)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), held.z)
    assert [row for rows, _ in blocks for row in range(rows.start, rows.stop)] == list(range(34))
    rows = np.array([33, 0, 9, 10, 10, 29, 5])
    np.testing.assert_array_equal(found.take(rows).z, held.z[rows])
    np.testing.assert_array_equal(found.logits, held.logits)


def _folder(home: Path) -> Path:
    return next(home.rglob("manifest.json")).parent


def test_a_shelved_audit_has_all_baselines(leakaudit_here, tmp_path: Path, monkeypatch) -> None:
    """The real command attacks what it left on disk, and finds the brightness that is there to be found."""
    rng = np.random.default_rng(0)
    rows = ["path,bright,smiling"]
    for number in range(120):
        bright, smiling = rng.integers(0, 2, 2)
        pixels = rng.integers(60, 120, (8, 8, 3)) + 60 * bright
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{bright},{smiling}")
    (tmp_path / "faces.csv").write_text("\n".join(rows))
    network, _ = networks.of(encoder(dataset(4)))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    store.write_tensors(tmp_path / "w.safetensors", weights)
    line = ["attack", "w.safetensors", "--backbone", "simple-convnet:kernel=1,width=2", "--data", "faces.csv"]
    line += ["--private", "bright", "--attacker", "linear", "--auxiliary", "balanced", "--format", "json"]
    monkeypatch.setattr(embeddings, "SHELVED", 0)
    done = leakaudit_here(*line, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (attribute,) = found["attributes"]
    assert attribute["figures"]["excess"]["value"] > 0.9
    reached = {each["baseline"]: each["figures"] for each in attribute["baselines"]}
    assert reached["raw-input"]["excess"]["value"] > 0.9
    assert reached["random-init"] is not None
    assert any("z lies on disk" in note for note in found["provenance"]["notes"])


def test_a_file_that_changed_in_place_is_extracted_anew(tmp_path: Path, short: int) -> None:
    """Of equal size and under its old name: neither finished embeddings nor single shards are taken for its own."""
    rows, home, paths = 3 * short + 4, tmp_path / "store", [tmp_path / f"{row}.bmp" for row in range(3 * short + 4)]
    for path, image in zip(paths, dataset(rows).images.values, strict=True):
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    (tmp_path / "faces.csv").write_text("\n".join(["path,v", *(f"{path.name},{path.stem}" for path in paths)]))

    def loaded() -> Dataset:
        return table.load("all", tmp_path, file=str(tmp_path / "faces.csv"))

    source = replace(encoder(loaded()), kind="weights")
    first = run(home, loaded(), source)
    for path in paths:
        path.touch()
    steps, same = finish(extract.extract(source, loaded(), store=home, device="cpu", batch_size=9))
    assert (steps, same.origin.key) == ([], first.origin.key)
    size = paths[1].stat().st_size
    Image.new("RGB", (8, 8), "red").save(paths[1])
    assert (paths[1].stat().st_size, loaded().fingerprint) == (size, first.origin.fingerprint)
    second = run(home, loaded(), source)
    assert np.flatnonzero((first.z != second.z).any(axis=1)).tolist() == [1]
    assert np.flatnonzero(first.contents != second.contents).tolist() == [1]
    (embeddings.folder(home, second.origin.key, "all") / "manifest.json").unlink()
    Image.new("RGB", (8, 8), "blue").save(paths[1])
    third = run(home, loaded(), source)
    assert np.flatnonzero((second.z != third.z).any(axis=1)).tolist() == [1]
