"""Formats that cannot be read without running code are recognised by content, and refused with what to do instead."""

import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from leakaudit import catalog, opening
from leakaudit.errors import RefusedError


def zipped(*names: str) -> bytes:
    """An archive of members with a byte in each."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return data.getvalue()


def tarred(*names: str) -> bytes:
    """A tar archive of empty members."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as file:
        for name in names:
            file.addfile(tarfile.TarInfo(name))
    return data.getvalue()


def arrays(**named: np.ndarray) -> bytes:
    """An archive of numpy's."""
    data = io.BytesIO()
    np.savez(data, **named)
    return data.getvalue()


def array() -> bytes:
    """An array of numpy's."""
    data = io.BytesIO()
    np.save(data, np.ones(3))
    return data.getvalue()


PROGRAM = zipped("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl", "m/version")
CASES = {
    "torchscript": (PROGRAM, "torch.jit.load"),
    "torchscript of torch 1.0": (zipped("m/model.json", "m/tensors/0", "m/code/m.py"), "torch.jit.load"),
    "torch-export": (zipped("m/archive_format", "m/models/model.json", "m/data/weights/weight_0"), "torch.export.load"),
    "torch-export of torch 2.1": (zipped("serialized_exported_program.json", "version"), "torch.export.load"),
    "torch-package": (zipped("m/.data/extern_modules", "m/m/m.pkl", "m/.data/python_version"), "state_dict"),
    "torch-tar": (tarred("sys_info", "pickle", "storages", "tensors"), "state_dict"),
    "keras": (zipped("metadata.json", "config.json", "model.weights.h5"), "model.onnx"),
    "keras as HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "model.onnx"),
    "tensorflow": (b"\x08\x01\x12\xa0\x00" + bytes(50), "tf2onnx"),
    "tensorflow lite": (b"\x1c\0\0\0TFL3" + bytes(50), "tf2onnx"),
    "tensorflow index": (bytes(50) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "tf2onnx"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(50), "safetensors"),
    "numpy-arrays": (array(), "one array of numpy, without names"),
    "numpy-arrays in an archive": (arrays(z=np.ones((3, 2))), "leave out --backbone"),
    "bare-pickle": (pickle.dumps({"a": [1, 2]}), "holds no tensors of torch"),
    "bare-pickle of protocol 0": (pickle.dumps({"a": [1, 2]}, 0), "holds no tensors of torch"),
    "bare-pickle that is cut": (pickle.dumps({"a": [1, 2]})[:-3], "truncated or damaged"),
    "packed by gzip": (gzip.compress(b"weights"), "packed by gzip. Unpack it"),
    "packed by xz": (lzma.compress(b"weights"), "packed by xz"),
    "packed by 7z": (b"7z\xbc\xaf\x27\x1c" + bytes(50), "packed by 7z"),
    "packed by tar": (tarred("model.pth", "README"), "packed by tar"),
    "packed by zip": (zipped("model.pth", "README"), r"zip archive with model\.pth, README"),
    "packed by zip, and cut": (zipped("model.pth")[:-9], "truncated"),
    "packed by zip, empty": (zipped(), "nothing in it"),
    "text of a git-lfs pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "git lfs pull",
    ),
    "text of a git-annex pointer": (b"../.git/annex/objects/XX/model.pth", "git annex get"),
    "text of a page": (b"\n<!DOCTYPE html><html><title>404</title>", "a web page, not a model"),
    "text of an index": (b'{"metadata": {}, "weight_map": {"a": "model-1.bin"}}', "several files"),
    "text": (b"It is not here, \xc3\xa4.", "a text, not a model; it begins 'It is not here"),
    "text that is cut within a letter": ("ä".encode() * 600 + b" ", "a text, not a model"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_format_that_is_not_read_says_what_to_do(tmp_path, case):
    """One format recognises the file, whatever its name, and refuses it in one line."""
    data, told = CASES[case]
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    head = data[: opening.HEAD]
    first = next(name for name in catalog.names("weights") if catalog.thing("weights", name).recognises(head, path))
    assert first == case.split(" ", maxsplit=1)[0]
    with pytest.raises(RefusedError, match=told) as refused:
        opening.read(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("case", [case for case in CASES if "pickle" not in case and "text" not in case])
def test_no_two_formats_claim_one_file(tmp_path, case):
    """Which file reads it does not hang on the order of the alphabet."""
    path = tmp_path / "model.pth"
    path.write_bytes(CASES[case][0])
    head = CASES[case][0][: opening.HEAD]
    claims = [name for name in catalog.names("weights") if catalog.thing("weights", name).recognises(head, path)]
    assert len(claims) == 1


class Runs:
    """What asks to run something when it is unpickled; nothing here unpickles it."""

    def __init__(self, *wanted: object) -> None:
        self.wanted = wanted

    def __reduce__(self):
        """A call."""
        return self.wanted[0], self.wanted[1:]


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_pickle_would_run_is_named(tmp_path: Path, protocol):
    """In each protocol, through the memo and without it, the names are found; in a second pickle too."""
    import subprocess

    path = tmp_path / "model.pkl"
    wanted = [Runs(subprocess.getoutput, "true"), Runs(subprocess.getoutput, "false"), Runs(eval, "1")]
    path.write_bytes(pickle.dumps([1], protocol) + pickle.dumps(wanted, protocol))
    with pytest.raises(RefusedError, match=r"asks to run subprocess\.getoutput, builtins\.eval$"):
        opening.read(path)
