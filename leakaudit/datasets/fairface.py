"""
FairFace: 97,698 faces, about as many of each of seven races, with the race, gender and age that people saw in them.

Karkkainen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age for Bias Measurement and
Mitigation", WACV 2021 (https://github.com/joojs/fairface, CC BY 4.0). The published validation images are the split
`test`; a tenth of the training images, by the hash of their names, is `validation`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import Listing, classes, flags, rows, spots

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
GENDERS = ("Male", "Female")
RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
TRUTH = {"True": True, "False": False}
VALIDATION = 0.1
_TABLES = ("fairface_label_train.csv", "fairface_label_val.csv")
_BELOW = (".", "fairface-img-margin025-trainval", "fairface-img-margin125-trainval")
ADVICE = (
    "FairFace (https://github.com/joojs/fairface, CC BY 4.0): put fairface_label_train.csv, fairface_label_val.csv "
    "and the folders train/ and val/ there"
)


def layout(root: Path) -> Listing:
    """
    `age`, `gender` and `race` in the order of the authors' own models, and `service_test`, whether it is of that part.

    Raises:
        InputError: a file or column is missing, or a label is none of those there are.
    """
    folder = home("fairface", root, ("fairface", "FairFace"), _TABLES[0], ADVICE)
    images = next((folder / below for below in _BELOW if (folder / below / "train").is_dir()), None)
    if images is None:
        raise InputError(f"fairface: {folder} lacks the folder train/. {ADVICE}")
    tables = [_table(folder / name) for name in _TABLES]
    cells = {column: [cell for table in tables for cell in table[column].tolist()] for column in tables[0]}
    names = cells["file"]
    judged = np.repeat([False, True], [len(table) for table in tables])
    spot = spots("fairface", names)
    columns: dict[str, Labels] = {
        "age": classes(cells["age"], AGES),
        "gender": classes(cells["gender"], GENDERS),
        "race": classes(cells["race"], RACES),
        "service_test": flags([TRUTH.get(word) for word in cells["service_test"]], ("no", "yes")),
    }
    return Listing(
        names=names,
        columns=columns,
        splits={
            "train": rows(~judged & (spot >= VALIDATION)),
            "validation": rows(~judged & (spot < VALIDATION)),
            "test": rows(judged),
        },
        paths=[f"{images}/{name}" for name in names],
        lines=[row + 1 for table in tables for row in range(len(table))],
    )


def _table(path: Path) -> "pd.DataFrame":
    """One of the two tables, all of whose words are known."""
    known = {"age": AGES, "gender": GENDERS, "race": RACES, "service_test": tuple(TRUTH)}
    table = sheet(path, "file", *known, dtype=str, keep_default_na=False)
    for column, words in known.items():
        strange = ~table[column].isin([*words, ""]).to_numpy()
        if strange.any():
            row = int(strange.argmax())
            wanted = ", ".join(words)
            raise InputError(f"{path}: row {row + 1}: {column} {table[column][row]!r} is none of {wanted}")
    return table[["file", *known]]


load, splits = loads("fairface", layout, size=224), splits_of(layout)
