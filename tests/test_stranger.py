"""What a file, a ledger and flags say make an encoder together; each route from a name to a subject."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leakaudit import settings, stranger, subject
from leakaudit.backbones import simple_convnet
from leakaudit.errors import InputError
from leakaudit.subject import Subject, Terms

Run = Callable[..., "CompletedProcess[str]"]
WORDS = ("circle", "square", "star")
OWN = """
from torch import nn

def small(classes=3, width=2):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Linear(4 * width, classes))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images of two kinds in three shapes, weights that name the shapes, and a ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKAUDIT_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LEAKAUDIT_OFFLINE", "1")
    rng = np.random.default_rng(0)
    shape, kind = rng.integers(0, 3, 400), rng.integers(0, 2, 400)
    images = rng.integers(0, 120, (400, 8, 8, 3), dtype=np.uint8)
    images[..., 0] += (100 * kind).astype(np.uint8)[:, None, None]
    split = np.array(["test"] * 400)
    np.savez("images.npz", images=images, shape=np.array(WORDS)[shape], kind=kind, split=split)
    torch.manual_seed(0)
    network = simple_convnet.build(3, (3, 8, 8), kernel=1, width=2)
    save_file(network.state_dict(), "w.safetensors")
    torch.save({"state_dict": {f"module.{name}": t for name, t in network.state_dict().items()}, "epoch": 3}, "w.pth")
    (tmp_path / "net.py").write_text(OWN)
    entry = (
        '[shapes]\nweights = "w.safetensors"\nbackbone = "simple-convnet:kernel=1,width=2"\ndataset = "images.npz"\n'
    )
    more = (
        'target = "shape"\nmean = [0.25, 0.25, 0.25]\nstd = [0.5, 0.5, 0.5]\nclasses = ["star", "square", "circle"]\n'
    )
    (tmp_path / "own.toml").write_text(entry + more)
    return tmp_path


def found(name: str, **said: object) -> Subject:
    """The subject of that name, on the images."""
    terms: dict[str, object] = {"store": Path(".leakaudit"), "root": Path(), "data": "images.npz"} | said
    return subject.find(name, Terms(**terms))  # type: ignore[arg-type]


SMALL = "simple-convnet:kernel=1,width=2"


def test_a_wrapped_checkpoint_is_the_plain_one(home: Path) -> None:
    """Wrapper and prefix are taken off and told; the tensors are those of the file without them."""
    plain, wrapped = (found(name, backbone=SMALL) for name in ("w.safetensors", "w.pth"))
    assert plain.encoder is not None
    assert wrapped.encoder is not None
    assert plain.encoder.weights is not None
    assert wrapped.encoder.weights is not None
    for name, tensor in plain.encoder.weights.items():
        np.testing.assert_array_equal(wrapped.encoder.weights[name], tensor)
    assert any("taken off: state_dict, module." in note for note in wrapped.encoder.notes)
    assert not any("taken off" in note for note in plain.encoder.notes)
    assert wrapped.about["format"] == "torch zip"
    assert home.is_dir()


@pytest.mark.usefixtures("home")
def test_flags_come_before_the_ledger_and_that_before_the_data_set() -> None:
    """Each part of the preprocessing is said by the first who speaks of it, and the audit is told who."""
    terms = {"ledger": Path("own.toml"), "data": None, "trust_on_first_use": True}
    by_data = found("w.safetensors", backbone=SMALL).encoder
    by_ledger, by_flag = found("shapes", **terms).encoder, found("shapes", **terms, mean="0.1").encoder
    assert by_data is not None
    assert by_ledger is not None
    assert by_flag is not None
    assert (by_data.mean, by_ledger.mean, by_flag.mean) == ((0.5,) * 3, (0.25,) * 3, (0.1,) * 3)
    assert (by_ledger.std, by_flag.std) == ((0.5,) * 3, (0.5,) * 3)
    assert by_data.prepared == "the data set"
    assert "ledger" in by_ledger.prepared
    assert by_flag.prepared.startswith("--mean; ")


@pytest.mark.usefixtures("home")
def test_classes_of_the_ledger_are_matched_by_name() -> None:
    """The order of the logits is the ledger's; labels of the data are given its codes, and stay the same words."""
    made = found("shapes", ledger=Path("own.toml"), data=None, trust_on_first_use=True)
    assert made.target == "shape"
    assert made.dataset is not None
    labels = made.dataset.columns["shape"]
    assert labels.classes == ("star", "square", "circle")
    written = np.load("images.npz")["shape"].tolist()
    assert [labels.classes[code] for code in labels.values] == written


