"""UTKFace: labels in file names, and the biased halves of IMDB."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import utkface
from leakaudit.errors import InputError

WHO = [(25, 1, 0), (24, 0, 1), (61, 0, 2), (60, 1, 3), (29, 1, 4), (40, 0, 0), (35, 1, 0), (8, 0, 2), (90, 1, 1)]
WHO += [(31, 0, 0)]
NAMES = [f"{age}_{gender}_{race}_2017010921315{last}.jpg.chip.jpg" for last, (age, gender, race) in enumerate(WHO)]


def make(root: Path) -> None:
    """Ten faces."""
    for number, name in enumerate(NAMES * 6):
        draw(root / "utkface" / name.replace("_2017", f"_{2010 + number // 10}"), number, (20, 20))


def everything(root: Path) -> dict[str, tuple[float, str, str]]:
    """Age, gender and race of each file in train, validation and test."""
    found = {}
    for split in ("train", "validation", "test"):
        data = utkface.load(split, root)
        age, gender, race = (data.columns[name] for name in ("age", "gender", "race"))
        for row, path in enumerate(data.images.paths):
            found[Path(path).name] = (
                age.values[row],
                gender.classes[gender.values[row]],
                race.classes[race.values[row]],
            )
    return found


def test_labels_are_read_from_the_names_of_the_files(tmp_path: Path) -> None:
    """The first number is the age, 0 then is male, and the third the place in the five ethnicities."""
    make(tmp_path)
    found = everything(tmp_path)
    assert len(found) == 60
    for name, (age, gender, race) in found.items():
        parts = name.split("_")
        assert (age, gender) == (int(parts[0]), ("male", "female")[int(parts[1])])
        assert race == ("white", "black", "asian", "indian", "other")[int(parts[2])]


def test_in_the_biased_halves_gender_follows_from_age(tmp_path: Path) -> None:
    """Eb1 holds young women and old men, eb2 young men and old women, neither anyone between."""
    make(tmp_path)
    for split, young in (("eb1", 1), ("eb2", 0)):
        data = utkface.load(split, tmp_path)
        age, gender = data.columns["age"].values, data.columns["gender"].values
        assert len(data)
        assert np.array_equal(gender == young, age <= 29)
        assert not ((age > 29) & (age < 40)).any()
        trained = utkface.load("train", tmp_path, train=split)
        assert np.array_equal(trained.ids, data.ids)
        every, judged = (utkface.load("test", tmp_path, train=each) for each in ("all", split))
        ages = every.columns["age"].values
        assert np.array_equal(judged.ids, every.ids[(ages <= 29) | (ages >= 40)])
        assert len(judged) < len(every)


def test_a_name_that_says_too_little_is_left_out_and_said(tmp_path: Path) -> None:
    """UTKFace has a few files without ethnicity; they are counted in the notes."""
    make(tmp_path)
    draw(tmp_path / "utkface" / "61_1_20170109142408075.jpg.chip.jpg", 99)
    data = utkface.load("test", tmp_path)
    assert data.notes == ("1 files do not say age, gender and race, and were left out",)
    assert len(everything(tmp_path)) == 60


def test_an_image_that_does_not_decode_is_named(tmp_path: Path) -> None:
    """One broken file in the middle is one line, and with `skip_unreadable` a note."""
    make(tmp_path)
    good = utkface.load("train", tmp_path)
    broken = Path(good.images.paths[3])
    broken.write_bytes(broken.read_bytes()[:-60])
    data = utkface.load("train", tmp_path)
    with pytest.raises(InputError, match=broken.name):
        data.images.batch(np.arange(len(data)))
    rest = utkface.load("train", tmp_path, skip_unreadable=True)
    assert len(rest) == len(good) - 1
    assert rest.notes == (f"1 of {len(good)} images could not be read and were left out",)
    assert rest.fingerprint != good.fingerprint


def test_the_real_set_tells_what_its_own_table_tells(data_root: Path) -> None:
    """Names of the real files and the table beside them agree."""
    with (data_root / "utkface" / "labels.csv").open() as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    data = utkface.load("test", data_root, rows=300)
    rows = [table[Path(path).name] for path in data.images.paths]
    age, gender = data.columns["age"], data.columns["gender"]
    assert age.values.tolist() == [float(row["age"]) for row in rows]
    assert [gender.classes[code] for code in gender.values] == [row["gender"] for row in rows]
