"""A user's own code while it runs: which files of it have run, what it may print, and what failing in a pass says."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_extract import dataset, run

from leakaudit import network as networks
from leakaudit.catalog import Call
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.network import UndrawnError

CODE = """
import json
import torch
from pathlib import Path
from torch import nn
import helper

class Net(nn.Module):
    def __init__(self, classes, load=""):
        super().__init__()
        self.body, self.fc = nn.Linear(192, 6), nn.Linear(6, classes)
        self.norm = nn.BatchNorm1d(6)
        self.at = nn.MultiheadAttention(6, 2, batch_first=True)
        self.place = nn.Parameter(torch.zeros(6))
        if load:
            held = torch.load(Path(__file__).with_name("w.pth"))
            self.load_state_dict({k: v for k, v in held.items() if k.startswith(tuple(load.split("+")))}, strict=False)

    def inner(self, x):
        z = self.norm(helper.act(self.body(x.flatten(1))))
        return z + self.at(z[:, None], z[:, None], z[:, None])[0][:, 0] + self.place

    def forward(self, x):
        return self.fc(self.inner(x))

class Lazy(Net):
    def forward(self, x):
        import later
        print("HELLO")
        return self.fc(later.act(self.inner(x)))

class OwnError(Exception):
    pass

class Fails(Net):
    def forward(self, x):
        if len(x) == 12:
            raise OwnError("of its own")
        return super().forward(x)

class Zero(Net):
    def forward(self, x):
        return 1 / 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of code, with weights beside it."""
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("import torch\nact = torch.relu\n")
    (tmp_path / "later.py").write_text("import torch\nact = torch.relu\n")
    return tmp_path


def source(folder: Path, function: str = "Net", *, load: str = "") -> Encoder:
    """A network of that code with weights that nothing draws, which lie beside the code as well."""
    data, call = dataset(12), Call(f"net.py:{function}", {"load": load} if load else {})
    made = Encoder("mine", "weights", call, 3, data.images.shape, data.mean, data.std, None, code=folder / "net.py")
    state = networks.of(replace(made, backbone=Call("net.py:Net", {}), layer="fc"))[0].state_dict()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        held = {name: torch.randn(part.shape).abs() if part.ndim else part for name, part in state.items()}
    torch.save(held, folder / "w.pth")
    return replace(made, weights={name: part.numpy() for name, part in held.items()})


@pytest.mark.parametrize("file", ["helper.py", "later.py", "net.py"])
def test_other_code_has_other_embeddings(folder: Path, file: str) -> None:
    """A file that the user's own imports, even while a pass runs, is part of the store's key; and so is its own."""
    made, data = source(folder, "Lazy"), dataset(12)
    first = run(folder, data, made)
    assert run(folder, data, made).origin.key == first.origin.key
    (folder / file).write_text((folder / file).read_text().replace("relu", "tanh") + "\n# another\n")
    second = run(folder, data, made)
    assert second.origin.key != first.origin.key
    assert np.array_equal(first.z, second.z) == (file == "net.py")


def test_what_code_reads_at_its_side_is_seen_in_what_it_says(folder: Path) -> None:
    """A network that computes otherwise because of a file that is no code has a key of its own."""
    (folder / "helper.py").write_text(
        "import json, torch\nfrom pathlib import Path\n"
        "def act(x):\n    return getattr(torch, Path(__file__).with_name('way.txt').read_text())(x)\n"
    )
    keys = []
    for way in ("relu", "tanh", "relu"):
        (folder / "way.txt").write_text(way)
        keys.append(run(folder, dataset(12), source(folder)).origin.key)
    assert keys[0] == keys[2] != keys[1]


def test_a_reader_learns_which_files_have_run(folder: Path) -> None:
    """The note names the files beside the user's own, each with its hash; one that did not run is not named."""
    (note,) = [each for each in networks.fitted(replace(source(folder), classes=0)).notes if "own code" in each]
    assert re.search(r"net\.py:Net \(sha256 [0-9a-f]{64}; with helper\.py: sha256 [0-9a-f]{64}\)", note)
    (note,) = [each for each in networks.fitted(replace(source(folder, "Lazy"), classes=0)).notes if "own code" in each]
    assert "later.py: sha256 " in note


@pytest.mark.parametrize("load", ["body", "norm", "at", "body+norm+at"])
def test_layers_whose_weights_the_code_loads_are_drawn_anew_for_the_baseline(folder: Path, load: str) -> None:
    """A body that is loaded beside a fresh head, attention and the statistics of a norm: none of it is left."""
    trained = source(folder, load=load)
    fresh, other = (networks.of(trained.untrained(seed))[0].state_dict() for seed in (0, 1))
    assert trained.weights is not None
    for name, tensor in trained.weights.items():
        if tensor.size > 1:
            assert not np.array_equal(fresh[name].numpy(), tensor), name
    drawn = ["body.weight", "fc.weight", "at.in_proj_weight", "at.out_proj.weight"]
    assert not any(torch.equal(fresh[name], other[name]) for name in drawn)
    assert torch.equal(fresh["norm.running_var"], torch.ones(6))


def test_what_no_layer_draws_leaves_the_audit_without_a_baseline(folder: Path) -> None:
    """A bare parameter that the code loads is named; the audited network itself is not refused."""
    trained = source(folder, load="place+body")
    with pytest.raises(UndrawnError, match=r"place is the same with every seed.*no baseline without training"):
        networks.of(trained.untrained(0))
    assert networks.of(trained)[1] == "fc"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("Zero", r"does not take images of 3x8x8 \(net\.py:\d+: ZeroDivisionError: division by zero\)"),
        ("Fails", r"^net\.py:\d+: OwnError: of its own$"),
    ],
)
def test_a_pass_of_own_code_that_fails_is_one_line(folder: Path, function: str, words: str) -> None:
    """Any exception, a class of the user's own among them, at whichever batch, with file and line."""
    with pytest.raises(InputError, match=words):
        run(folder, dataset(12), source(folder, function))


def test_what_a_pass_prints_is_not_the_product(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to stderr; a module imported in the middle of a pass is found, and does not stay."""
    run(folder, dataset(12), source(folder, "Lazy"))
    said = capsys.readouterr()
    assert (said.out, "HELLO" in said.err) == ("", True)
    assert not {"later", "helper"} & set(sys.modules)
