"""Every file of the real ones is read as torch itself reads it, or refused with the documented reason."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from leakaudit import opening
from leakaudit.errors import RefusedError

REASONS = {
    "zip TorchScript": r"TorchScript program; loading it runs its code\. Export its weights",
    "zip": r"pickled model object \(.+\); its code would run\. Export its weights",
    "bare pickle": r"bare pickle, not torch\.save's.+Export its weights",
    "tar (pre-0.1.10 torch format)": r"tar archive of torch before 0\.1\.10.+Export its weights",
    "unknown b'abc'": r"not a model",
}
"""Why a file of a container is refused, where it is."""
STOOD_IN = {"sunnyhaze_lenet5/model.pt"}
"""Read, although torch refuses them: they hold numpy's numbers beside the tensors."""


@pytest.fixture
def entries(data_root) -> list[dict[str, Any]]:
    """What is known of each file."""
    text = (data_root / "checkpoints" / "MANIFEST.json").read_text(encoding="utf-8")
    return [entry | {"path": data_root / "checkpoints" / entry["file"]} for entry in json.loads(text)]


def refused(entry: dict[str, Any]) -> bool:
    """Whether torch refuses the file, and nothing stands in for what it refuses."""
    return entry.get("weights_only", "OK") != "OK" and entry["file"] not in STOOD_IN


def leaves(tree: Any, at: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of what torch read, by their keys joined with dots."""
    if isinstance(tree, torch.Tensor):
        yield at, tree.detach()
    for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from leaves(part, f"{at}.{key}" if at else str(key))


def plain(tensor: torch.Tensor) -> np.ndarray:
    """As an array, halves widened."""
    return (tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor).numpy()


def test_what_torch_reads_is_read_alike(entries):
    """Each tensor is one that torch finds under that name, bit for bit, below whatever was taken off."""
    files = [entry for entry in entries if entry.get("weights_only") == "OK"]
    assert len(files) > 35
    for entry in files:
        theirs = dict(leaves(torch.load(entry["path"], map_location="cpu", weights_only=True)))
        ours = opening.read(entry["path"])
        below = "".join(part if part.endswith(".") else f"{part}." for part in ours.taken_off)
        for name, array in ours.tensors.items():
            wanted = plain(theirs[below + name])
            assert array.dtype == wanted.dtype, f"{entry['file']}: {name}"
            np.testing.assert_array_equal(array, wanted, err_msg=f"{entry['file']}: {name}")
        left = [name for name in theirs if name.removeprefix(below) not in ours.tensors]
        assert all(re.match(r"optimizer|callbacks", name) for name in left), f"{entry['file']}: {left}"


def test_what_torch_refuses_is_refused_with_its_reason(entries):
    """TorchScript, whole models, bare pickles and tars are refused, and say how to export the weights."""
    files = [entry for entry in entries if refused(entry)]
    assert len(files) == 13
    for entry in files:
        with pytest.raises(RefusedError, match=REASONS[entry["container"]]):
            opening.read(entry["path"])


def test_what_stands_in_is_read(entries):
    """A state that holds numpy's numbers is read: they become plain numbers beside the tensors."""
    found = [opening.read(entry["path"]) for entry in entries if entry["file"] in STOOD_IN]
    assert [(len(weights.tensors), weights.taken_off) for weights in found] == [(10, ("state_dict",))]
    assert any(text.startswith("EpochDone = 31") for text in found[0].beside)


def test_inspect_says_each(entries, leakaudit_here):
    """`leakaudit inspect` of each trained model ends in exit 0 and what it is, or in exit 4 and one line."""
    for entry in entries:
        if "edge_formats" in entry["file"] and "tar_float32" not in entry["file"]:
            continue
        done = leakaudit_here("inspect", entry["path"])
        assert done.returncode == (4 if refused(entry) else 0), f"{entry['file']}: {done.stderr}"
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"leakaudit: exit {done.returncode}: ")
        assert bool(done.stdout) != refused(entry)
        assert "Traceback" not in done.stderr
