"""Verify counts again what an audit names: it says what matches, what no longer does, and what is not at hand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch

from leakaudit import audits, store, verify
from leakaudit.proofs.tracing import Given
from leakaudit.verification import Verification

Run = Callable[..., "CompletedProcess[str]"]
ROWS = 90
NET = """import torch
from part import mid
class Small(torch.nn.Module):
    def __init__(self, classes, shape):
        super().__init__()
        self.conv = mid(shape[0])
        self.fc = torch.nn.Linear(4, classes)
    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
"""
PART = "import torch\ndef mid(channels):\n    return torch.nn.Conv2d(channels, 4, 3)\n"
HOSTILE = "open('ran', 'w').close()\n"
QUICK = ("--private", "kind", "--target", "shape", "--attacker", "linear", "-q", "--format", "json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, inside: Run) -> Path:
    """A folder in which embeddings, and weights in a user's own code, were attacked; nobody changes it."""
    home = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    kind, shape = random.integers(0, 2, ROWS), random.integers(0, 2, ROWS)
    images = random.integers(0, 255, (ROWS, 8, 8, 3)).astype(np.uint8)
    np.savez(home / "images.npz", image=images, kind=kind, shape=shape)
    np.savez(home / "z.npz", z=random.normal(size=(ROWS, 3)).astype("f4") + kind[:, None], kind=kind, shape=shape)
    (home / "net.py").write_text(NET)
    (home / "part.py").write_text(PART)
    weights = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "fc.weight": (2, 4), "fc.bias": (2,)}
    generator = torch.Generator().manual_seed(0)
    torch.save({name: torch.randn(size, generator=generator) for name, size in weights.items()}, home / "own.pth")
    own = ("own.pth", "--backbone", "net.py:Small", "--data", "arrays:file=images.npz")
    for subject in (("z.npz",), own):
        done = inside("attack", *subject, *QUICK, cwd=home)
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed: the very folder in which `leakaudit_here` runs."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def audit(home: Path, name: str) -> Path:
    """The audit of that subject."""
    (path,) = (home / ".leakaudit" / "audits").glob(f"{name}*.json")
    return path


def states(found: Verification) -> dict[str, str]:
    """State by object, of one audit."""
    (one,) = found.audits
    return {check.what: check.state for check in one.checks}


def resealed(path: Path, change: Any) -> None:
    """The document with a change, and its sha256 counted anew: what a forger would do."""
    data = json.loads(path.read_text())
    change(data)
    body = {name: value for name, value in data.items() if name != "sha256"}
    store.write_json(path, {**body, "sha256": store.digest(store.canonical(body))})


def test_everything_an_audit_names_matches_where_nothing_was_changed(home: Path, leakaudit_here: Run) -> None:
    """Exit 0, every object of both audits counted: own code by its files, the network by the tensors of its file."""
    done = leakaudit_here("verify", audit(home, "own"), audit(home, "z.npz"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "leakaudit: exit 0: 13 of 13 hashes were recomputed and match"
    for what in ("weights file", "network", "own code net.py", "own code part.py", "data", "images", "embeddings"):
        assert f"  {what}" in done.stdout
    assert "the same are installed" in done.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "file", "what"),
    [
        ("own", "own.pth", {"weights file"}),
        ("own", "part.py", {"own code part.py"}),
        ("own", ".leakaudit/audits/own*.rows.safetensors", {"per-row outcomes"}),
        ("own", ".leakaudit/embeddings/*/test/shard-00000.safetensors", {"embeddings"}),
        ("z.npz", "z.npz", {"embeddings file"}),
    ],
)
def test_a_byte_more_no_longer_matches(home: Path, leakaudit_here: Run, name: str, file: str, what: set[str]) -> None:
    """Exit 4, with the object on the last line; each other file of the same audit still matches."""
    for path in home.glob(file):
        path.write_bytes(path.read_bytes() + b"\n")
    done = leakaudit_here("verify", audit(home, name), "--format", "json")
    assert done.returncode == 4
    checks = json.loads(done.stdout)["audits"][0]["checks"]
    broken = {check["what"] for check in checks if check["state"] == "no longer matches"}
    assert what <= broken <= what | {"data"}
    assert all(word in done.stderr.splitlines()[-1] for word in what)
    assert {"document"} <= {check["what"] for check in checks if check["state"] == "matches"}


