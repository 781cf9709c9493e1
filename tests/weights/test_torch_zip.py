"""What torch.save writes is read as torch reads it, and nothing else is."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from leakaudit import catalog
from leakaudit.errors import InputError, RefusedError

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
WAYS = {
    "view": torch.arange(1000.0)[3:7],
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "spread": torch.ones(1).expand(100, 100),
    "empty": torch.ones(0, 3),
    "scalar": torch.tensor(3),
    "parameter": torch.nn.Parameter(torch.ones(3)),
    "channels last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "double": torch.tensor([0.1], dtype=torch.float64),
    "bool": torch.tensor([True, False]),
    "complex": torch.tensor([1 + 2j]).conj(),
    **{str(kind): torch.tensor([1, 2], dtype=kind) for kind in (torch.int8, torch.uint8, torch.int16, torch.int32)},
}


def saved(path: Path, value: object, *, zipped: bool) -> Path:
    """A file of torch's own."""
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def read(path: Path, zipped):
    """What the format's file reads, after it has recognised it."""
    module = catalog.thing("weights", "torch-zip" if zipped else "torch-legacy")
    other = catalog.thing("weights", "torch-legacy" if zipped else "torch-zip")
    head = path.read_bytes()[:1024]
    assert module.recognises(head, path)
    assert not other.recognises(head, path)
    return module.read(path)


@FORMATS
@pytest.mark.parametrize("way", WAYS)
def test_a_tensor_comes_back(tmp_path, zipped, way):
    """Shape, numbers and type are kept, however the tensor lies in memory."""
    found = read(saved(tmp_path / "w.pt", {"w": WAYS[way]}, zipped=zipped), zipped)
    tensor = WAYS[way].detach().resolve_conj()
    assert found.tree["w"].dtype == tensor.numpy().dtype
    assert found.tree["w"].shape == tuple(tensor.shape)
    assert found.tree["w"].flags.c_contiguous
    np.testing.assert_array_equal(found.tree["w"], tensor.numpy())
    assert found.notes == ()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_halves_become_floats(tmp_path, kind):
    """Every number of a narrower float is one of float32, and the reader is told."""
    tensor = torch.tensor([1.5, -2.0, 0.25]).to(kind)
    found = read(saved(tmp_path / "w.pt", {"w": tensor}, zipped=True), True)
    assert found.tree["w"].dtype == np.float32
    np.testing.assert_array_equal(found.tree["w"], tensor.to(torch.float32).numpy())
    assert found.notes == (f"1 tensor of {str(kind).removeprefix('torch.')} read as float32",)


@FORMATS
def test_a_tensor_that_stands_twice_is_read_once(tmp_path, zipped):
    """Tied weights cost the memory of one."""
    tensor = torch.ones(3)
    tree = read(saved(tmp_path / "w.pt", {"a": tensor, "b": tensor}, zipped=zipped), zipped).tree
    assert tree["a"] is tree["b"]


def test_the_numbers_are_not_the_file(tmp_path):
    """What was read stays as it was when the file is overwritten."""
    path = saved(tmp_path / "w.pt", {"w": torch.ones(1000)}, zipped=True)
    tensor = read(path, True).tree["w"]
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert (tensor == 1).all()


@FORMATS
def test_every_truncation_is_refused(tmp_path, zipped):
    """A file that was cut anywhere is no file of weights."""
    whole = saved(tmp_path / "w.pt", {"w": torch.ones(50), "epoch": 3}, zipped=zipped).read_bytes()
    module = catalog.thing("weights", "torch-zip" if zipped else "torch-legacy")
    for keep in range(20, len(whole), max(1, len(whole) // 40)):
        path = tmp_path / f"{keep}.pt"
        path.write_bytes(whole[:keep])
        with pytest.raises(RefusedError, match="truncated"):
            module.read(path)


@FORMATS
def test_a_missing_file_is_said(tmp_path, zipped):
    """A path that does not exist can be corrected."""
    with pytest.raises(InputError, match="no such file"):
        catalog.thing("weights", "torch-zip" if zipped else "torch-legacy").read(tmp_path / "w.pt")


def test_a_name_that_torch_takes_for_another_format_is_read(tmp_path):
    """Torch goes by the end of a name; the content counts here."""
    assert (read(saved(tmp_path / "w.safetensors", {"w": torch.ones(2)}, zipped=True), True).tree["w"] == 1).all()


def test_another_librarys_leave_is_not_taken(tmp_path):
    """What a process allows torch elsewhere is neither used here nor lost."""
    path = saved(tmp_path / "w.pt", {"w": torch.ones(2), "kind": Path}, zipped=True)
    with torch.serialization.safe_globals([Path]):
        before = torch.serialization.get_safe_globals()
        with pytest.raises(RefusedError, match=r"asks for|asks to run|type"):
            catalog.thing("weights", "torch-zip").read(saved(path, {"w": Whole()}, zipped=True))
        assert set(torch.serialization.get_safe_globals()) == set(before)
    assert Path not in torch.serialization.get_safe_globals()


class Whole:
    """A class of a user's own."""


def test_members_are_stored_once_plainly_and_in_their_own_place(tmp_path):
    """An archive whose members are packed, stand twice or lie in two folders is none that torch writes."""
    whole = saved(tmp_path / "w.pt", {"w": torch.ones(50)}, zipped=True)
    with zipfile.ZipFile(whole) as file:
        members = {name: file.read(name) for name in file.namelist()}
    read_zip = catalog.thing("weights", "torch-zip").read
    for case, (packing, extra) in {
        "compressed": (zipfile.ZIP_DEFLATED, {}),
        "two members of one name": (zipfile.ZIP_STORED, {"w/DATA.pkl": b""}),
        "2 folders": (zipfile.ZIP_STORED, {"v/data.pkl": b""}),
    }.items():
        path = tmp_path / "other.pt"
        with zipfile.ZipFile(path, "w", packing) as file:
            for name, data in (members | extra).items():
                file.writestr(name, data)
        with pytest.raises(RefusedError, match=case):
            read_zip(path)
    with zipfile.ZipFile(tmp_path / "same.pt", "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    assert (read_zip(tmp_path / "same.pt").tree["w"] == 1).all()
