"""What a ledger says of classes, size and training is held against the file and the data; channels are the weights'."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from leakaudit import network, stranger, subject
from leakaudit.errors import InputError
from leakaudit.ledgers.ledger import Entry
from leakaudit.subject import Subject, Terms

WORDS = ("circle", "square", "star")
CODE = """
from torch import nn

def thin(classes, shape):
    return nn.Sequential(nn.Conv2d(shape[0], 3, 3), nn.ReLU(), nn.Conv2d(3, 6, 3, groups={groups}), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes))

def fixed(classes, shape):
    return thin(classes, (3, 8, 8))
"""


def body(channels: int, groups: int = 1, classes: int = 3) -> nn.Module:
    """A network whose second kernels take three channels, or one with as many groups."""
    space: dict[str, object] = {}
    exec(CODE.format(groups=groups), space)  # noqa: S102 (the code of the test itself)
    made: nn.Module = space["thin"](classes, (channels, 8, 8))  # type: ignore[operator]
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with grey and coloured images of three shapes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKAUDIT_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    labels = {"shape": np.array(WORDS)[rng.integers(0, 3, 60)], "kind": rng.integers(0, 2, 60)}
    for name, channels in (("grey", 1), ("colour", 3)):
        images = rng.integers(0, 255, (60, 8, 8, channels), dtype=np.uint8)
        np.savez(f"{name}.npz", images=images, split=np.array(["test"] * 60), **labels)
    return tmp_path


def found(name: str, **said: object) -> Subject:
    """The subject of that name, on the grey images."""
    terms: dict[str, object] = {"store": Path(".leakaudit"), "root": Path(), "data": "grey.npz"} | said
    return subject.find(name, Terms(**terms))  # type: ignore[arg-type]


@pytest.mark.parametrize("function", ["thin", "fixed"])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data", ["grey", "colour"])
def test_channels_are_those_of_the_first_kernels(
    home: Path, function: str, groups: int, channels: int, data: str
) -> None:
    """Whatever later kernels take, and whether the code asks how many channels images have or not."""
    if function == "fixed" and channels == 1:
        return  # weights of another network
    (home / "net.py").write_text(CODE.format(groups=groups))
    save_file(body(channels, groups).state_dict(), "w.safetensors")
    asked = {"backbone": f"net.py:{function}", "data": f"{data}.npz"}
    if data == "colour" and channels == 1:
        with pytest.raises(InputError, match="do not fit"):
            found("w.safetensors", **asked)
        return
    source = found("w.safetensors", **asked).encoder
    assert source is not None
    assert source.shape == (channels, 8, 8)
    assert len(source.mean) == channels
    made, _ = network.of(source)
    assert made(torch.zeros(2, *source.shape)).shape == (2, 3)


SMALL = "simple-convnet:kernel=1,width=2"


def kept(classes: list[str]) -> Subject:
    """An encoder of a ledger that names its classes so."""
    from leakaudit.backbones import simple_convnet

    torch.manual_seed(0)
    save_file(simple_convnet.build(3, (1, 8, 8), kernel=1, width=2).state_dict(), "w.safetensors")
    text = f'[e]\nweights = "w.safetensors"\nbackbone = "{SMALL}"\ndataset = "grey.npz"\ntarget = "shape"\n'
    Path("own.toml").write_text(f"{text}classes = {classes}\n".replace("'", '"'))
    return found("e", ledger=Path("own.toml"), data=None, trust_on_first_use=True)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["a", "b"], r"\[e\]: classes: 2 named, the network has 3 outputs"),
        (["a", "b", "c", "d"], "4 named, the network has 3 outputs"),
        (["circle", "circle", "star"], r"\[e\]: classes: 'circle' stands there twice"),
    ],
)
def test_classes_that_cannot_be_the_outputs_are_refused(classes: list[str], words: str) -> None:
    """Too few, too many, or one twice: in one line that names the entry."""
    with pytest.raises(InputError, match=words) as error:
        kept(classes)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.usefixtures("home")
def test_an_order_that_was_not_matched_is_said() -> None:
    """Where the data have a class that the ledger does not name; else the order is the ledger's, without a word."""
    strange, plain = kept(["star", "circle", "SQUARE"]), kept(["star", "circle", "square"])
    assert strange.encoder is not None
    assert plain.encoder is not None
    words = "shape: square of the data: not among the classes that the ledger's entry e names"
    assert [note for note in strange.encoder.notes if note.startswith(words)]
    assert not [note for note in plain.encoder.notes if "not among the classes" in note]
    assert plain.dataset is not None
    assert strange.dataset is not None
    assert plain.dataset.columns["shape"].classes == ("star", "circle", "square")
    assert strange.dataset.columns["shape"].classes == WORDS


@pytest.mark.usefixtures("home")
def test_a_ledger_names_the_classes_of_a_published_model() -> None:
    """In place of the library's names; as many as it has outputs."""
    name, data = "torchvision:mnasnet0_5:pretrained=false", found_data()
    said = Entry(name="e", ledger=Path("own.toml"), weights=name, classes=tuple(map(str, range(1000))))
    made = stranger.of_library(name, stranger.Terms(size="64"), lambda _: data, said)
    assert made.classes == said.classes
    assert stranger.of_library(name, stranger.Terms(size="64"), lambda _: data).classes[0] == "tench"
    with pytest.raises(InputError, match="1 named, the network has 1000 outputs"):
        stranger.of_library(name, stranger.Terms(size="64"), lambda _: data, replace(said, classes=("a",)))


def found_data() -> "subject.Dataset":
    """The coloured images."""
    from leakaudit.datasets import arrays

    return arrays.load("test", Path(), file="colour.npz")


@pytest.mark.parametrize("data", [None, "digits", "digits:rho=0.5", "digits:test_rho=0.5"])
def test_rows_that_a_shipped_encoder_was_trained_on_are_warned_of(tmp_path: Path, data: str | None) -> None:
    """The split of its training, however it is coloured; not the others, of which it is said where nothing differs."""
    terms = Terms(store=tmp_path, root=tmp_path, data=data, private=("colour",))
    trained, tested = (subject.find("digits-vanilla", replace(terms, split=split)) for split in ("train", "test"))
    (warning,) = trained.warnings
    assert "split train, and the ledger says that the model was trained on its split train" in warning
    assert trained.overlap in warning
    assert tested.warnings == ()
    assert ("split test; the ledger says" in tested.overlap) is (data in (None, "digits"))


@pytest.mark.slow
def test_the_audit_says_that_its_rows_were_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leakaudit_here: object
) -> None:
    """Before the verdict's figures, and where it tells of overlap."""
    monkeypatch.chdir(tmp_path)
    run = leakaudit_here
    asked = ("attack", "digits-vanilla", "--split", "train", "--private", "colour", "--attacker", "linear")
    done = run(*asked, "--rows", "120", "--format", "json")  # type: ignore[operator]
    assert done.returncode == 0, done.stderr
    assert '"overlap": "these are rows of digits, split train' in done.stdout
    assert "it has seen them; nothing here is of images that are new to it" in done.stdout
