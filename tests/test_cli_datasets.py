"""The command `datasets`: lists, describes in every form, and refuses in one line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from described import counted, table
from PIL import Image

from leakaudit import catalog
from leakaudit.datasets.table import load
from leakaudit.errors import InputError

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


def spoil(faces: Path, rows: int) -> None:
    """Of the first rows of the split test the images are cut by half, the last of them text, under names of JPEGs."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    lines = (faces / "faces.csv").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if ",test," in line) + 1
    for number in range(rows):
        lines[first + number] = lines[first + number].replace(f"{first + number - 1}.png", f"bad{number}.jpg")
        Image.fromarray(noise).save(faces / f"bad{number}.jpg")
        whole = (faces / f"bad{number}.jpg").read_bytes()
        (faces / f"bad{number}.jpg").write_bytes(whole[: len(whole) // 2] if number < rows - 1 else b"no image")
    (faces / "faces.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("rows", "named"), [(1, "1 of 48 images"), (3, "3 of 48 images"), (4, "4 of 48 images")])
def test_images_that_cannot_be_read_are_said_first(leakaudit_here, faces, rows, named):
    """How many, at most three by name, and what leaves them out; left out or whole, none is said to be broken."""
    line = (*LINE, "--format", "json")
    whole = json.loads(leakaudit_here(*line, cwd=faces).stdout)
    assert whole["compared"] == "all images were read and their contents compared"
    assert [split["unreadable"] for split in whole["splits"]] == [0, 0]
    assert "cannot be read" not in str(whole)
    spoil(faces, rows)
    with pytest.raises(InputError, match="does not decode"):
        load("test", faces, file="faces.csv", size=8).images.batch(np.arange(48))
    made = json.loads(leakaudit_here(*line, cwd=faces).stdout)
    names = ", ".join([*(f"bad{number}.jpg" for number in range(min(rows, 3))), *["..."] * (rows > 3)])
    said = f"{named} of split test cannot be read ({names}): train and attack stop at "
    them = "it; skip_unreadable leaves it out." if rows == 1 else "them; skip_unreadable leaves them out."
    assert made["warnings"][0] == said + them
    assert [split["unreadable"] for split in made["splits"]] == [0, rows]
    unread = json.loads(leakaudit_here(*line, "--no-contents", cwd=faces).stdout)
    assert "96 images were not read" in unread["compared"]
    assert [split["unreadable"] for split in unread["splits"]] == [None, None]
    left = json.loads(
        leakaudit_here(*LINE[:2], "faces.csv:skip_unreadable=true", *LINE[3:], *line[-2:], cwd=faces).stdout
    )
    assert left["splits"][1]["rows"] == 48 - rows
    assert "cannot be read" not in str(left)


def test_ages_that_are_taken_as_classes_are_told(leakaudit_here, tmp_path):
    """More than thirty whole numbers, of target or private attribute; not thirty, not words, and not numbers."""

    def told(data: str, target: str, private: str, folder: Path = tmp_path) -> str:
        line = ("datasets", "describe", data, "--target", target, "--private", private, "--format", "json")
        made = json.loads(leakaudit_here(*line, cwd=folder).stdout)
        return " ".join([*made["warnings"], *made["attributes"][0]["warnings"]])

    rows = [("test", f"{number % 31}", "fm"[number // 31 % 2], f"p{number % 40}") for number in range(124)]
    table(tmp_path, rows, ("split", "age", "gender", "who"))
    said = "The 31 whole numbers of age are taken as classes; the knob numbers=age makes them numbers"
    assert said in told("faces.csv", "age", "gender")
    assert said in told("faces.csv", "gender", "age")
    for data, target in (("faces.csv:numbers=age", "age"), ("faces.csv", "who")):
        assert "taken as classes" not in told(data, target, "gender")
    table(tmp_path / "few", [row for row in rows if row[1] != "30"], ("split", "age", "gender", "who"))
    assert "taken as classes" not in told("faces.csv", "age", "gender", tmp_path / "few")


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
    line = ("datasets", "describe", "chest-xray", "--target", "finding", "--private", "sex")
    chest = leakaudit_here(*line, "--format", "markdown", LEAKAUDIT_DATA=str(data_root)).stdout
    assert "is INCONCLUSIVE whatever the model does" in chest
    assert "can detect a leak" not in chest
