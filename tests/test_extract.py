"""Extraction is the network's own numbers, whole shards or none, and goes on where it was stopped."""

import resource
import subprocess
import sys
import textwrap
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from leakaudit import embeddings, extract
from leakaudit import network as networks
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.embeddings import SHARD, Embeddings
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError

SMALL = Call("simple-convnet", {"kernel": 1, "width": 2})


def dataset(rows: int, shape: tuple[int, int, int] = (3, 8, 8), seed: int = 0) -> Dataset:
    """Random pixels with one class column and one of numbers."""
    chance = np.random.default_rng(seed)
    return Dataset(
        name="noise",
        split="test",
        images=Pixels(chance.integers(0, 256, size=(rows, *shape), dtype=np.uint8)),
        columns={
            "v": Labels(chance.integers(-1, 2, size=rows), ("a", "b")),
            "age": Labels(chance.random(rows).astype(np.float32)),
        },
        ids=identify("noise", np.arange(rows)),
        mean=(0.5, 0.4, 0.3)[: shape[0]],
        std=(0.2, 0.3, 0.4)[: shape[0]],
        group=np.arange(rows) // 3,
        groups="person",
        notes=("made up",),
    )


def encoder(data: Dataset, seed: int = 0, backbone: Call = SMALL) -> Encoder:
    """Fresh weights for those images."""
    return Encoder("fresh", "random-init", backbone, 4, data.images.shape, data.mean, data.std, None, seed)


def finish(steps: Generator[Any, None, Embeddings]) -> tuple[list[extract.Shard], Embeddings]:
    """All records and the result."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            return seen, stop.value


def run(home: Path, data: Dataset, source: Encoder | None = None, batch_size: int = 256) -> Embeddings:
    """The result alone."""
    source = source or encoder(data)
    return finish(extract.extract(source, data, store=home, device="cpu", batch_size=batch_size))[1]


def test_embeddings_are_the_networks_own(tmp_path: Path) -> None:
    """Bottleneck and logits are those of the plain forward pass on (x / 255 - mean) / std."""
    data = dataset(50)
    source = encoder(data)
    network, layer = networks.of(source)
    found = run(tmp_path, data, batch_size=16)
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (data.mean, data.std))
    with torch.no_grad():
        logits = network.eval()((torch.from_numpy(data.images.batch(np.arange(50))) / 255 - mean) / std)
        again = network.get_submodule(layer)(torch.from_numpy(found.z))
    torch.testing.assert_close(torch.from_numpy(found.logits), logits)
    torch.testing.assert_close(again, logits)


def test_bytes_and_numbers_are_the_same_image(tmp_path: Path) -> None:
    """Images of float32 in 0..1 give the embeddings of the same images as bytes."""
    data = dataset(20)

    @dataclass(frozen=True)
    class Numbers(Pixels):
        def batch(self, rows: np.ndarray) -> np.ndarray:
            return super().batch(rows) / np.float32(255)

    found = run(tmp_path, replace(data, images=Numbers(data.images.values)))
    np.testing.assert_allclose(found.z, run(tmp_path, data).z, atol=1e-5)


def test_what_is_known_of_a_row_comes_back(tmp_path: Path) -> None:
    """Labels, identities, groups and notes are those of the data set."""
    data = dataset(50)
    found = run(tmp_path, data)
    for name, labels in data.columns.items():
        np.testing.assert_array_equal(found.column(name).values, labels.values)
        assert found.column(name).classes == labels.classes
    np.testing.assert_array_equal(found.ids, data.ids)
    np.testing.assert_array_equal(found.group, data.group)
    assert (found.groups, found.notes, found.origin.data) == ("person", ("made up",), "noise")
    assert found.origin.fingerprint == data.fingerprint


def test_a_second_run_only_reads(tmp_path: Path) -> None:
    """Finished embeddings are read back, the same to the bit, without a step."""
    data = dataset(50)
    first_steps, first = finish(extract.extract(encoder(data), data, store=tmp_path, device="cpu", batch_size=9))
    steps, second = finish(extract.extract(encoder(data), data, store=tmp_path, device="cpu", batch_size=9))
    assert ([step.done for step in first_steps], steps) == ([50], [])
    assert first.sha256 == second.sha256


@pytest.mark.parametrize("change", ["weights", "labels", "pixels", "mean", "knob"])
def test_another_model_or_data_set_has_another_place(tmp_path: Path, change: str) -> None:
    """Nothing is taken from the cache that was not made by this model from these rows in this way."""
    data = dataset(20)
    source = encoder(data)
    run(tmp_path, data, source)
    if change == "weights":
        source = replace(source, seed=1)
    elif change == "labels":
        data = replace(data, columns=dataset(20, seed=1).columns)
    elif change == "pixels":
        data = replace(data, images=dataset(20, seed=1).images)
    elif change == "mean":
        source = replace(source, mean=(0.0, 0.0, 0.0))
    else:
        source = replace(source, backbone=Call("simple-convnet", {"kernel": 1, "width": 3}))
    run(tmp_path, data, source)
    assert len(list((tmp_path / "embeddings").iterdir())) == 2


def test_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    """Fresh weights come from the encoder's own seed, whatever was drawn before, and nothing else changes."""
    data = dataset(20)
    torch.manual_seed(5)
    first = run(tmp_path / "a", data)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == after
    assert run(tmp_path / "b", data).sha256 == first.sha256


