"""A user's own code and a file of weights: which head is the target's, and how many classes it is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_extract import dataset, run

from leakaudit import network
from leakaudit.catalog import Call
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.layer import parse

CODE = """
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self, classes, sexes=2):
        super().__init__()
        self.body, self.fc, self.sex = nn.Linear(192, 6), nn.Linear(6, classes), nn.Linear(6, sexes)

    def forward(self, x):
        z = torch.relu(self.body(x.flatten(1)))
        return self.fc(z), self.sex(z)

class One(nn.Module):
    def __init__(self, classes, own=0):
        super().__init__()
        self.body, self.fc = nn.Linear(192, 6), nn.Linear(6, classes)
        if own:
            self.fc.load_state_dict({"weight": torch.ones(own, 6), "bias": torch.ones(own)})

    def forward(self, x):
        return self.fc(torch.relu(self.body(x.flatten(1))))
"""


def source(folder: Path, call: Call, classes: int, told: int = 0) -> Encoder:
    """Weights of that code's own shape, of which no class is known yet."""
    (folder / "net.py").write_text(CODE)
    data = dataset(12)
    made = Encoder("mine", "weights", call, classes, data.images.shape, data.mean, data.std, None, layer="fc",
                   code=folder / "net.py")  # fmt: skip
    held = {name: part.numpy() for name, part in network.of(made)[0].state_dict().items()}
    return replace(made, weights=held, classes=0, layer="", told=told)


def test_the_head_of_the_target_is_read_or_a_layer_is_asked_for(tmp_path: Path) -> None:
    """By the target's classes, by the layer that is named, and never by the order in which they run."""
    made = source(tmp_path, Call("net.py:Two", {}), 10)
    with pytest.raises(InputError, match=r"--layer fc:at=input or --layer sex:at=input says so"):
        network.fitted(made)
    for told, layer in ((10, "fc"), (2, "sex")):
        found = run(tmp_path, dataset(12), network.fitted(replace(made, told=told)))
        assert (found.origin.layer, found.logits.shape[1]) == (layer, told)
    named = network.fitted(replace(made, layers=(parse("sex:at=input"),)))
    assert named.layer == "sex"
    equal = source(tmp_path, Call("net.py:Two", {"sexes": 10}), 10)
    found = [run(tmp_path, dataset(12), network.fitted(replace(equal, layers=(parse(f"{name}:at=input"),))))
             for name in ("fc", "sex")]  # fmt: skip
    assert (found[0].logits != found[1].logits).any()


def test_code_that_fills_its_own_head_is_asked_for_as_many_classes_as_the_file_has(tmp_path: Path) -> None:
    """Two classes, for want of better, would break it; where nothing helps, what was tried is said."""
    made = source(tmp_path, Call("net.py:One", {"own": 7}), 7)
    assert network.fitted(made).classes == 7
    with pytest.raises(InputError, match=r"with 7 classes .*; with 6 classes .*; with 2 classes .*RuntimeError"):
        network.fitted(replace(made, backbone=Call("net.py:One", {"own": 5})))


def test_a_fresh_head_has_the_classes_of_the_target(tmp_path: Path) -> None:
    """A partial load without a head draws one as wide as the labels ask."""
    made = source(tmp_path, Call("net.py:One", {}), 7, told=4)
    assert made.weights is not None
    body = {name: part for name, part in made.weights.items() if name.startswith("body")}
    found = network.fitted(replace(made, weights=body, partial=True))
    assert found.classes == 4
    assert "the classifier fc is fresh" in " ".join(found.notes)
