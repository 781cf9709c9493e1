"""FairFace: words of two tables, and the part of training that is held out."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.dataset import Dataset
from leakaudit.datasets import fairface
from leakaudit.errors import InputError

COLUMNS = ("file", "age", "gender", "race", "service_test")
WHO = [
    ("0-2", "Male", "White", "True"),
    ("3-9", "Female", "Black", "False"),
    ("10-19", "Female", "Latino_Hispanic", "True"),
    ("20-29", "Male", "East Asian", "False"),
    ("30-39", "Male", "Southeast Asian", "False"),
    ("40-49", "Female", "Indian", "True"),
    ("50-59", "Male", "Middle Eastern", "False"),
    ("60-69", "Female", "White", "True"),
    ("more than 70", "Male", "Black", "False"),
]
"""All words of every column."""


def write(root: Path, kind: str, rows: list[tuple[str, ...]]) -> Path:
    """One of the two tables."""
    path = root / "fairface" / f"fairface_label_{kind}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *((f"{kind}/{place}.jpg", *row) for place, row in enumerate(rows, 1))])
    return path


def make(root: Path, below: str = "") -> None:
    """Thirty-six training faces and nine published for validation."""
    for kind, rows in (("train", WHO * 4), ("val", WHO)):
        write(root, kind, rows)
        for place in range(1, len(rows) + 1):
            draw(root / "fairface" / below / kind / f"{place}.jpg", place + len(rows), (16, 16))


def said(data: Dataset) -> dict[str, tuple[str, ...]]:
    """The words of every column by the last two parts of each path."""
    names = [str(Path(path).relative_to(Path(path).parent.parent)) for path in data.images.paths]
    words = [[labels.classes[code] for code in labels.values] for labels in data.columns.values()]
    return dict(zip(names, zip(*words, strict=True), strict=True))


@pytest.mark.parametrize("below", ["", "fairface-img-margin025-trainval", "fairface-img-margin125-trainval"])
def test_labels_are_the_words_of_the_tables(tmp_path: Path, below: str) -> None:
    """Each image has its row's words, wherever the folders of images lie; the published validation set is the test."""
    make(tmp_path, below)
    data = fairface.load("test", tmp_path)
    truth = {"True": "yes", "False": "no"}
    assert list(data.columns) == list(COLUMNS[1:])
    assert said(data) == {f"val/{place}.jpg": (*row[:3], truth[row[3]]) for place, row in enumerate(WHO, 1)}
    assert data.images.batch(np.arange(2)).shape == (2, 3, 16, 16)


def test_ages_are_in_order(tmp_path: Path) -> None:
    """The class of an age is its rank, which the alphabet would not give."""
    make(tmp_path)
    data = fairface.load("test", tmp_path)
    assert data.columns["age"].values.tolist() == list(range(9))


def test_part_of_training_is_held_out_by_name(tmp_path: Path) -> None:
    """Training and validation share the training images between them, the same whatever else there is."""
    make(tmp_path)
    train, validation = (said(fairface.load(split, tmp_path)) for split in ("train", "validation"))
    assert len(train) > len(validation) > 0
    assert {*train, *validation} == {f"train/{place}.jpg" for place in range(1, 37)}
    assert len(train) + len(validation) == 36
    write(tmp_path, "train", (WHO * 4)[:30])
    fewer = said(fairface.load("validation", tmp_path))
    assert set(fewer) == {name for name in validation if int(Path(name).stem) <= 30}


def test_an_empty_cell_is_a_missing_label(tmp_path: Path) -> None:
    """The image stays, without that one label."""
    make(tmp_path)
    write(tmp_path, "val", [("", "Male", "", ""), *WHO[1:]])
    data = fairface.load("test", tmp_path)
    assert [labels.values[0] for labels in data.columns.values()] == [-1, 0, -1, -1]
    assert all(labels.known[1:].all() for labels in data.columns.values())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([WHO[0], ("70+", *WHO[1][1:])], "fairface_label_val.csv: row 2: age '70+' is none of 0-2, 3-9"),
        ([("3-9", "male", "White", "True")], "row 1: gender 'male' is none of Male, Female"),
        ([], "fairface_label_val.csv: the table has no rows"),
    ],
)
def test_words_that_are_none_are_refused(tmp_path: Path, rows: list[tuple[str, ...]], message: str) -> None:
    """One line with file, row and the words there are."""
    make(tmp_path)
    write(tmp_path, "val", rows)
    with pytest.raises(InputError) as error:
        fairface.load("test", tmp_path)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_missing_files_and_columns_are_refused(tmp_path: Path) -> None:
    """The message names the table, the column, the folder or the image, and its row in its own table."""
    make(tmp_path)
    (tmp_path / "fairface" / "val" / "4.jpg").unlink()
    with pytest.raises(InputError, match=r"row 4: no such image: .*val/4\.jpg"):
        fairface.load("test", tmp_path)
    path = tmp_path / "fairface" / "fairface_label_val.csv"
    path.write_text(path.read_text().replace("race", "ethnicity"))
    with pytest.raises(InputError, match=r"fairface_label_val\.csv: no column 'race'\. .*There are: age, ethnicity"):
        fairface.load("test", tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"fairface_label_val\.csv: no such file"):
        fairface.load("test", tmp_path)
    (tmp_path / "fairface" / "train").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"lacks the folder train/\. .*https://github\.com/joojs/fairface"):
        fairface.load("test", tmp_path)
