"""What a file is can be known before anybody audits it: the command `inspect`, in words and as a document."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
import torchvision

from leakaudit import embeddings, examine, store
from leakaudit.render._inspect import markdown, terminal

Run = Callable[..., "CompletedProcess[str]"]
NET = """
from torch import nn

def net(num_classes=3):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, num_classes))
"""


def written(path: Path, network: torch.nn.Module, prefix: str = "", **more: np.ndarray) -> Path:
    """A file of a network's tensors."""
    tensors = {prefix + name: tensor.numpy() for name, tensor in network.state_dict().items()}
    store.write_tensors(path, tensors | more)
    return path


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    """A ResNet-18 for seven classes, as Lightning saves it."""
    network = torchvision.models.resnet18(num_classes=7)
    return written(tmp_path / "face.safetensors", network, "net.", **{"loss.weight": np.ones(7, np.float32)})


def test_a_file_says_which_network_it_is_and_what_to_type_next(leakaudit_here: Run, resnet: Path) -> None:
    """Format, size, hash, tensors, the network that has such, and a line that works."""
    done = leakaudit_here("inspect", str(resnet))
    assert done.returncode == 0, done.stderr
    assert f"face.safetensors: safetensors, {resnet.stat().st_size:,} bytes" in done.stdout
    assert store.digest_file(resnet) in done.stdout
    assert re.search(r"torchvision:resnet18 +all tensors agree", done.stdout)
    line = done.stdout.strip().splitlines()[-1]
    assert line == f"leakaudit inspect {resnet} --backbone torchvision:resnet18"
    again = leakaudit_here(*line.split()[1:], "--size", "64")
    assert again.returncode == 0, again.stderr
    assert "122 of 122 tensors of torchvision:resnet18 are filled" in again.stdout
    assert "note: prefix net. taken off the file's names" in again.stdout
    assert "note: left aside: loss (1)" in again.stdout
    assert re.search(
        r"an image of 3x64x64; the bottleneck is the input of fc, 512\s+numbers, before 7\s+logits", again.stdout
    )
    assert re.search(r"layer4 +Sequential +512x2x2 +8,393,728", again.stdout)
    assert re.search(r"fc +Linear +7 +3,591 +<- bottleneck", again.stdout)


def test_another_network_is_a_table_and_a_status(leakaudit_here: Run, resnet: Path) -> None:
    """What does not match stands on stdout; the last line says what would, and exits 2."""
    done = leakaudit_here("inspect", str(resnet), "--backbone", "torchvision:resnet34")
    assert done.returncode == 2
    assert re.search(r"missing +layer1\.2\.conv1\.weight", done.stdout)
    assert "... and " in done.stdout
    assert "These are the tensors of torchvision:resnet18" in done.stderr.splitlines()[-1]


def test_a_file_without_a_classifier_says_the_flag_that_fills_the_rest(leakaudit_here: Run, tmp_path: Path) -> None:
    """The line to type next works; without the flag the refusal names it."""
    network = torchvision.models.resnet18()
    network.fc = torch.nn.Identity()
    path = written(tmp_path / "body.safetensors", network)
    done = leakaudit_here("inspect", str(path))
    assert "fills a network with --partial: --backbone torchvision:resnet18 --partial" in " ".join(done.stdout.split())
    assert "No known network" not in done.stdout
    line = done.stdout.strip().splitlines()[-1]
    assert line == f"leakaudit inspect {path} --backbone torchvision:resnet18 --partial"
    again = leakaudit_here(*line.split()[1:], "--size", "32")
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip().endswith(
        "--backbone torchvision:resnet18 --partial --data DATA --private NAME --target NAME"
    )
    refused = leakaudit_here("inspect", str(path), "--backbone", "resnet18")
    assert refused.returncode == 2
    assert "--backbone resnet18 --partial (its classifier is then fresh" in refused.stderr