def test_a_label_changed_is_other_data_and_a_pixel_changed_are_other_images(home: Path) -> None:
    """Names and sizes alone would tell neither apart."""
    arrays = dict(np.load(home / "images.npz"))
    given = Given(store=home / ".leakaudit", root=home)
    arrays["image"][3, 0, 0, 0] ^= 1
    np.savez(home / "images.npz", **arrays)
    found = states(verify.verify([audit(home, "own")], given))
    assert found["images"] == "no longer matches"
    arrays["kind"][3] ^= 1
    np.savez(home / "images.npz", **arrays)
    found = states(verify.verify([audit(home, "own")], given))
    assert (found["data"], found["images"]) == ("no longer matches", "no longer matches")


def test_outcomes_of_a_copy_are_found_beside_the_document_it_was_copied_from(home: Path) -> None:
    """A document sent on alone has its rows where its twin in the store has them."""
    path = audit(home, "z.npz")
    shutil.copy(path, home / "sent.json")
    found = states(verify.verify([home / "sent.json"], Given(store=home / ".leakaudit")))
    assert found["per-row outcomes"] == "matches"


def test_what_is_not_there_is_not_at_hand_and_no_contradiction(home: Path, leakaudit_here: Run) -> None:
    """Exit 0, each with what to give; and it is at hand again where a flag says where it lies."""
    path = audit(home, "z.npz")
    shutil.move(home / "z.npz", home / "elsewhere.npz")
    done = leakaudit_here("verify", path)
    assert done.returncode == 0
    assert "2 of 4 hashes were recomputed and match; 2 not at hand" in done.stderr.splitlines()[-1]
    assert "--subject FILE" in done.stdout
    done = leakaudit_here("verify", path, "--subject", "elsewhere.npz")
    assert "4 of 4 hashes" in done.stderr.splitlines()[-1]
    done = leakaudit_here("verify", path, "--subject", "nowhere.npz")
    assert (done.returncode, "no such file" in done.stderr) == (2, True)


def test_the_users_code_is_hashed_and_never_run(home: Path, leakaudit_here: Run) -> None:
    """A file of code that would leave a trace leaves none; the attack, which runs it, does."""
    (home / "net.py").write_text(HOSTILE + NET)
    assert leakaudit_here("verify", audit(home, "own")).returncode == 4
    assert not (home / "ran").exists()
    leakaudit_here("inspect", "own.pth", "--backbone", "net.py:Small")
    assert (home / "ran").exists()


def test_a_changed_document_is_read_no_further(home: Path, leakaudit_here: Run) -> None:
    """Exit 4 and one object, with both hashes; the same change with the sha256 counted anew cannot be seen, as said."""
    path = audit(home, "z.npz")
    text = path.read_text()
    path.write_text(text.replace('"tolerance": 0.1', '"tolerance": 0.2', 1))
    done = leakaudit_here("verify", path)
    assert (done.returncode, "document (" in done.stderr) == (4, True)
    assert "per-row" not in done.stdout
    path.write_text(text)
    resealed(path, lambda data: data.update(tolerance=0.2))
    done = leakaudit_here("verify", path)
    assert done.returncode == 0
    assert "whoever forges a document can count it anew" in " ".join(done.stdout.split())


def test_an_older_audit_says_what_it_does_not_record(home: Path) -> None:
    """Without what is recorded since, code is read off its note, data off the command; nothing is taken for changed."""
    path = audit(home, "own")

    def older(data: dict[str, Any]) -> None:
        for table, names in (("provenance", ("asked", "embeddings", "outcomes")), ("subject", ("code",))):
            for name in names:
                del data[table][name]
        del data["data"]["contents"]
        words = ("own.pth", "--backbone", "net.py:Small", "--data", "arrays:file=images.npz", "--target", "shape")
        data["provenance"]["command"] = " ".join(("leakaudit attack", *words, "--private kind"))

    resealed(path, older)
    given = Given(store=home / ".leakaudit", root=home, subject=str(home / "own.pth"))
    found = states(verify.verify([path], given))
    assert found["per-row outcomes"] == found["embeddings"] == "not recorded"
    assert {found[f"own code {name}.py"] for name in ("net", "part")} == {"matches"}
    assert found["data"] == found["network"] == "matches"
    assert "images" not in found