def test_two_extractions_of_the_same_take_turns(tmp_path: Path) -> None:
    """While another holds the folder nothing is written; once it is free the extraction goes on."""
    data = dataset(20)
    where = embeddings.folder(tmp_path, embeddings.read(_folder(tmp_path / "b", data)).origin.key, "test")
    where.mkdir(parents=True)
    with ThreadPoolExecutor(1) as other:
        with FileLock(where / ".lock"):
            result = other.submit(run, tmp_path, data)
            with pytest.raises(TimeoutError):
                result.result(timeout=0.5)
            assert not list(where.glob("shard-*"))
        assert len(result.result(timeout=30)) == 20


def _folder(home: Path, data: Dataset) -> Path:
    run(home, data)
    return next(home.rglob("manifest.json")).parent


KILLED = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import test_extract as t
    data = t.dataset({rows})
    for shard in t.extract.extract(t.encoder(data), data, store=Path({home!r}), device="cpu", batch_size=512):
        print(shard.done, flush=True)
"""


def test_a_killed_extraction_goes_on_where_it_stopped(tmp_path: Path, environment: dict[str, str]) -> None:
    """After SIGKILL whole shards are kept, the rest is made, and the result is that of an uninterrupted run."""
    rows = 3 * SHARD + 5
    script = textwrap.dedent(KILLED.format(tests=str(Path(__file__).parent), rows=rows, home=str(tmp_path / "a")))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == SHARD
        process.kill()
    data = dataset(rows)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("shard-*.safetensors")}
    assert 1 <= len(kept) < 4
    assert not list(tmp_path.rglob("manifest.json"))
    found = run(tmp_path / "a", data, batch_size=512)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert found.sha256 == run(tmp_path / "b", data, batch_size=512).sha256
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Where a shard cannot be written whole it is not there, and the next run makes it."""
    data = dataset(200)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(InputError, match=r"cannot write .*shard-00000\.safetensors: File too large"):
            run(tmp_path, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in (tmp_path / "embeddings").rglob("*") if path.is_file() and path.stat().st_size]
    assert len(run(tmp_path, data)) == 200


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    """A network is not given images of a size it was not made for."""
    with pytest.raises(InputError, match=r"3x8x8, noise has 3x9x8"):
        run(tmp_path, dataset(5, (3, 9, 8)), encoder(dataset(5)))


def test_nan_from_the_network_is_said(tmp_path: Path) -> None:
    """A network that gives NaN has no embeddings, and nothing is stored."""
    data = dataset(5)
    network, _ = networks.of(encoder(data))
    weights = {key: tensor.numpy().copy() for key, tensor in network.state_dict().items()}
    weights["classifier.weight"][0, 0] = np.nan
    with pytest.raises(InputError, match=r"logits is not finite .* in 5 of 5 rows, first for row 0 of noise"):
        run(tmp_path, data, replace(encoder(data), weights=weights))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_pixels_are_averaged_over_areas() -> None:
    """Raw input is the image itself where it is small, and means over equal areas where it is large."""
    data = dataset(6, (3, 64, 64))
    whole = data.images.batch(np.arange(6)) / 255
    means = whole.reshape(6, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(extract.pixels(data), means.reshape(6, -1), atol=1e-6)
    small = dataset(6)
    np.testing.assert_allclose(extract.pixels(small), small.images.batch(np.arange(6)).reshape(6, -1) / 255, atol=1e-6)


def test_no_rows_are_refused(tmp_path: Path) -> None:
    """A split without rows is not extracted."""
    data = dataset(5)
    with pytest.raises(InputError, match="no rows"):
        run(tmp_path, data.take(np.zeros(0, dtype=np.int64)), encoder(data))
