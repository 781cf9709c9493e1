"""
UTKFace: 23,708 aligned and cropped faces of 200x200, with age, gender and ethnicity in the file names.

Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017. The training splits
are those of Kim et al., "Learning Not to Learn", CVPR 2019, section 4.2, made for IMDB: in `eb1` women are at most 29
and men at least 40 years old, in `eb2` the other way round. A fifth of all images, by the hash of their names, is
`test`, and a twentieth `validation`.
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.listing import Listing, classes, numbers, rows, spots

SPLITS = ("train", "eb1", "eb2", "validation", "test")

GENDERS = ("male", "female")
EDGES = (19, 24, 29, 34, 39, 44, 49, 54, 59, 64, 69, 100)
"""Last year of each age bin, as the papers cut IMDB; who is older than the last has none."""
BINS = tuple(f"{first}-{last}" for first, last in zip((0, *(edge + 1 for edge in EDGES[:-1])), EDGES, strict=True))
RACES = ("white", "black", "asian", "indian", "other")
YOUNG, OLD = 29, 40
TEST, VALIDATION = 0.2, 0.25
_SAID = re.compile(r"(?P<age>\d+)_(?P<gender>[01])_(?P<race>[0-4])_")
ADVICE = (
    "UTKFace's aligned and cropped faces (https://susanqq.github.io/UTKFace, non-commercial research only): put the "
    "files AGE_GENDER_RACE_DATE.jpg.chip.jpg there"
)


def layout(root: Path, *, train: Literal["all", "eb1", "eb2"] = "all") -> Listing:
    """
    `age` in years, `age_bin` of twelve, `gender` (0 in file names is male) and `race`, of files whose names say all.

    `train` is what models are trained on: all images that are neither tested nor validated on, or one of the biased
    halves of them; then nobody from 30 to 39 is tested or validated on either, as in the papers' test of IMDB.

    Raises:
        InputError: no such files are there.
    """
    folder = home("utkface", root, ("utkface", "UTKFace", "utkface/images", "utkface/UTKFace"), "*_*.jpg", ADVICE)
    names = sorted(path.name for path in folder.glob("*.jpg"))
    said = [_SAID.match(name) for name in names]
    age = np.array([int(found["age"]) if found else -1 for found in said])
    gender = [GENDERS[int(found["gender"])] if found else None for found in said]
    race = [RACES[int(found["race"])] if found else None for found in said]
    spot = spots("utkface", names)
    fit = age >= 0
    woman = np.array([word == "female" for word in gender])
    learned = fit & (spot >= VALIDATION)
    young, old = learned & (age <= YOUNG), learned & (age >= OLD)
    judged = fit if train == "all" else fit & ((age <= YOUNG) | (age >= OLD))
    parts = {"all": learned, "eb1": (young & woman) | (old & ~woman), "eb2": (young & ~woman) | (old & woman)}
    strange = len(names) - int(fit.sum())
    return Listing(
        names=names,
        columns={
            "age": numbers([found["age"] if found else None for found in said]),
            "age_bin": Labels(np.where((age < 0) | (age > EDGES[-1]), -1, np.searchsorted(EDGES, age)), BINS),
            "gender": classes(gender, GENDERS),
            "race": classes(race, RACES),
        },
        splits={
            "train": rows(parts[train]),
            "eb1": rows(parts["eb1"]),
            "eb2": rows(parts["eb2"]),
            "validation": rows(judged & (spot >= TEST) & (spot < VALIDATION)),
            "test": rows(judged & (spot < TEST)),
        },
        paths=[str(folder / name) for name in names],
        notes={"": (f"{strange} files do not say age, gender and race, and were left out",)} if strange else {},
    )


load, splits = loads("utkface", layout, size=224), splits_of(layout)