@pytest.mark.usefixtures("home")
def test_a_file_without_a_hash_wants_trust() -> None:
    """What no hash is known of is not opened unasked, and once taken it is held to what it was."""
    terms = {"ledger": Path("own.toml"), "data": None}
    with pytest.raises(InputError, match="trust-on-first-use"):
        found("shapes", **terms)
    assert found("shapes", **terms, trust_on_first_use=True).encoder is not None
    assert found("shapes", **terms).encoder is not None


@pytest.mark.usefixtures("home")
def test_images_are_resized_to_what_the_network_takes() -> None:
    """A size that is said is that of the input, and the images come at it."""
    source = found("w.safetensors", backbone=SMALL, size="6").encoder
    assert source is not None
    assert source.shape == (3, 6, 6)
    tall = found("w.safetensors", backbone=SMALL, size="6x4").encoder
    assert tall is not None
    assert (tall.shape, tall.resize) == ((3, 6, 4), (6, 4))


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("w.safetensors", {}, r"which network do these weights fill\? .*--backbone"),
        ("w.safetensors", {"backbone": SMALL, "data": None}, "--data is missing"),
        ("w.safetensors", {"backbone": "simple-convnet:width=3"}, "do not fit"),
        ("images.npz", {"data": None}, "no embeddings"),
        ("gone.pth", {}, "no such file"),
        ("shapess", {"ledger": Path("own.toml")}, "Did you mean 'shapes'"),
        ("shapes", {"ledger": Path("gone.toml")}, "no such ledger"),
        ("timm:resnet18", {"backbone": SMALL}, "is its own backbone"),
        ("https://example.invalid/w.pth", {"backbone": SMALL}, "LEAKAUDIT_OFFLINE forbids"),
        ("http://example.invalid/w.pth", {}, "https:// expected"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_cannot_be_a_subject_is_said_in_one_line(name: str, said: dict[str, object], words: str) -> None:
    """Each names what is wrong and what to say instead."""
    with pytest.raises(InputError, match=words) as error:
        found(name, **said)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("z.npz", "--layer", "fc"), "--layer fc says nothing here"),
        (("z.npz", "--size", "32"), "--size 32 says nothing here"),
        (("w.pth", "--backbone", SMALL, "--data", "images.npz", "--layer", "layer9"), "layer9"),
        (("w.pth", "--backbone", SMALL, "--data", "images.npz", "--layer", "features:pool=most"), "pool = 'most'"),
        (("w.pth", "--backbone", SMALL, "--data", "images.npz", "--mean", "123"), "0.482 for 123/255"),
        (("w.pth", "--backbone", SMALL, "--data", "images.npz", "--std", "0.2"), "--std without --mean"),
        (("w.pth", "--backbone", "net.py", "--data", "images.npz"), "which function"),
        (("w.pth", "--backbone", "net.py:smal", "--data", "images.npz"), "small"),
    ],
)
def test_flags_that_say_nothing_here_are_refused(
    home: Path, leakaudit_here: Run, arguments: tuple[str, ...], words: str
) -> None:
    """One line, exit 2."""
    np.savez(home / "z.npz", z=np.ones((9, 2)), kind=np.arange(9) % 2)
    done = leakaudit_here("attack", *arguments, "--private", "kind")
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]


