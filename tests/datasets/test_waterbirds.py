"""Waterbirds: kind and place of each bird, in the official splits."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import waterbirds
from leakaudit.errors import InputError

SET = "waterbird_complete95_forest2water2"
HEADER = ("img_id", "img_filename", "y", "split", "place", "place_filename")
SPECIES = ("001.Black_footed_Albatross", "004.Groove_billed_Ani")
BIRDS = [(1, 0, 1), (0, 0, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 2, 1), (1, 2, 0), (0, 2, 0), (0, 2, 1)]
"""Waterbird, split and water of each bird."""


def name(place: int) -> str:
    """File of a bird below the set's folder."""
    return f"{SPECIES[1 - BIRDS[place][0]]}/{place:04}.jpg"


def make(root: Path, folder: str = f"waterbirds/{SET}") -> None:
    """Ten birds."""
    for place in range(len(BIRDS)):
        draw(root / folder / name(place), place, (18 + place, 24))
    with (root / folder / "metadata.csv").open("w", newline="") as file:
        rows = [(place + 1, name(place), *bird, f"/o/ocean/{place:08}.jpg") for place, bird in enumerate(BIRDS)]
        csv.writer(file).writerows([HEADER, *rows])


@pytest.mark.parametrize("folder", [f"waterbirds/{SET}", SET, "waterbirds"])
def test_labels_and_splits_are_those_of_the_table(tmp_path: Path, folder: str) -> None:
    """0 is landbird and land, 1 waterbird and water; 0, 1 and 2 are training, validation and test."""
    make(tmp_path, folder)
    for number, split in enumerate(("train", "validation", "test")):
        data = waterbirds.load(split, tmp_path)
        here = [place for place, (_, part, _) in enumerate(BIRDS) if part == number]
        bird, place, species = (data.columns[column] for column in ("bird", "place", "species"))
        assert [str(Path(path).relative_to(tmp_path / folder)) for path in data.images.paths] == [*map(name, here)]
        assert [bird.classes[code] for code in bird.values] == [
            ("landbird", "waterbird")[BIRDS[row][0]] for row in here
        ]
        assert [place.classes[code] for code in place.values] == [("land", "water")[BIRDS[row][2]] for row in here]
        assert [species.classes[code] for code in species.values] == [SPECIES[1 - BIRDS[row][0]] for row in here]
        assert data.images.shape == (3, 224, 224)
        assert data.images.batch(np.arange(2)).shape == (2, 3, 224, 224)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("split", "fold", "metadata.csv: no column 'split'. There are: fold"),
        ("0003.jpg,1,1,0", "0003.jpg,1,1,2", "metadata.csv: row 4: place is 2: 0 to 1 expected"),
        ("0003.jpg,1,1,0", "0003.jpg,1,,0", "metadata.csv: row 4: split is nan: 0 to 2 expected"),
        ("0003.jpg,1,1,0", "0003.jpg,seabird,1,0", "metadata.csv: row 4: y is seabird: 0 to 1 expected"),
        ("0003.jpg", "0033.jpg", "row 4: no such image: "),
        (name(3), "", "metadata.csv: row 4: img_filename is empty: an image below "),
    ],
)
def test_a_table_that_says_something_else_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One line with the column, the row, and what was expected."""
    make(tmp_path)
    path = tmp_path / "waterbirds" / SET / "metadata.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as error:
        waterbirds.load("validation", tmp_path)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