def test_networks_that_fit_equally_are_named_with_what_the_file_does_not_tell(
    leakaudit_here: Run, tmp_path: Path
) -> None:
    """Of grey images too, which is said of each."""
    network = torchvision.models.resnet18(num_classes=3)
    network.conv1 = torch.nn.Conv2d(1, 64, 7, bias=False)
    done = leakaudit_here("inspect", str(written(tmp_path / "grey.safetensors", network)))
    for name in ("torchvision:resnet18", "timm:resnet18"):
        assert re.search(rf"^  {name} +all tensors agree, for grey images \(1 channel\)$", done.stdout, re.MULTILINE)
    assert "the file does not tell which library it was trained with" in " ".join(done.stdout.split())


def test_counters_of_layers_that_are_missing_are_missing(resnet: Path) -> None:
    """Only those of layers that the file has are taken to be 0."""
    made = examine.examine(resnet, "torchvision:resnet34", "32")
    assert made.fit is not None
    assert not any("counters of batch norm" in note for note in made.fit.notes)
    assert "layer1.2.bn1.num_batches_tracked" in {each.name for each in made.fit.unmatched}


def test_numbers_that_are_none_are_told(leakaudit_here: Run, tmp_path: Path) -> None:
    """NaN and infinity, by their tensors' names; a file without them says nothing of the kind."""
    tensors = {name: np.ones((3, 4), np.float32) for name in ("a", "b", "c", "d", "e")}
    store.write_tensors(tmp_path / "good.safetensors", tensors | {"count": np.ones(2, np.int64)})
    assert "NaN" not in leakaudit_here("inspect", "good.safetensors").stdout
    tensors["b"][2, 3], tensors["d"][0, 0] = np.nan, np.inf
    store.write_tensors(tmp_path / "bad.safetensors", tensors)
    assert "note: 2 tensors hold NaN or infinity (b, d)\n" in leakaudit_here("inspect", "bad.safetensors").stdout
    store.write_tensors(tmp_path / "worse.safetensors", dict.fromkeys("abcd", np.full(2, np.nan)))
    said = "note: 4 tensors hold NaN or infinity (a, b, c, ...)\n"
    assert said in leakaudit_here("inspect", "worse.safetensors").stdout


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("x.npy", 4, "one array of numpy, without names. Of embeddings, add labels: "),
        ("objects.npy", 4, "an array of numpy that holds Python objects, which leakaudit never loads"),
        ("a.json", 4, "not an audit, nor another document of leakaudit"),
        ("", 2, "a file's name expected"),
    ],
)
def test_what_is_no_model_is_told_in_its_own_words(
    leakaudit_here: Run, tmp_path: Path, name: str, status: int, said: str
) -> None:
    """Each in one line."""
    np.save(tmp_path / "x.npy", np.ones((3, 4)))
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object))
    (tmp_path / "a.json").write_text('{"a": 1}')
    done = leakaudit_here("inspect", name)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (status, "", 1)
    assert said in done.stderr


def test_ones_own_code_has_a_layer_table(leakaudit_here: Run, tmp_path: Path) -> None:
    """The size is found where it is not said, the classes are the weights', and that code is run is said first."""
    (tmp_path / "net.py").write_text(NET)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2704, 5)
    )
    path = written(tmp_path / "own.safetensors", network)
    done = leakaudit_here("inspect", str(path), "--backbone", f"{tmp_path}/net.py:net")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("leakaudit: runs your code: ")
    assert "user's own code: net.py:net" in done.stdout
    assert "image of 1x28x28; the bottleneck is the input of 3, 2,704 numbers, before 5 logits" in " ".join(
        done.stdout.split()
    )


def test_the_document_holds_what_is_folded(leakaudit_here: Run, resnet: Path) -> None:
    """All layers, all tensors, and the same figures."""
    done = leakaudit_here("inspect", str(resnet), "--backbone", "resnet18", "--size", "32", "--format", "json")
    made = json.loads(done.stdout)
    assert (made["format"], made["kind"], made["what"]) == (1, "dossier", "weights")
    assert len(made["tensors"]) == 123
    assert made["anatomy"]["classifier"] == "fc"
    assert (made["anatomy"]["width"], made["anatomy"]["classes"]) == (512, 7)
    names = [layer["name"] for layer in made["anatomy"]["layers"]]
    assert {"layer4", "layer4.1.bn2", "fc"} <= set(names)
    assert [layer["name"] for layer in made["anatomy"]["layers"] if layer["bottleneck"]] == ["fc"]


