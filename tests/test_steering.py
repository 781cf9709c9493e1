"""No name out of a stranger's file steers a terminal or becomes markup, whatever is asked of the file."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from leakaudit import store

Run = Callable[..., "CompletedProcess[str]"]
LOUD = "a\x1b[2J\x1b]0;owned\x07\u202egnp\n```\n## b|<script>\x9b"
"""Clears the screen, names the window, turns the line around, ends a block and begins a heading, and is markup."""
FORMS = ("terminal", "markdown", "json")
LEDGER = """
[loud]
weights = "w.safetensors"
backbone = "mlp"
size = 4
target = "digit"
private = "background"
licence = LOUD
citation = LOUD
note = LOUD
"""


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    """Embeddings whose columns, classes and stray array have such names."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(96, 3)).astype(np.float32)
    words = {name: np.array([f"{LOUD}0", f"{LOUD}1"])[rng.integers(0, 2, 96)] for name in (LOUD, "target")}
    np.savez(tmp_path / "e.npz", z=z, **words, **{f"{LOUD}stray": np.zeros((2, 2))})
    return tmp_path / "e.npz"


@pytest.fixture
def tensors(tmp_path: Path) -> Path:
    """Weights whose tensors and metadata have such names."""
    held = {f"{LOUD}.weight": np.zeros((4, 4), np.float32), "fc.weight": np.zeros((2, 4), np.float32)}
    store.write_tensors(tmp_path / "w.safetensors", held, {LOUD: LOUD})
    return tmp_path / "w.safetensors"


def steers_nothing(done: "CompletedProcess[str]", form: str) -> None:
    """All that was said is printable lines; none is a heading or markup that a name made, and JSON has it as it was."""
    assert "owned" in done.stdout, done.stderr
    for line in (done.stdout + done.stderr).split("\n"):
        assert line.isprintable(), repr(line)
    if form == "markdown":
        assert not re.search(r"^\W*## b", done.stdout, re.MULTILINE)
        words = re.sub(r"^(`{3,})\n.*?^\1$|^    [^\n]*$", "", done.stdout, flags=re.MULTILINE | re.DOTALL)
        assert "<script>" not in words
    if form == "json":
        assert LOUD in texts(json.loads(done.stdout))


def texts(value: object) -> str:
    """All texts of a document, one behind the other."""
    if isinstance(value, dict):
        return "".join(map(texts, [*value, *value.values()]))
    return "".join(map(texts, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("form", FORMS)
def test_columns_and_classes_are_spelt_out(leakaudit_here: Run, columns: Path, form: str) -> None:
    """What is inspected; the command to type next names the column as a shell reads it."""
    done = leakaudit_here("inspect", str(columns), "--format", form)
    assert done.returncode == 0, done.stderr
    steers_nothing(done, form)
    if form == "terminal":
        assert done.stdout.rstrip().endswith(
            r"--private $'a\u001b[2J\u001b]0;owned\u0007\u202egnp\u000a```\u000a## b|<script>\u009b'"
        )


def test_an_audit_spells_columns_and_classes_out(leakaudit_here: Run, columns: Path, tmp_path: Path) -> None:
    """The same of an audit of them, and of every form of its report."""
    steers_nothing(leakaudit_here("attack", str(columns), "--private", LOUD, "--target", "target"), "terminal")
    (document,) = (tmp_path / ".leakaudit" / "audits").glob("*.json")
    for form in FORMS:
        steers_nothing(leakaudit_here("report", str(document), "--format", form), form)


@pytest.mark.parametrize("form", FORMS)
def test_tensors_are_spelt_out(leakaudit_here: Run, tensors: Path, form: str) -> None:
    """Without a network, and where one is named that they do not fit."""
    done = leakaudit_here("inspect", str(tensors), "--format", form)
    assert done.returncode == 0, done.stderr
    steers_nothing(done, form)
    done = leakaudit_here("inspect", str(tensors), "--backbone", "mlp", "--size", "4", "--format", form)
    assert done.returncode == 2
    steers_nothing(done, form)


@pytest.mark.parametrize("form", FORMS)
def test_texts_of_a_ledger_are_spelt_out(leakaudit_here: Run, tensors: Path, form: str) -> None:
    """Licence, citation and note are whoever's wrote the ledger."""
    ledger = tensors.with_name("l.toml")
    text = LEDGER.replace("LOUD", json.dumps(LOUD))
    found = f'sha256 = "{store.digest_file(tensors)}"\nbytes = {tensors.stat().st_size}\n'
    ledger.write_text(text + found, encoding="utf-8")
    done = leakaudit_here("inspect", "loud", "--ledger", str(ledger), "--format", form)
    steers_nothing(done, form)
