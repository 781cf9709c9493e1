"""A stranger's file is opened by its content, whatever it is called, or refused for a reason that is said."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from leakaudit import opening, store
from leakaudit.errors import InputError, RefusedError

NET = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2, dtype=torch.bfloat16)}


@pytest.mark.parametrize("kind", ["safetensors", "torch zip", "torch legacy"])
def test_one_network_in_three_formats_is_one_network(tmp_path, kind):
    """The tensors, the format, the file's hash and size come out, whatever the file is called."""
    path = tmp_path / "download"
    if kind == "safetensors":
        save_file({f"module.{name}": tensor for name, tensor in NET.items()}, path)
    else:
        wrapped = {"state_dict": {f"module.{name}": tensor for name, tensor in NET.items()}, "epoch": 3}
        torch.save(wrapped, path, _use_new_zipfile_serialization=kind == "torch zip")
    weights = opening.read(path)
    assert weights.format == kind
    assert weights.taken_off == (("module.",) if kind == "safetensors" else ("state_dict", "module."))
    assert weights.beside == (() if kind == "safetensors" else ("epoch = 3",))
    assert weights.notes == ("1 tensor of bfloat16 read as float32",)
    assert (weights.sha256, weights.size) == (store.digest_file(path), path.stat().st_size)
    for name, tensor in NET.items():
        np.testing.assert_array_equal(weights.tensors[name], tensor.float().numpy())


