"""IMDB: twelve bins, two codings of gender, two biased halves and a cut that is stratified."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.dataset import Dataset
from leakaudit.datasets import imdb
from leakaudit.errors import InputError

FOLDER = Path("imdb") / "imdb_crop"
AGES = (3, 27, 45, 71)
Row = tuple[str, object, object]


def named(person: int, number: int) -> str:
    """A file of a person, as IMDB-WIKI names them."""
    return f"{person % 100:02}/nm{person:07}_rm{number}_1960-1-1_2000.jpg"


TEST = [(named(place % 8, place), AGES[place % 4], place // 4 % 2) for place in range(64)]
"""Eight images of each of four ages and two genders, of eight people."""
EB1 = [(named(50 + place, place), (20, 50)[place % 2], place % 2) for place in range(8)]
EB2 = [(named(60 + place, place), (50, 20)[place % 2], place % 2) for place in range(8)]


def write(root: Path, **tables: list[Row]) -> None:
    """Tables, and a small picture for each row."""
    for table, rows in tables.items():
        for place, (image, _, _) in enumerate(rows):
            if image:
                draw(root / FOLDER / image, place, (10, 10))
        with (root / FOLDER / f"{table}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("image", "age", "gender"), *rows])


def make(root: Path) -> None:
    """A few faces, gender coded as in the official metadata: 0 is a woman."""
    write(root, test=TEST, EB1=EB1, EB2=EB2)


def words(data: Dataset, name: str) -> list[str]:
    """Classes of all rows."""
    labels = data.columns[name]
    return [labels.classes[code] if code >= 0 else "missing" for code in labels.values]


def test_ages_are_numbers_and_bins(tmp_path: Path) -> None:
    """Each of the twelve bins holds its first and last year, and the year after the last is in the next."""
    bins = ("0-19", "20-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-100")
    ends = [int(end) for each in bins for end in each.split("-")]
    make(tmp_path)
    write(tmp_path, EB1=[(named(70, age), age, 0) for age in ends])
    data = imdb.load("eb1", tmp_path)
    assert data.columns["age_bin"].classes == bins
    assert data.columns["age"].values.tolist() == ends
    assert words(data, "age_bin") == [each for each in bins for _ in range(2)]


@pytest.mark.parametrize(("code", "zero"), [("official", "female"), ("papers", "male")])
def test_gender_is_read_by_the_code_that_is_said(tmp_path: Path, code: str, zero: str) -> None:
    """0 is female in the official metadata and male in the papers' plots; the order of the classes is one."""
    make(tmp_path)
    data = imdb.load("eb1", tmp_path, gender_code=code)
    assert data.columns["gender"].classes == ("female", "male")
    one = "male" if zero == "female" else "female"
    assert words(data, "gender") == [(zero, one)[int(str(gender))] for _, _, gender in EB1]


def test_where_eb1_was_not_read_as_it_is_defined_a_note_says_so(tmp_path: Path) -> None:
    """The young of EB1 are women; whoever reads them as men is told the other code."""
    make(tmp_path)
    assert imdb.load("test", tmp_path).notes[0] == "gender 0 was read as female, 1 as male (gender_code = official)"
    wrong = imdb.load("test", tmp_path, gender_code="papers").notes[0]
    assert wrong.startswith("gender 0 was read as male, 1 as female (gender_code = papers), but the young of EB1.csv")
    assert wrong.endswith("are 0% coded 1: gender_code = official says what was meant")
    write(tmp_path, EB1=[(image, age, 1 - int(str(gender))) for image, age, gender in EB1])
    assert "gender_code = papers says what was meant" in imdb.load("test", tmp_path).notes[0]
    assert "meant" not in imdb.load("test", tmp_path, gender_code="papers").notes[0]


def test_a_quarter_of_every_stratum_is_for_validation(tmp_path: Path) -> None:
    """Of the eight images of each age and gender two are held out, the same ones whatever the order of the table."""
    make(tmp_path)
    test, validation = (imdb.load(split, tmp_path) for split in ("test", "validation"))
    strata = {(f"{first}", gender) for first in ("0-19", "25-29", "45-49", "70-100") for gender in ("female", "male")}
    for data, count in ((test, 6), (validation, 2)):
        found = Counter(zip(words(data, "age_bin"), words(data, "gender"), strict=True))
        assert found == dict.fromkeys(strata, count)
    write(tmp_path, test=TEST[::-1])
    assert set(imdb.load("validation", tmp_path).ids) == set(validation.ids)