def test_no_line_is_wider_than_the_terminal(resnet: Path) -> None:
    """But for the command to type next, which is not broken."""
    for backbone in (None, "torchvision:resnet18"):
        made = examine.examine(resnet, backbone, "32")
        for width in (80, 120):
            text = terminal.render(made, width=width)
            assert all(len(line) <= width for line in text.splitlines() if line != made.next)
            assert text.endswith(f"\n{made.next}\n")
        assert f"    {made.next}" in markdown.render(made, width=80)


def test_names_out_of_a_file_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """Nor break a table."""
    store.write_tensors(
        tmp_path / "w.safetensors", {"a\x1b[2J|<b>\n": np.ones((2, 2), np.float32), "x" * 900: np.ones(3)}
    )
    made = examine.examine(tmp_path / "w.safetensors")
    text = terminal.render(made, width=80)
    assert "\x1b" not in text
    assert "x" * 100 not in text
    assert "<b>" not in markdown.render(made, width=80)


def test_what_is_no_network_is_told(leakaudit_here: Run, tmp_path: Path) -> None:
    """A vector alone, and matrices that no known network has."""
    store.write_tensors(tmp_path / "v.safetensors", {"v": np.ones(3)})
    assert "this is no network" in " ".join(leakaudit_here("inspect", "v.safetensors").stdout.split())
    store.write_tensors(tmp_path / "m.safetensors", {"l1.weight": np.ones((3, 4))})
    assert "--backbone FILE.py:FUNCTION (its code is run)" in " ".join(
        leakaudit_here("inspect", "m.safetensors").stdout.split()
    )


def test_embeddings_say_what_can_be_asked_of_them(leakaudit_here: Run, tmp_path: Path) -> None:
    """Rows, width and columns, and the attack on one of them."""
    np.savez(tmp_path / "z.npz", z=np.zeros((6, 3), np.float32), sex=np.arange(6) % 2, age=np.arange(6) % 3)
    done = leakaudit_here("inspect", "z.npz")
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "rows 6 numbers a row 3" in words
    assert "column sex: 2 classes" in words
    assert done.stdout.strip().endswith("leakaudit attack z.npz --private sex")
    assert len(embeddings.read(tmp_path / "z.npz")) == 6


def test_what_is_refused_says_what_it_is(leakaudit_here: Run, tmp_path: Path) -> None:
    """No file, no form, and no model: each its own status."""
    assert leakaudit_here("inspect", "no.pth").returncode == 2
    (tmp_path / "x.pth").write_bytes(b"\x80\x02cos\nsystem\n.")
    done = leakaudit_here("inspect", "x.pth")
    assert done.returncode == 4
    store.write_tensors(tmp_path / "v.safetensors", {"v": np.ones(3)})
    done = leakaudit_here("inspect", "v.safetensors", "--format", "html")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not one of 'terminal', 'json', 'markdown'" in done.stderr


def test_every_real_file_is_named(inside: Run, data_root: Path, tmp_path: Path) -> None:
    """Each of the third-party files is read, or refused with its format and the reason."""
    home = data_root / "checkpoints"
    for each in json.loads((home / "MANIFEST.json").read_text()):
        done = inside("inspect", str(home / each["file"]), cwd=tmp_path)
        assert done.returncode in (0, 2, 4), f"{each['file']}: {done.stderr}"
        said = done.stdout if done.returncode == 0 else done.stderr
        kind = each["container"].split()[0].replace("unknown", "text").replace("bare", "pickle")
        words = {"legacy": "torch legacy", "zip": "torch zip|TorchScript|pickled model"}.get(kind, kind)
        assert re.search(words, said), f"{each['file']} ({each['container']}): {said[:200]}"