def test_what_is_no_file_is_said_at_once(tmp_path):
    """A folder names what is in it; a pipe and a device are not waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty folder").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("model.safetensors", "README.md", "weights.pth"):
        (folder / name).write_bytes(b"")
    for path, told in {
        tmp_path / "missing.pt": "no such file",
        tmp_path / "pipe": "a pipe or a device",
        Path("/dev/zero"): "a pipe or a device",
        folder: "a folder; name the model's file in it: model.safetensors, weights.pth$",
        tmp_path / "empty folder": "there is none",
        folder / "README.md" / "w.pt": "no such file",
        tmp_path / "a\0b": "cannot be read",
        tmp_path / ("n" * 300): "cannot be read",
    }.items():
        with pytest.raises(InputError, match=told):
            opening.read(path)


def test_an_empty_file_and_noise_are_refused(tmp_path):
    """Nothing is a model, and neither is what no format begins with."""
    path = tmp_path / "w.pth"
    for data, told in {
        b"": "an empty file",
        b"\x01\xff\x00" * 400: "no model of any format",
        b"\x80": "no model",
    }.items():
        path.write_bytes(data)
        with pytest.raises(RefusedError, match=told):
            opening.read(path)


def test_a_file_that_is_not_what_was_promised_is_refused(tmp_path):
    """The hash is that of the bytes that are read; the right promise opens the file."""
    path = tmp_path / "w.safetensors"
    save_file(NET, path)
    promised = store.digest_file(path)
    assert opening.read(path, promised).sha256 == promised
    save_file({**NET, "more": torch.ones(1)}, path)
    with pytest.raises(RefusedError, match=f"changed since it was checked: sha256 .*, {promised} expected"):
        opening.read(path, promised)


@pytest.mark.parametrize("length", [0x0178, 0x9C78, 0xDA78, 0x0280, 0x0380, 0x0480, 0x0580])
def test_a_header_whose_length_looks_like_another_format_is_read(tmp_path, length):
    """The first two bytes of a length may be those of zlib or of a pickle; one file in some hundred is so."""
    path = tmp_path / "w.safetensors"
    header = json.dumps({"fc.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    assert list(opening.read(path).tensors) == ["fc.weight"]


@pytest.mark.parametrize("kind", ["safetensors", "torch zip", "torch legacy"])
def test_what_comes_to_lie_at_the_name_meanwhile_is_not_read(tmp_path, monkeypatch, kind):
    """A name that leads to another file after the hash was counted: the tensors are those that were hashed."""
    there, other, path = tmp_path / "there", tmp_path / "other", tmp_path / "w"
    for number, place in enumerate((there, other)):
        if kind == "safetensors":
            save_file({"fc.weight": torch.full((2, 3), float(number))}, place)
        else:
            torch.save(
                {"fc.weight": torch.full((2, 3), float(number))},
                place,
                _use_new_zipfile_serialization=kind == "torch zip",
            )
    path.symlink_to(there)
    counted, digest = [], opening._digest

    def swapped(file):
        found = digest(file)
        path.unlink()
        path.symlink_to(there if counted else other)
        counted.append(found)
        return found

    monkeypatch.setattr(opening, "_digest", swapped)
    weights = opening.read(path)
    assert len(counted) == 2
    assert weights.sha256 == store.digest_file(there)
    assert not weights.tensors["fc.weight"].any()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    """Another process that writes into it is noticed by a second hash."""
    path = tmp_path / "w.safetensors"
    save_file(NET, path)
    read = opening._contents

    def changed(held, file):
        contents = read(held, file)
        with path.open("r+b") as written:
            written.seek(-1, 2)
            written.write(b"\x01")
        return contents

    monkeypatch.setattr(opening, "_contents", changed)
    with pytest.raises(RefusedError, match="changed while it was read"):
        opening.read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_said(tmp_path):
    """Who may not read it can change that."""
    path = tmp_path / "w.pth"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        opening.read(path)


def test_a_link_that_leads_nowhere_is_said(tmp_path):
    """As a missing file is."""
    (tmp_path / "w.pth").symlink_to(tmp_path / "gone.pth")
    with pytest.raises(InputError, match="no such file"):
        opening.read(tmp_path / "w.pth")


REFUSED = {
    "zip TorchScript": "a TorchScript program",
    "tar (pre-0.1.10 torch format)": "a tar archive of torch before",
    "bare pickle": r"a bare pickle, not torch\.save's: asks for sklearn\.tree",
    "unknown b'abc'": "a text, not a model; it begins 'abc'",
}
"""Containers that are refused, and as what."""
TOLERATED = {"sunnyhaze_lenet5/model.pt": "a numpy scalar, which a stand-in reads"}
"""What torch alone refuses, and is read here."""


def test_every_file_of_the_manifest_is_read_or_refused_for_its_reason(data_root):
    """Of 55 files of strangers those are read that hold weights; the others are refused with what they are."""
    folder = data_root / "checkpoints"
    files = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    read, refused = [], []
    for file in files:
        path = folder / file["file"]
        container = file["container"]
        whole = container == "zip" and str(file["weights_only"]).startswith("REFUSED") and file["file"] not in TOLERATED
        if container in REFUSED or whole:
            told = "a pickled model object .*torch.save\\(model.state_dict\\(\\)" if whole else REFUSED[container]
            with pytest.raises(RefusedError, match=told):
                opening.read(path)
            refused.append(path.name)
            continue
        weights = opening.read(path)
        assert weights.sha256 == file["sha256"], path
        assert all(isinstance(tensor, np.ndarray) for tensor in weights.tensors.values())
        assert all(np.isfinite(tensor).all() for tensor in weights.tensors.values() if path.name != "special_values.pt")
        read.append(path.name)
    assert len(files) == 55
    assert (len(read), len(refused)) == (42, 13)


def test_real_wrappers_are_taken_off(data_root):
    """DataParallel, Lightning and numpy's numbers in files that people published."""
    folder = data_root / "checkpoints"
    parallel = opening.read(folder / "akamaster_cifar_resnet" / "resnet20-12fca82f.th")
    assert (parallel.taken_off, len(parallel.tensors)) == (("state_dict", "module."), 97)
    assert parallel.beside == ("best_prec1 = 91.78000183105469",)
    lightning = opening.read(folder / "softfiredev_lightning" / "best_model.ckpt")
    assert lightning.taken_off == ("state_dict", "model.")
    assert list(lightning.tensors)[:2] == ["0.weight", "0.bias"]
    assert "optimizer_states (18 tensors)" in lightning.beside
    scalar = opening.read(folder / "sunnyhaze_lenet5" / "model.pt")
    assert (scalar.taken_off, len(scalar.tensors)) == (("state_dict",), 10)
    assert "loss (31 values)" in scalar.beside
    nested = opening.read(folder / "edge_formats" / "burn_reader" / "nested_dict.pt")
    assert sorted(nested.tensors) == ["layer1.bias", "layer1.weight", "layer2.bias", "layer2.weight"]


def test_what_is_read_is_what_torch_reads(data_root):
    """Every tensor of every file that torch reads by itself has torch's own numbers."""
    folder = data_root / "checkpoints"
    files = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    compared = 0
    for file in files:
        if file.get("weights_only") != "OK":
            continue
        weights = opening.read(folder / file["file"])
        torchs = flat(torch.load(folder / file["file"], weights_only=True, map_location="cpu"))
        for name, tensor in weights.tensors.items():
            theirs = next(value for key, value in torchs.items() if key == name or key.endswith(f".{name}")).detach()
            wide = theirs.float() if theirs.dtype in {torch.bfloat16, torch.float16} else theirs
            assert tensor.dtype == wide.numpy().dtype
            np.testing.assert_array_equal(tensor, wide.numpy())
            compared += 1
    assert compared > 300


def flat(tree: object, at: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a tree by all the keys that lead to them."""
    if isinstance(tree, torch.Tensor):
        return {at.removesuffix("."): tree}
    parts = tree.items() if isinstance(tree, dict) else ()
    return {name: tensor for key, value in parts for name, tensor in flat(value, f"{at}{key}.").items()}