def test_a_report_of_several_is_verified_audit_by_audit(home: Path, leakaudit_here: Run) -> None:
    """Outcomes are found beside the documents that it was made of; a figure changed in one is that one's change."""
    paths = sorted((home / ".leakaudit" / "audits").glob("*.json"))
    leakaudit_here("report", *paths, "--format", "json", "--output", "both.json")
    done = leakaudit_here("verify", "both.json", "--format", "markdown")
    assert done.returncode == 0, done.stderr
    assert "both.json (2 of 2)" in done.stdout
    assert done.stdout.count("| per-row outcomes | matches |") == 2
    assert "| report | not recorded |" in done.stdout
    data = json.loads((home / "both.json").read_text())
    data["audits"][1]["attributes"][0]["upper"] = 0.01
    store.write_json(home / "both.json", data)
    done = leakaudit_here("verify", "both.json")
    assert done.returncode == 4
    assert "document (both.json (2 of 2))" in done.stderr.splitlines()[-1]


def test_a_joined_audit_names_its_documents(home: Path) -> None:
    """They are found by their seals beside it; one that is gone is not at hand."""
    path = audit(home, "z.npz")
    seal = json.loads(path.read_text())["sha256"]
    joined = home / ".leakaudit" / "audits" / "joined.json"
    shutil.copy(path, joined)
    resealed(joined, lambda data: data["provenance"].update(documents=[seal, "f" * 64]))
    (one,) = verify.verify([joined], Given(store=home / ".leakaudit")).audits
    assert [check.state for check in one.checks if check.what == "joined document"] == ["matches", "not at hand"]


def test_other_versions_are_told_and_no_error(home: Path, leakaudit_here: Run) -> None:
    """Information, exit 0."""
    resealed(audit(home, "z.npz"), lambda data: data["provenance"]["versions"].update(numpy="1.0", gone="3"))
    done = leakaudit_here("verify", audit(home, "z.npz"))
    assert done.returncode == 0
    assert f"here: numpy {np.__version__}, gone not installed." in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "asked",
    [
        {"subject": "a\0b"},
        {"subject": "x" * 5000},
        {"subject": ["z.npz"]},
        {"subject": "z.npz", "rows": "all"},
        {"data": "arrays:file=images.npz"},
    ],
)
def test_what_can_be_no_name_is_refused(home: Path, leakaudit_here: Run, asked: dict[str, Any]) -> None:
    """One line, exit 4."""
    resealed(audit(home, "z.npz"), lambda data: data["provenance"].update(asked=asked))
    done = leakaudit_here("verify", audit(home, "z.npz"))
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 1), done.stderr


@pytest.mark.parametrize("subject", ["hf://a/b/c@main", "https://127.0.0.1:1/x.pth", "timm:resnet18", "/dev/zero", "."])
def test_nothing_is_fetched_and_no_device_is_waited_for(home: Path, leakaudit_here: Run, subject: str) -> None:
    """A document that names an address, or what is no file: the weights are not at hand, and nothing lies anywhere."""
    path = audit(home, "own")
    resealed(path, lambda data: data["provenance"]["asked"].update(subject=subject, backbone=None))
    done = leakaudit_here("verify", path, "--format", "json", LEAKAUDIT_HOME=str(home / "fetched"))
    assert done.returncode == 0, done.stderr
    found = {check["what"]: check["state"] for check in json.loads(done.stdout)["audits"][0]["checks"]}
    assert found["weights file"] == "not at hand"
    assert not (home / "fetched").exists()


def test_inspect_tells_of_verify(home: Path, leakaudit_here: Run) -> None:
    """Whoever looks at an audit learns what counts its hashes."""
    done = leakaudit_here("inspect", audit(home, "z.npz"))
    assert "leakaudit verify" in done.stdout
    assert audits.load(audit(home, "z.npz")).verdict in done.stdout
