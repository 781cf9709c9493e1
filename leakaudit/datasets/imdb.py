"""
IMDB faces with age and gender, in training halves in which one follows from the other.

Rothe, Timofte and Van Gool, "DEX: Deep EXpectation of apparent age from a single image", ICCV workshops 2015
(https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki), with the splits of Kim et al., "Learning Not to Learn", CVPR
2019, section 4.2: in EB1 women are at most 29 and men at least 40 years old, in EB2 the other way round; test.csv holds
both. Read as the authors of "Bridging the gap between debiasing and privacy for deep learning" (ICCVW 2021) packed it:
EB1.csv, EB2.csv and test.csv with the columns image, age and gender.

As in that paper a quarter of test.csv is for validation, but cut within every age bin and gender, by the hash of names:
the folds of the original were stratified by a label that was zero everywhere. Its ages are the same twelve bins. In the
official metadata gender 0 is female and 1 male; the paper's plots take 0 for male. Which of the two the tables at hand
follow, EB1 itself tells, in which the young are women: where that is not as it was read, a note says so.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Int64

from leakaudit.dataset import Labels, identify
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import Listing, numbers, rows

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "eb1", "eb2", "validation", "test")

EDGES = (19, 24, 29, 34, 39, 44, 49, 54, 59, 64, 69, 100)
"""Last year of each age bin; who is older than the last has no age."""
BINS = tuple(f"{first}-{last}" for first, last in zip((0, *(edge + 1 for edge in EDGES[:-1])), EDGES, strict=True))
CODES = {"official": ("female", "male"), "papers": ("male", "female")}
GENDERS = CODES["official"]
YOUNG = 29
PARTS = 4
"""One of so many parts of test.csv is for validation."""
_TABLES = ("test.csv", "EB1.csv", "EB2.csv")
_PICKLES = ("imdb_age_gender.npy", "imdb_split.npy")
ADVICE = (
    "IMDB-WIKI's cropped faces (https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki) with the splits of Learning Not "
    "to Learn (https://github.com/feidfoe/learning-not-to-learn): put imdb_crop/ there, and EB1.csv, EB2.csv and "
    "test.csv (columns image, age, gender) into it"
)


def layout(
    root: Path, *, train: Literal["eb1", "eb2"] = "eb1", gender_code: Literal["official", "papers"] = "official"
) -> Listing:
    """
    `age` in years, `age_bin`, its class of twelve, and `gender`; who is shown is the group where file names say it.

    `train` is the half that models are trained on. `gender_code` says how gender is coded: `official`, 0 female and
    1 male, or `papers`, 0 male and 1 female; the classes are female and male, in this order, either way.

    Raises:
        InputError: a table or a column is missing, or a gender is neither 0 nor 1.
    """
    below = ("imdb/imdb_crop", "imdb_crop", "imdb", "IMDB/imdb_crop", "IMDB")
    folder = home("imdb", root, below, (*_TABLES, *_PICKLES), ADVICE)
    table, notes = _whole(folder)
    names, age, code = table["image"].tolist(), table["age"].to_numpy(), table["gender"].to_numpy()
    bins = np.where(np.isnan(age), -1, np.searchsorted(EDGES, age)).astype(np.int64)
    gender = np.where(np.isnan(code), -1, code if gender_code == "official" else 1 - code).astype(np.int64)
    tested, first, second = (table["part"].to_numpy() == part for part in range(len(_TABLES)))
    held = _quarter(names, 2 * len(BINS) * (gender + 1) + bins + 1, tested)
    halves = {"eb1": rows(first), "eb2": rows(second)}
    who = table["image"].str.extract(r"(nm\d+)_", expand=False)
    known = bool(who.notna().all())
    group = np.unique(who.to_numpy(str), return_inverse=True)[1].astype(np.int64) if known else None
    if group is not None:
        met = int(np.isin(np.unique(group[tested]), group[~tested]).sum())
        notes.append(f"{met} of the {len(np.unique(group[tested]))} people in test.csv are in EB1.csv or EB2.csv too")
    return Listing(
        names=names,
        columns={"age": numbers(age.tolist()), "age_bin": Labels(bins, BINS), "gender": Labels(gender, GENDERS)},
        splits={
            "train": halves[train],
            **halves,
            "validation": rows(tested & held),
            "test": rows(tested & ~held),
        },
        paths=[f"{folder}/{name}" for name in names],
        group=group,
        groups="person" if known else "",
        notes={"": (_coded(gender_code, age[first], code[first]), *notes)},
        lines=table["line"].tolist(),
    )


def _whole(folder: Path) -> tuple["pd.DataFrame", list[str]]:
    """
    All rows of the tables, each with its table's number (`part`) and its row there (`line`), and what was left out.

    Raises:
        InputError: a table is missing, or only its pickled forerunner is there.
    """
    import pandas as pd

    pickled = [name for name in _PICKLES if (folder / name).exists()]
    missing = [name for name in _TABLES if not (folder / name).is_file()]
    if missing and pickled:
        raise InputError(
            f"imdb: {folder / pickled[0]} is a pickled dict, which is never loaded here: where you trust it, read it "
            f"with numpy.load(..., allow_pickle=True, encoding='latin1').item() and write {', '.join(missing)} with "
            "the columns image, age, gender"
        )
    tables = []
    for part, name in enumerate(_TABLES):
        path = folder / name
        table = sheet(path, "image", "age", "gender", dtype={"image": str, "age": np.float64, "gender": np.float64})
        strange = (table["image"].isna() | ~(table["gender"].isna() | table["gender"].isin((0, 1)))).to_numpy()
        if strange.any():
            row = int(strange.argmax())
            what = "no image" if pd.isna(table["image"][row]) else f"gender {table['gender'][row]:g}: 0 or 1 expected"
            raise InputError(f"{path}: row {row + 1}: {what}")
        tables.append(table[["image", "age", "gender"]].assign(part=part, line=np.arange(1, len(table) + 1)))
    table = pd.concat(tables, ignore_index=True)
    again = table["image"].duplicated().to_numpy()
    table = table[~again].reset_index(drop=True)
    aged = table["age"].between(0, EDGES[-1]).to_numpy()
    table["age"] = table["age"].where(aged)
    notes = []
    if again.any():
        notes.append(f"{again.sum()} rows name an image again, of test.csv, EB1.csv, EB2.csv in this order; left out")
    if not aged.all():
        notes.append(f"{(~aged).sum()} of all {len(aged)} images have no age from 0 to {EDGES[-1]}")
    return table, notes


def _quarter(
    names: list[str], stratum: Int64[np.ndarray, " n"], tested: Bool[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Of the tested rows of each stratum a quarter, rounded down: those whose names have the smallest hashes."""
    order = np.lexsort((identify("imdb split", names), stratum, ~tested))[: int(tested.sum())]
    _, start, count = np.unique(stratum[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(start, count)
    held = np.zeros(len(names), dtype=bool)
    held[order] = rank < np.repeat(count // PARTS, count)
    return held


def _coded(gender_code: str, age: np.ndarray, code: np.ndarray) -> str:
    """How gender was read, and whether EB1 says otherwise: its young are women."""
    young = code[(age <= YOUNG) & ~np.isnan(code)]
    zero, one = CODES[gender_code]
    said = f"gender 0 was read as {zero}, 1 as {one} (gender_code = {gender_code})"
    told = "papers" if len(young) and young.mean() > 1 / 2 else "official"
    if not len(young) or told == gender_code:
        return said
    return (
        f"{said}, but the young of EB1.csv, who are women by its definition, are {young.mean():.0%} coded 1: "
        f"gender_code = {told} says what was meant"
    )


load, splits = loads("imdb", layout, size=224), splits_of(layout)
