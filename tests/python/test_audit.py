"""`leakaudit.audit`: the command line's audit from a program, which prints nothing and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leakaudit
from leakaudit import audits, options
from leakaudit.python import asking

PACKAGE = Path(leakaudit.__file__).parent
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "sklearn",
    "pandas",
    "scipy",
    "matplotlib",
    "numpy",
    "pyarrow",
    "typer",
    "rich",
}
pytestmark = pytest.mark.usefixtures("unchecked")
COMMAND = ("attack", "z.npz", "--private", "gender", "--target", "hair", "--attacker", "linear", "--format", "json")


def bare(document: dict, *without: str) -> dict:
    """A document without when and by which command it was made, its seal, and what is named."""
    plain = {name: part for name, part in document.items() if name not in ("sha256", *without)}
    if "provenance" in plain:
        kept = document["provenance"].items()
        plain["provenance"] = {name: part for name, part in kept if name not in ("created", "command", "outcomes")}
    return plain


@pytest.fixture(scope="module")
def file(rows, tmp_path_factory):
    """The same rows in a file."""
    path = tmp_path_factory.mktemp("embeddings") / "z.npz"
    np.savez(path, **rows.columns())
    return path


@pytest.fixture(scope="module")
def named(file):
    """The audit of the file by its name, with a store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(file.parent)
        return leakaudit.audit("z.npz", private="gender", target="hair", attacker=["linear"], store="other")


def test_a_program_finds_what_the_command_line_finds(inside, file, named):
    """Of one file the two documents are the same, byte for byte but for provenance and seal; both lie in the store."""
    done = inside(*COMMAND, cwd=file.parent)
    assert done.returncode == 0, done.stderr
    there, here = json.loads(done.stdout), json.loads(named.to_json())
    assert json.dumps(bare(there)) == json.dumps(bare(here))
    (path,) = named.paths
    assert (file.parent / path).read_text() == named.to_json()
    assert path.name in {each.name for each in (file.parent / ".leakaudit" / "audits").iterdir()}
    assert here["provenance"]["command"].startswith("leakaudit.audit('z.npz', private=['gender'], target='hair'")


def test_what_is_in_memory_is_what_is_in_a_file(found, named):
    """Rows that name their images give the same document from memory: only what is hashed of a file's bytes differs."""
    here, there = json.loads(found.to_json()), json.loads(named.to_json())
    assert bare(here, "subject", "provenance") == bare(there, "subject", "provenance")
    assert here["subject"]["kind"] == "embeddings"
    assert here["attributes"]


def test_nothing_is_left_and_nothing_is_said(rows, tmp_path, monkeypatch, capfd):
    """What is in memory leaves no file in the working directory, prints no word, and is itself unchanged."""
    monkeypatch.chdir(tmp_path)
    before, hostile = rows.z.copy(), "../<b>\n\u202e\x1b[31m"
    made = leakaudit.audit(rows.z, private={hostile: rows.gender}, attacker="linear", name=hostile, store=None)
    assert made.audits[0].name == made.attributes[0].private == hostile
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert made.paths == ()
    assert np.array_equal(before, rows.z)


def test_a_store_that_is_said_keeps_the_document(rows, tmp_path):
    """The positive twin: with `store` the document and its per-row outcomes lie there."""
    made = leakaudit.audit(rows.z, private={"gender": rows.gender}, attacker="linear", store=tmp_path)
    (path,) = made.paths
    assert path.is_relative_to(tmp_path)
    assert audits.load(path) == made.audits[0]
    assert path.with_name(f"{path.stem}.rows.safetensors").is_file()


