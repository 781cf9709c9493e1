"""Any layers of a network are read in one pass: by hand the same numbers, alone the same bytes, and resumed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_extract import dataset, encoder, finish, run
from torch.nn import functional

from leakaudit import embeddings, extract, origins, passes
from leakaudit import network as networks
from leakaudit.dataset import Dataset
from leakaudit.embeddings import Embeddings
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import Layer, parse
from leakaudit.numerics import taps

THREE = (parse("features.3"), parse("features.4:at=input,pool=flatten"), parse("classifier"))
"""Two sides of one map, one of which is written over in place by no one, and a vector."""


def golden(data: Dataset) -> Encoder:
    """Weights that no generator draws."""
    source = encoder(data)
    state = {name: tensor.numpy() for name, tensor in networks.of(source)[0].state_dict().items()}
    made = {name: np.arange(part.size).reshape(part.shape) % 7 / 8 for name, part in state.items()}
    return replace(
        source, weights={name: made[name].astype(part.dtype) for name, part in state.items()}, kind="weights"
    )


def together(home: Path, data: Dataset, source: Encoder, **how: Any) -> tuple[list[extract.Shard], list[Embeddings]]:
    """All records, and the embeddings of each layer."""
    made: Any = extract.together(source, data, store=home, **({"device": "cpu", "batch_size": 7} | how))
    steps, found = finish(made)
    return steps, found  # type: ignore[return-value]


@pytest.fixture(name="_short")
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of ten rows."""
    for module in (embeddings, extract):
        monkeypatch.setattr(module, "SHARD", 10)


def test_keys_of_before_are_keys_still(tmp_path: Path) -> None:
    """The embeddings of a network without further wishes lie where the first versions of leakaudit put them."""
    data = dataset(20)
    assert run(tmp_path, data, golden(data)).origin.key == "ff40104bc0dfa867"
    steps = extract.extract(golden(data), data, store=tmp_path, device="cpu", batch_size=9, amp=True)
    assert finish(steps)[1].origin.key == "55dccfdb11d4a7bc"


def test_what_is_read_of_a_layer_is_what_a_hand_reads(tmp_path: Path) -> None:
    """Output pooled over places, input with every number, and the logits themselves, each under its own name."""
    data = dataset(24)
    source = replace(encoder(data), layers=THREE)
    _, found = together(tmp_path, data, source)
    network = networks.of(source)[0].eval()
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (data.mean, data.std))
    with torch.no_grad():
        x = (torch.from_numpy(data.images.batch(np.arange(24))) / 255 - mean) / std
        inner = network.features[:4](x)
        for wanted, each in zip((inner.mean((2, 3)), inner.flatten(1), network(x)), found, strict=True):
            torch.testing.assert_close(torch.from_numpy(each.z), wanted)
            torch.testing.assert_close(torch.from_numpy(each.logits), network(x))
    assert [each.origin.layer for each in found] == ["features.3", "features.4:at=input,pool=flatten", "classifier"]
    side = inner.shape[2]
    assert [each.notes[-1] for each in found] == [
        f"features.3: map 4x{side}x{side}, mean over its {side * side} places",
        f"features.4:at=input,pool=flatten: map 4x{side}x{side}, all of its {4 * side * side} numbers",
        "classifier: vector of 4",
    ]


@pytest.mark.usefixtures("_short")
def test_together_is_each_alone(tmp_path: Path) -> None:
    """The same keys, files and bytes as of three extractions; each is then found in the store without a step."""
    data = dataset(34)
    source = replace(encoder(data), layers=THREE)
    steps, found = together(tmp_path / "all", data, source)
    assert [step.done for step in steps] == [10, 20, 30, 34]
    for layer, each in zip(THREE, found, strict=True):
        one = replace(source, layers=(layer,))
        alone = run(tmp_path / "one", data, one, batch_size=7)
        assert alone.origin == each.origin
        again, back = finish(extract.extract(one, data, store=tmp_path / "all", device="cpu", batch_size=7))
        assert (again, back.sha256, back.notes) == ([], alone.sha256, alone.notes)
        folders = [embeddings.folder(tmp_path / home, each.origin.key, "test") for home in ("all", "one")]
        for path in sorted(path.name for path in folders[1].glob("*.*")):
            assert (folders[0] / path).read_bytes() == (folders[1] / path).read_bytes(), path
    keys = {each.origin.key for each in found} | {run(tmp_path / "one", data).origin.key}
    assert len(keys) == 4  # the classifier's output is not its input


def test_a_layer_twice_is_read_once_and_given_twice(tmp_path: Path) -> None:
    """In the order in which they were asked for."""
    data = dataset(5)
    _, found = together(tmp_path, data, replace(encoder(data), layers=(*THREE[:2], THREE[0])))
    assert [each.origin.layer for each in found] == [str(layer) for layer in (*THREE[:2], THREE[0])]
    assert found[0].sha256 == found[2].sha256 != found[1].sha256


