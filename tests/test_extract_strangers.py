"""Networks of unknown make: what they return is told apart, said, and read layer by layer like any other's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_extract import dataset, finish, run

from leakaudit import extract
from leakaudit import network as networks
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import parse

CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.way = way
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 6))
        self.head, self.other = nn.Linear(6, 4), nn.Linear(6, 4)
        self.windows = nn.Linear(2, 2)

    def forward(self, x):
        if self.way == "view":
            inner = self.trunk[:2](x)
            return self.head(self.trunk[3](inner.view(len(x), -1)))
        if self.way == "strides":
            inner = self.trunk[:2](x)
            return self.head(self.trunk[3](inner.as_strided((len(x), 144), (144, 1))))
        z = self.trunk(x)
        if self.way == "softmax":
            return self.head(z).softmax(1)
        if self.way == "dict":
            return {"features": z, "logits": self.head(z)}
        if self.way == "two":
            return (self.head(z) + self.other(z)) / 2
        return self.head(self.windows(z.reshape(-1, 2)).reshape(-1, 6))

def net(way):
    return Net(way)
"""


@pytest.fixture
def data() -> Dataset:
    """A few images."""
    return dataset(12)


@pytest.fixture
def source(tmp_path: Path, data: Dataset) -> Encoder:
    """Own code with fresh weights of its own."""
    code = tmp_path / "code.py"
    code.write_text(CODE)
    call = Call("code.py:net", {"way": "softmax"})
    made = Encoder("mine", "weights", call, 4, data.images.shape, data.mean, data.std, None, code=code)
    return replace(made, weights={name: part.numpy() for name, part in networks.of(made)[0].state_dict().items()})


def test_probabilities_are_kept_and_said(tmp_path: Path, source: Encoder, data: Dataset) -> None:
    """What the network returns is what an audit takes for the model's own output, and the note says what it is."""
    found = run(tmp_path, data, source)
    network = networks.of(source)[0]
    with torch.no_grad():
        wanted = network.head(torch.from_numpy(found.z)).softmax(1)
    torch.testing.assert_close(torch.from_numpy(found.logits), wanted)
    said = "the network returns probabilities: softmax stands after its classifier head"
    assert found.notes == ("made up", said)
    assert run(tmp_path, data, source).notes == ("made up", said)


def test_logits_beside_features_are_told(tmp_path: Path, source: Encoder, data: Dataset) -> None:
    """Of a network that returns both, and where they lie is said."""
    found = run(tmp_path, data, replace(source, backbone=Call("code.py:net", {"way": "dict"})))
    network = networks.of(source)[0]
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(found.logits), network.head(torch.from_numpy(found.z)))
    assert found.notes[-1] == "the network returns a dict of 2: what lies at ['logits'] is taken for its logits"


def test_two_heads_have_no_bottleneck_but_layers(tmp_path: Path, source: Encoder, data: Dataset) -> None:
    """Without a layer they are refused; a layer that is named is read, with what they return for logits."""
    two = replace(source, backbone=Call("code.py:net", {"way": "two"}))
    with pytest.raises(InputError, match=r"no one layer makes what it returns.*other \(4\), head \(4\)"):
        run(tmp_path, data, two)
    asked = replace(two, layers=(parse("head:at=input"), parse("trunk.0")))
    found = finish(extract.together(asked, data, store=tmp_path, device="cpu", batch_size=5))[1]
    network = networks.of(asked)[0]
    with torch.no_grad():
        wanted = (network.head(torch.from_numpy(found[0].z)) + network.other(torch.from_numpy(found[0].z))) / 2
    torch.testing.assert_close(torch.from_numpy(found[0].logits), wanted)
    assert found[1].z.shape == (12, 4)
    assert (found[1].z < 0).any()  # before the activation in place


def test_rows_that_are_no_images_are_refused(tmp_path: Path, source: Encoder, data: Dataset) -> None:
    """A layer that sees windows is refused, also where it is named for the classifier."""
    windows = replace(source, backbone=Call("code.py:net", {"way": "windows"}))
    with pytest.raises(InputError, match="its output has 6 rows for 2 images"):
        run(tmp_path, data, replace(windows, layers=(parse("windows"),)))
    with pytest.raises(InputError, match="12 images give 36 and 12 rows"):
        run(tmp_path, data, replace(windows, layer="windows"))
    assert not list(tmp_path.rglob("shard-*"))


def test_what_is_said_of_one_file_is_not_said_of_another(tmp_path: Path, source: Encoder, data: Dataset) -> None:
    """Equal tensors under another name are found in the store, and bear the name and the notes of who asks."""
    first = run(tmp_path, data, replace(source, notes=("taken off: state_dict",)))
    steps, second = finish(
        extract.extract(replace(source, name="copy"), data, store=tmp_path, device="cpu", batch_size=9)
    )
    assert (steps, second.origin.name, second.origin.key) == ([], "copy", first.origin.key)
    assert "taken off: state_dict" in first.notes
    assert "taken off: state_dict" not in second.notes
    np.testing.assert_array_equal(first.z, second.z)


@pytest.mark.parametrize("way", ["view", "strides"])
def test_code_that_looks_at_maps_as_they_lie_gives_its_own_numbers(
    tmp_path: Path, source: Encoder, data: Dataset, way: str
) -> None:
    """Where channels last in memory would make it fail, or say something else, they lie as torch has them."""
    odd = replace(source, backbone=Call("code.py:net", {"way": way}))
    found, wanted = run(tmp_path, data, odd), run(tmp_path, data, source)
    np.testing.assert_allclose(found.z, wanted.z, atol=1e-5)
    network = networks.of(odd)[0].to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        try:
            same = torch.allclose(network(x), networks.of(odd)[0](x.contiguous()), atol=1e-4)
        except RuntimeError:
            same = False
    assert not same