def test_each_layer_is_audited_apart(home: Path, leakaudit_here: Run) -> None:
    """Two layers are two audits of the same rows, compared in one report, from embeddings of one pass."""
    asked = ("w.pth", "--backbone", SMALL, "--data", "images.npz", "--layer", "features.0", "--layer", "classifier")
    names = [name for name, _ in simple_convnet.build(3, (3, 8, 8), kernel=1, width=2).named_modules()]
    inner = next(name for name in names if name.endswith(".0"))
    asked = (*asked[:5], "--layer", inner, "--layer", "classifier:at=input")
    done = leakaudit_here(
        "attack", *asked, "--private", "kind", "--target", "shape", "--attacker", "linear", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    audits = [json.loads(path.read_text()) for path in sorted((home / ".leakaudit" / "audits").glob("*.json"))]
    assert {audit["subject"]["layer"] for audit in audits} == {inner, "classifier:at=input"}
    assert {audit["subject"]["name"].partition("#")[2] for audit in audits} == {inner, "classifier:at=input"}
    listed = leakaudit_here("extract", *asked)
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == 2


def test_own_code_is_run_and_said(home: Path, leakaudit_here: Run) -> None:
    """The user's function builds the network, its run is announced, and the audit names file and hash."""
    own: dict[str, object] = {}
    exec(OWN, own)  # noqa: S102 (the text above)
    network = own["small"]()  # type: ignore[operator]
    torch.save(network.state_dict(), home / "own.pth")
    asked = (
        "own.pth",
        "--backbone",
        "net.py:small",
        "--data",
        "images.npz",
        "--private",
        "kind",
        "--attacker",
        "linear",
    )
    done = leakaudit_here("attack", *asked, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "runs your code: net.py:small" in done.stderr
    said = json.loads(done.stdout)
    assert said["subject"]["layer"] == "4"
    assert any("user's own code: net.py:small" in note for note in said["provenance"]["notes"])


def test_terms_of_a_stranger_are_those_of_the_command(home: Path) -> None:
    """Layers that are typed twice are read once, in the order given."""
    assert home.is_dir()
    terms = stranger.Terms(layer=("b", "a:pool=max", "b"))
    assert [str(layer) for layer in terms.layers] == ["b", "a:pool=max"]


def test_an_audit_of_other_preprocessing_is_another_audit(home: Path, leakaudit_here: Run) -> None:
    """One file that is shown images in two ways leaves two documents; the same way again, the same one."""
    asked = ("w.pth", "--backbone", SMALL, "--data", "images.npz", "--private", "kind", "--attacker", "linear")
    for mean in ("0.5", "0.4", "0.5"):
        done = leakaudit_here("attack", *asked, "--mean", mean, "--std", "0.5", "--rows", "200")
        assert done.returncode == 0, done.stderr
    audits = list((home / ".leakaudit" / "audits").glob("*.json"))
    said = [json.loads(path.read_text())["subject"]["preprocessing"].split(", std")[0] for path in audits]
    assert sorted(said) == ["3x8x8; mean 0.4", "3x8x8; mean 0.5"]


@pytest.mark.parametrize("place", ["leakaudit.toml", "pyproject.toml"])
def test_code_is_named_on_the_command_line_alone(home: Path, leakaudit_here: Run, place: str) -> None:
    """Whoever looks at a file in a stranger's folder does not run that folder's code."""
    (home / "net.py").write_text("import pathlib\npathlib.Path('ran').touch()\n" + OWN)
    table = "[tool.leakaudit]\n" * (place == "pyproject.toml")
    (home / place).write_text(f'{table}backbone = "net.py:small"\n')
    done = leakaudit_here("inspect", "w.pth")
    assert done.returncode == 2
    assert "code is named on the command line alone" in done.stderr
    assert not (home / "ran").exists()
    (home / place).unlink()
    leakaudit_here("inspect", "w.pth", "--backbone", "net.py:small")
    assert (home / "ran").exists()


def test_code_is_not_named_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it by the environment, in which other names may stand."""
    monkeypatch.setenv("LEAKAUDIT_BACKBONE", "resnet18")
    assert settings.configured({}) == {}
    monkeypatch.setenv("LEAKAUDIT_BACKBONE", "net.py:small:width=2")
    with pytest.raises(InputError, match=r"LEAKAUDIT_BACKBONE: backbone = 'net\.py:small:width=2': code is named"):
        settings.configured({})


@pytest.mark.usefixtures("home")
def test_an_audit_is_found_by_the_name_that_was_typed(leakaudit_here: Run) -> None:
    """A report takes the subject's name without its hash; a layer that is read is part of the name."""
    asked = ("w.pth", "--backbone", SMALL, "--data", "images.npz", "--private", "kind", "--attacker", "linear")
    assert leakaudit_here("attack", *asked).returncode == 0
    done = leakaudit_here("attack", *asked, "--layer", "classifier")
    assert done.returncode == 0, done.stderr
    assert "#classifier" in done.stdout.splitlines()[0]
    told = leakaudit_here("report", "w", "w#classifier")
    assert told.returncode == 0, told.stderr
    assert "training seed" not in told.stdout
