"""The command `datasets`: lists, describes in every form, and refuses in one line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from described import counted, table

from leakaudit import catalog

ROWS = counted({(s, y, v): 12 for s in ("train", "test") for y in ("dark", "fair") for v in "fm"})
LINE = ("datasets", "describe", "faces.csv", "--target", "hair", "--private", "gender")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 96 faces, in which nothing is written."""
    folder = tmp_path_factory.mktemp("shelf")
    table(folder, ROWS)
    return folder


@pytest.fixture
def faces(tmp_path: Path, shelf: Path) -> Path:
    """The same, to write in."""
    return Path(shutil.copytree(shelf, tmp_path / "faces"))


def test_alone_it_lists_the_data_sets(leakaudit_here):
    """As `list datasets` does."""
    done = leakaudit_here("datasets")
    assert done.returncode == 0
    assert done.stdout == leakaudit_here("list", "datasets").stdout
    assert all(f"\n  {name} " in done.stdout for name in catalog.names("datasets"))


@pytest.mark.parametrize(
    ("form", "begins"),
    [("terminal", "faces.csv: gender beside hair"), ("html", "<!doctype html>"), ("json", "{"), ("markdown", "## ")],
)
def test_every_form_goes_to_stdout_or_to_a_file(leakaudit_here, faces, form, begins):
    """The same bytes; nothing else is on stdout, and the last line of stderr is the exit status."""
    printed = leakaudit_here(*LINE, "--format", form, cwd=faces)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(begins)
    assert printed.stderr == "leakaudit: exit 0: described\n"
    written = leakaudit_here(*LINE, "--format", form, "--output", "out/made", cwd=faces)
    assert written.stdout == ""
    assert (faces / "out" / "made").read_text() == printed.stdout


def test_flags_reach_the_description(leakaudit_here, shelf):
    """Splits, group, tolerance, seed and whether contents are compared."""
    line = (*LINE, "--format", "json", "--split", "test", "--group", "patient", "--tolerance", "0.2", "--seed", "3")
    made = json.loads(leakaudit_here(*line, "--no-contents", cwd=shelf).stdout)
    assert [split["split"] for split in made["splits"]] == ["test"]
    assert made["splits"][0]["groups"]["name"] == "patient"
    assert made["splits"][0]["copies"] is None
    assert (made["tolerance"], made["seed"]) == (0.2, 3)
    both = json.loads(leakaudit_here(*LINE, "--format", "json", "--split", "train,test", cwd=shelf).stdout)
    assert [split["split"] for split in both["splits"]] == ["train", "test"]
    assert both["splits"][0]["copies"] == 0


def test_settings_reach_it_as_they_reach_other_commands(leakaudit_here, faces):
    """One split of the settings does for a flag that is repeated here and for one that is not elsewhere."""
    (faces / "leakaudit.toml").write_text('split = "test"\ntolerance = 0.3\nprivate = "gender"\ntarget = "hair"\n')
    made = json.loads(leakaudit_here("datasets", "describe", "faces.csv", "--format", "json", cwd=faces).stdout)
    assert [split["split"] for split in made["splits"]] == ["test"]
    assert made["tolerance"] == 0.3
    train = leakaudit_here(*LINE, "--format", "json", "--split", "train", "--split", "test", cwd=faces)
    assert [split["split"] for split in json.loads(train.stdout)["splits"]] == ["train", "test"]
    np.savez(faces / "z.npz", z=np.eye(30, 4, dtype=np.float32), gender=np.arange(30) % 2)
    assert "--split test says nothing here" in leakaudit_here("attack", "z.npz", cwd=faces).stderr


WRONG = [
    ("faces.csv --private gender", "--target NAME is missing"),
    ("faces.csv --target hair", "--private NAME is missing"),
    ("faces.csv --target hair --private gendre", "Did you mean 'gender'"),
    ("faces.csv --target hair --private hair", "different labels expected"),
    ("faces.csv --target hair --private gender --split tset", "Did you mean 'test'"),
    ("faces.csv --target hair --private gender --group patents", "Did you mean 'patient'"),
    ("faces.csv --target hair --private gender --tolerance 2", "--tolerance 2: a number between 0 and 1"),
    ("faces.csv --target hair --private gender --seed -1", "--seed -1: at least 0 expected"),
    ("faces.csv:sise=3 --target hair --private gender", "no knob 'sise'"),
    ("faces.csv:numbers=hair --target hair --private gender", "holds words"),
    ("face.csv --target hair --private gender", "no such table"),
    ("utkfaces --target age --private gender", "Did you mean 'utkface'"),
    ("utkface --target age --private gender", "utkface: not here"),
    ("faces.csv --target hair --private gender --format pdf", "pdf"),
    ("faces.csv --target hair --private gender --output .", "it is a folder"),
]


@pytest.mark.parametrize(("line", "words"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_input_is_one_line(leakaudit_here, shelf, line, words):
    """One line on stderr with exit 2, nothing on stdout."""
    done = leakaudit_here("datasets", "describe", *line.split(), cwd=shelf)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not done.stdout


def test_real_faces_and_real_patients_are_described(leakaudit_here, data_root):
    """UTKFace's age by gender: the biased halves tell it wholly; nih64: few patients, and some stand in two splits."""
    line = ("datasets", "describe", "utkface", "--target", "age", "--private", "gender", "--format", "json")
    faces = json.loads(leakaudit_here(*line, LEAKAUDIT_DATA=str(data_root)).stdout)
    found = {cross["split"]: cross for cross in faces["attributes"][0]["crosses"]}
    assert found["eb1"]["accuracy"] == found["eb2"]["accuracy"] == 1.0
    assert found["test"]["accuracy"] < 0.7
    line = (
        "datasets",
        "describe",
        "nih64/labels.csv",
        "--target",
        "label",
        "--private",
        "sex",
        "--group",
        "patient_id",
    )
    chests = json.loads(leakaudit_here(*line, "--format", "json", LEAKAUDIT_DATA=str(data_root)).stdout)
    assert all(overlap["groups"] > 0 for overlap in chests["overlaps"])
    assert not chests["attributes"][0]["crosses"][-1]["reach"]["bounded"]