def test_of_no_layers_together_is_extract(tmp_path: Path) -> None:
    """One embeddings, of the bottleneck, under its own key."""
    data = dataset(5)
    (found,) = together(tmp_path, data, encoder(data))[1]
    assert (found.origin.layer, found.origin.key) == ("classifier", run(tmp_path, data).origin.key)


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("lost", [[(0, 1)], [(0, 1), (1, 2)], [(0, 0), (0, 3), (2, 0), (2, 1)]])
def test_missing_shards_of_any_layer_are_made_again_to_the_bit(
    tmp_path: Path, lost: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only rows that some layer lacks pass again; shards that are there, and finished layers, are left as they are."""
    data = dataset(34)
    source = replace(encoder(data), layers=THREE)
    whole = together(tmp_path, data, source)[1]
    homes = [embeddings.folder(tmp_path, each.origin.key, "test") for each in whole]
    for layer, number in lost:
        (homes[layer] / "manifest.json").unlink(missing_ok=True)
        embeddings.shard(homes[layer], number).unlink()
    kept = {path: path.stat().st_mtime_ns for home in homes for path in home.glob("shard-*")}
    passed = []
    forward = taps.Tapped.forward
    monkeypatch.setattr(taps.Tapped, "forward", lambda self, x: (passed.append(len(x)), forward(self, x))[1])
    found = together(tmp_path, data, source)[1]
    assert [each.sha256 for each in found] == [each.sha256 for each in whole]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert sum(passed) - 4 * passes.TRIED <= 17 * len({number for _, number in lost})


def test_what_is_done_to_an_image_is_part_of_the_key(tmp_path: Path) -> None:
    """A cut, another layer, another side, another pooling, and the user's code have places of their own."""
    data, code = dataset(6), tmp_path / "code.py"
    code.write_text("a = 1")
    source = golden(data)
    asked = [source, replace(source, resize=(8, 8)), replace(source, resize=(9, 8))]
    asked += [replace(source, layers=(parse(text),)) for text in ("features.3", "features.3:at=input")]
    asked += [replace(source, layers=(parse(text),)) for text in ("features.3:pool=max", "classifier:at=input")]
    keys = [run(tmp_path, data, each).origin.key for each in asked]
    assert len(set(keys)) == len(asked)
    network, layer = networks.of(source)

    def coded() -> str:
        coded = replace(source, code=code)
        (origin,) = origins.keyed(coded, data, origins.traits(coded, data, network, layer, (), amp=False))
        return origin.key

    first = coded()
    code.write_text("a = 2")
    assert len({first, coded(), keys[0]}) == 3


def test_the_middle_of_resized_images_is_what_the_network_sees(tmp_path: Path) -> None:
    """Of images that come at the size before the cut, it is the cut itself; of others, it is said."""
    data = dataset(9, (3, 12, 12))
    source = replace(encoder(dataset(1)), resize=(12, 12))
    cut = replace(data, images=type(data.images)(data.images.values[:, :, 2:10, 2:10]))
    assert run(tmp_path, data, source).sha256 == run(tmp_path, cut, replace(source, resize=None)).sha256
    small = dataset(9, (3, 10, 10))
    images = torch.from_numpy(small.images.values)
    large = functional.interpolate(images, (12, 12), mode="bilinear").numpy()
    found = run(tmp_path, small, source)
    wanted = run(tmp_path, replace(data, images=type(data.images)(large)), source)
    np.testing.assert_allclose(found.z, wanted.z, atol=1e-5)
    assert found.notes == ("made up", "images of 10x10 are resized to 12x12, and their middle 8x8 is read")


def test_notes_of_the_encoder_are_those_of_the_one_that_asks(tmp_path: Path) -> None:
    """Also where the same tensors were extracted before, out of another file with a word of its own, or none."""
    data = dataset(6)
    first = replace(golden(data), notes=("taken off: module.",))
    assert run(tmp_path, data, first).notes == ("made up", "taken off: module.")
    assert run(tmp_path, data, first).notes == ("made up", "taken off: module.")
    assert run(tmp_path, data, replace(first, notes=())).notes == ("made up",)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (("featured.3",), r"no layer 'featured\.3' in .*Did you mean 'features\.3'.*leakaudit inspect lists them"),
        (("features.3", "idle"), r"does not run layer idle"),
        (("features.0:pool=flatten",), r"numbers for each image .*pool=mean"),
    ],
)
def test_layers_that_cannot_be_read_are_refused_at_once(
    tmp_path: Path, layers: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a shard is written, with what to ask for instead."""
    data = dataset(6)
    build = networks.of

    def idle(source: Encoder) -> tuple[torch.nn.Module, str]:
        network, name = build(source)
        network.add_module("idle", torch.nn.Linear(2, 2))
        return network, name

    monkeypatch.setattr(extract.networks, "of", idle)
    monkeypatch.setattr(passes.pooling, "MOST", 100)
    with pytest.raises(InputError, match=said):
        together(tmp_path, data, replace(encoder(data), layers=tuple(map(parse, layers))))
    assert not list(tmp_path.rglob("shard-*"))


def test_nan_in_one_layer_is_said_of_that_layer(tmp_path: Path) -> None:
    """The layer, the rows and the data set are named."""
    data = dataset(6)
    source = golden(data)
    assert source.weights is not None
    weights = {name: part.copy() for name, part in source.weights.items()}
    weights["features.3.bias"][1] = np.inf
    layers = (Layer("features.0"), Layer("features.3"))
    with pytest.raises(InputError, match=r"z of features\.3 is not finite .* in 6 of 6 rows, first for row 0 of noise"):
        together(tmp_path, data, replace(source, weights=weights, layers=layers))


def test_layers_in_mixed_precision_are_close_and_apart(tmp_path: Path) -> None:
    """Under keys of their own, near the numbers of float32, and the notes say both."""
    data = dataset(12)
    source = replace(encoder(data), layers=THREE)
    plain, mixed = (together(tmp_path, data, source, amp=amp)[1] for amp in (False, True))
    for one, two in zip(plain, mixed, strict=True):
        assert one.origin.key != two.origin.key
        assert not np.array_equal(one.z, two.z)
        np.testing.assert_allclose(two.z, one.z, atol=0.03 * np.abs(one.z).max())
        assert two.notes == ("made up", "the network ran in mixed precision (bfloat16)", one.notes[-1])
