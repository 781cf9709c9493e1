"""An encoder is the network with its weights, whatever file they came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import extract, network, store, stranger
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, Pixels, identify
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError

SMALL = Call("simple-convnet", {"kernel": 1, "width": 2})
CLASSES = 4


@pytest.fixture
def data() -> Dataset:
    """Ten images of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(10, 3, 8, 8), dtype=np.uint8)
    return Dataset("noise", "test", Pixels(pixels), {}, identify("noise", np.arange(10)), (0.5,) * 3, (0.2,) * 3)


@pytest.fixture
def weights(tmp_path: Path, data: Dataset) -> Path:
    """A weights file with the tensors of a fresh network."""
    fresh = Encoder("fresh", "random-init", SMALL, CLASSES, data.images.shape, data.mean, data.std, None, seed=7)
    built, _ = network.of(fresh)
    tensors = {name: tensor.numpy() for name, tensor in built.state_dict().items()}
    store.write_tensors(tmp_path / "w.safetensors", tensors)
    return tmp_path / "w.safetensors"


def opened(path: Path, backbone: str, data: Dataset) -> Encoder:
    """The encoder of a weights file in a backbone."""
    return stranger.of_file(path, stranger.Terms(backbone=backbone), lambda _: data).encoder


def embed(source: Encoder, data: Dataset, home: Path) -> np.ndarray:
    """Bottleneck of all images."""
    steps = extract.extract(source, data, store=home, device="cpu", batch_size=10)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return np.asarray(stop.value.z)


def test_a_weights_file_is_the_network_it_was_saved_from(tmp_path: Path, data: Dataset, weights: Path) -> None:
    """The encoder of a file of fresh weights is the fresh encoder; another seed's is not."""
    found = opened(weights, str(SMALL), data)
    assert (found.kind, found.classes) == ("weights", CLASSES)
    fresh = Encoder("fresh", "random-init", SMALL, CLASSES, data.images.shape, data.mean, data.std, None, seed=7)
    np.testing.assert_array_equal(embed(found, data, tmp_path), embed(fresh, data, tmp_path / "b"))
    other = embed(fresh.untrained(8), data, tmp_path)
    assert np.abs(other - embed(found, data, tmp_path)).max() > 1e-3


def test_an_untrained_encoder_has_no_weights(data: Dataset, weights: Path) -> None:
    """The baseline of a random initialisation keeps the architecture and drops the tensors."""
    found = opened(weights, str(SMALL), data).untrained(1)
    assert (found.weights, found.kind, found.backbone, found.seed) == (None, "random-init", SMALL, 1)


def test_weights_of_another_network_are_refused(tmp_path: Path, data: Dataset) -> None:
    """What a file lacks of the backbone is counted, with what it holds instead."""
    store.write_tensors(tmp_path / "w.safetensors", {"fc.weight": np.ones((2, 2))})
    with pytest.raises(InputError, match=r"do not fit simple-convnet.*missing .*1 unknown \(fc\.weight\)"):
        opened(tmp_path / "w.safetensors", str(SMALL), data)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("classifier.weight", None, r"1 missing \(classifier\.weight\)"),
        ("extra", np.ones(3), r"1 unknown \(extra\)"),
        ("classifier.bias", np.ones(3), r"1 of another shape \(classifier\.bias \[3\] for \[4\]\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, data: Dataset, weights: Path, name: str, change: np.ndarray | None, words: str
) -> None:
    """Missing, unknown and mis-shaped tensors are counted and named, and nothing is stored."""
    found = opened(weights, str(SMALL), data)
    assert found.weights is not None
    tensors = {key: tensor for key, tensor in found.weights.items() if key != name}
    if change is not None:
        tensors[name] = change
    with pytest.raises(InputError, match=words):
        embed(replace(found, weights=tensors), data, tmp_path)
    assert not (tmp_path / "embeddings").exists()


def test_unknown_formats_and_backbones_are_said(data: Dataset, weights: Path) -> None:
    """A file that no format reads, or a backbone that is not there, can be corrected."""
    with pytest.raises(InputError, match="no such file"):
        opened(weights.with_suffix(".bin"), str(SMALL), data)
    with pytest.raises(InputError, match="Did you mean 'simple-convnet'"):
        opened(weights, "simple-convnett", data)