def test_training_is_on_the_half_that_is_said(tmp_path: Path) -> None:
    """`train` are the rows of EB1.csv, or with the knob of EB2.csv."""
    make(tmp_path)
    for split, rows in (("eb1", EB1), ("eb2", EB2)):
        data = imdb.load("train", tmp_path, train=split)
        assert data.images.paths == [str(tmp_path / FOLDER / image) for image, _, _ in rows]
        assert np.array_equal(data.ids, imdb.load(split, tmp_path).ids)


def test_missing_and_impossible_labels_are_missing_and_counted(tmp_path: Path) -> None:
    """An age above 100, below 0 or not there is missing, number and class; a gender that is not there is missing."""
    make(tmp_path)
    rows = [(named(80 + place, place), age, gender) for place, (age, gender) in enumerate([(101, 0), (-1, 1), ("", 0)])]
    write(tmp_path, EB2=[*rows, (named(90, 0), 100, "")])
    data = imdb.load("eb2", tmp_path)
    assert data.columns["age"].known.tolist() == [False, False, False, True]
    assert words(data, "age_bin") == ["missing", "missing", "missing", "70-100"]
    assert words(data, "gender") == ["female", "male", "female", "missing"]
    assert f"3 of all {len(TEST) + len(EB1) + 4} images have no age from 0 to 100" in data.notes


def test_an_image_is_used_once(tmp_path: Path) -> None:
    """What is in test.csv too is not trained on; the note counts it."""
    make(tmp_path)
    clean = imdb.load("train", tmp_path)
    assert not any("again" in note for note in clean.notes)
    write(tmp_path, EB1=[*EB1, TEST[0], EB1[0]])
    data = imdb.load("train", tmp_path)
    assert np.array_equal(data.ids, clean.ids)
    assert "2 rows name an image again, of test.csv, EB1.csv, EB2.csv in this order; left out" in data.notes


def test_who_is_shown_is_the_group(tmp_path: Path) -> None:
    """A file's name begins with a person's number in IMDb; who is trained and tested on is counted in a note."""
    make(tmp_path)
    write(tmp_path, EB2=[(named(3, 999), 50, 0), *EB2])
    data = imdb.load("test", tmp_path)
    assert data.group is not None
    assert data.groups == "person"
    people = [Path(path).name.split("_")[0] for path in data.images.paths]
    assert len(set(zip(people, data.group.tolist(), strict=True))) == len(set(people)) == len(set(data.group.tolist()))
    assert "1 of the 8 people in test.csv are in EB1.csv or EB2.csv too" in data.notes
    write(tmp_path, EB2=[("unnamed.jpg", 50, 0)])
    assert imdb.load("test", tmp_path).group is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([EB1[0], ("a.jpg", 20, 2)], "EB1.csv: row 2: gender 2: 0 or 1 expected"),
        ([("a.jpg", 20, "male")], "EB1.csv: not a table that can be read: "),
        ([("", 20, 0)], "EB1.csv: row 1: no image"),
        ([], "EB1.csv: the table has no rows"),
    ],
)
def test_rows_that_say_nothing_are_refused(tmp_path: Path, rows: list[Row], message: str) -> None:
    """One line with the file and the row."""
    make(tmp_path)
    write(tmp_path, EB1=rows)
    with pytest.raises(InputError) as error:
        imdb.load("test", tmp_path)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_missing_tables_columns_and_images_are_named(tmp_path: Path) -> None:
    """A column by the file it is missing from, an image by its row in its own table."""
    make(tmp_path)
    (tmp_path / FOLDER / EB2[2][0]).unlink()
    with pytest.raises(InputError, match=f"imdb: row 3: no such image: .*{EB2[2][0]}"):
        imdb.load("eb2", tmp_path)
    path = tmp_path / FOLDER / "EB2.csv"
    path.write_text(path.read_text().replace("gender", "sex"))
    with pytest.raises(InputError, match=r"EB2\.csv: no column 'gender'\. There are: age, image, sex\."):
        imdb.load("test", tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"EB2\.csv: no such file"):
        imdb.load("test", tmp_path)


def test_pickled_tables_are_refused_and_say_how_to_convert(tmp_path: Path) -> None:
    """The files of Learning Not to Learn are never unpickled; the line says what to write from them."""
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in ("imdb_age_gender.npy", "imdb_split.npy"):
        np.save(tmp_path / FOLDER / name, np.array({"train_list": ["a.jpg"]}, dtype=object), allow_pickle=True)
    with pytest.raises(InputError) as error:
        imdb.load("test", tmp_path)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert "imdb_age_gender.npy is a pickled dict, which is never loaded here" in message
    assert "write test.csv, EB1.csv, EB2.csv with the columns image, age, gender" in message
    make(tmp_path)
    assert len(imdb.load("test", tmp_path)) == 48