WRONG = {
    "no z": (lambda rows: {"x": rows.z}, {"private": "gender"}, "no embeddings: an array z (n, d)"),
    "z of one axis": (
        lambda rows: rows.z[:, 0],
        {"private": {"gender": [0]}},
        "z has shape [200]: (rows, numbers) expected",
    ),
    "not finite": (lambda rows: np.where(rows.z > 3, np.nan, rows.z), {}, "not finite (NaN or infinity)"),
    "short labels": (lambda rows: rows.z, {"private": {"gender": [0, 1]}}, "column gender has 2 rows, z has 200"),
    "no such label": (lambda rows: rows.columns(), {"private": "gendr"}, "Did you mean 'gender'?"),
    "twice": (lambda rows: rows.columns(), {}, "the label 'gender' is given twice"),
    "mixed": (lambda rows: rows.z, {"private": {"gender": [1, "f", None] * 60}}, "of one kind"),
    "objects": (
        lambda rows: rows.z,
        {"private": {"gender": [object()] * 200}},
        "text, truth values or numbers expected",
    ),
    "data": (lambda rows: rows.z, {"data": "digits"}, "data says nothing here"),
    "layer": (lambda rows: rows.z, {"layer": "fc"}, "embeddings have their own labels and rows; --layer fc"),
    "backbone": (lambda rows: rows.z, {"backbone": "resnet18"}, "embeddings have no network"),
    "labels alone": (lambda rows: rows.z, {"private": np.zeros(200, int)}, "{'gender': labels} expected, ndarray"),
    "no private": (lambda rows: rows.z, {"private": None}, "private: a name, names, or {'gender': labels} expected"),
    "target alone": (lambda rows: rows.z, {"target": np.zeros(200)}, "target: a name, or {'hair': labels} expected"),
    "number for a name": (lambda rows: rows.z, {"name": 5}, "name: text expected, int found"),
    "masked": (lambda rows: rows.z, {"private": {"g": np.ma.masked_equal([0, 1] * 100, 0)}}, "g: a masked array"),
    "other rows": (
        lambda rows: pd.DataFrame(rows.z, columns=["z0", "z1", "z2", "z3"]),
        {"private": {"gender": pd.Series(np.arange(200) % 2, index=np.arange(200)[::-1])}},
        "gender and the rows have different pandas indices: reset_index(drop=True)",
    ),
    "no attacker": (lambda rows: rows.z, {"attacker": []}, "attacker = []: a name or several expected"),
    "attackers": (lambda rows: rows.z, {"attacker": 3}, "attacker = 3: a name or several expected"),
    "suites": (lambda rows: rows.z, {"suite": ["standard"], "attacker": None}, "no suite"),
    "tolerance in words": (lambda rows: rows.z, {"tolerance": "little"}, "tolerance = 'little': a number expected"),
    "half a row": (lambda rows: rows.z, {"rows": 1e3}, "rows = 1000.0: a whole number expected"),
    "a class": (lambda _: dict, {"data": "digits"}, "dict: an nn.Module, made, is what images go through"),
    "suite": (lambda rows: rows.z, {"suite": "strong", "attacker": None}, "no suite 'strong'"),
    "attacker": (lambda rows: rows.z, {"attacker": "linearr"}, "Did you mean 'linear'?"),
    "tolerance": (lambda rows: rows.z, {"tolerance": 0}, "tolerance 0: a number between 0 and 1 expected"),
    "rows": (lambda rows: rows.z, {"rows": 0}, "--rows 0: at least 1 expected"),
    "device": (lambda rows: rows.z, {"device": "gpu"}, "auto, cpu, cuda or cuda:N expected"),
    "targets": (lambda rows: rows.z, {"target": {"a": [0], "b": [1]}}, "target has 2 names"),
    "path and labels": (lambda _: "z.npz", {}, "private in memory goes with a subject in memory"),
    "path and name": (lambda _: "z.npz", {"private": "gender", "name": "x"}, "name is for what is in memory"),
    "no file": (lambda _: Path("nowhere.npz"), {"private": "gender"}, "nowhere.npz: no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_caller_can_correct_is_one_line(rows, case, tmp_path, monkeypatch, capfd):
    """An `InputError` of one line that says what there is instead; nothing is printed or left behind."""
    monkeypatch.chdir(tmp_path)
    subject, words, said = WRONG[case]
    asked = {"private": {"gender": rows.gender}, "attacker": "linear", "store": "store"} | words
    with pytest.raises(leakaudit.InputError) as error:
        leakaudit.audit(subject(rows), **asked)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".gitignore"] == []


def test_a_word_that_is_no_flag_is_refused(rows):
    """As Python refuses an argument, with the nearest there is."""
    with pytest.raises(TypeError, match=r"'tolerence'.*Did you mean 'tolerance'"):
        leakaudit.audit(rows.z, private={"gender": rows.gender}, tolerence=0.2)


def test_a_damaged_file_is_refused_as_such(tmp_path):
    """A `RefusedError`, which is no `InputError`."""
    (tmp_path / "z.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(leakaudit.RefusedError, match=r"z\.npz"):
        leakaudit.audit(tmp_path / "z.npz", private="gender", store=tmp_path / "store")


def test_words_are_the_flags():
    """Every flag of `leakaudit attack` that says what is attacked and how is a word, with the flag's own default."""
    groups = (options.Rows, options.Network, options.Passes, options.Again)
    flags = {name for group in groups for name in group.__dataclass_fields__} - {"data", "quiet", "verbose"}
    assert set(asking.Words.__annotations__) == flags | {"attacker", "auxiliary", "suite", "tolerance"}
    made = asking.groups({})
    assert {name: made[name] for name in flags - {"root", "layer"}} == {
        name: getattr(group, name)
        for group in groups
        for name in group.__dataclass_fields__
        if name in flags - {"root", "layer"}
    }


def test_import_loads_nothing():
    """`import leakaudit` loads no library, and shows what there is; what is asked for is loaded then, and no torch."""
    code = (
        "import sys, leakaudit\n"
        "assert {'audit', 'check'} <= set(dir(leakaudit)) and not hasattr(leakaudit, 'audid')\n"
        "print(*sys.modules)\nleakaudit.audit\nprint(*sys.modules)"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    before, after = ({name.partition(".")[0] for name in line.split()} for line in done.stdout.splitlines())
    assert not before & HEAVY
    assert "numpy" in after
    assert not after & {"torch", "sklearn", "pandas", "pyarrow"}


def test_what_is_exported_is_what_it_is_said_to_be():
    """Every exported name is there, and is typed for whoever uses the package."""
    for name in leakaudit.__all__:
        assert getattr(leakaudit, name).__name__ == name
    assert (PACKAGE / "py.typed").is_file()
