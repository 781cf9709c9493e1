"""
ChestX-ray14: 112,120 frontal chest X-rays of 30,805 patients as PNG, with up to 14 findings each.

Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on Weakly-Supervised Classification and
Localization of Common Thorax Diseases", CVPR 2017. Read from the official files, whose two lists part the patients; an
eighth of those to train on is `validation`, by the hash of their number. Or from a re-pack: a `labels.csv` of file,
split, label (0_normal, 1_abnormal), patient_id, sex, age, view and finding, whose splits hold if they part patients.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float64, Int64

from leakaudit.datasets._reader import home, loads, plain, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import Listing, classes, flags, numbers, rows, spots

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")

FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)
NOTHING = "No Finding"
SEXES = {"M": "male", "F": "female"}
VIEWS = ("PA", "AP")
OLDEST = 120
TRAIN, VALIDATION, HELD_OUT = 0.7, 0.8, 0.125
"""Shares of patients up to which they are trained on and validated on; of the list to train on, what is held out."""
ENTRIES = "Data_Entry_2017*.csv"
OFFICIAL = {"Image Index": "file", "Finding Labels": "finding", "Patient ID": "patient_id", "Patient Age": "age"}
OFFICIAL |= {"Patient Gender": "sex", "Patient Sex": "sex", "View Position": "view"}
COLUMNS = ("file", "patient_id", "sex", "age", "view", "finding")
LISTS = ("train_val_list.txt", "test_list.txt")
SPELLINGS = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation", "test": "test"}
Notes = tuple[str, ...]
Splits = dict[str, Int64[np.ndarray, " _"]]
KINDS = {"0_normal": "normal", "1_abnormal": "abnormal"}
ADVICE = (
    "ChestX-ray14 (https://nihcc.app.box.com/v/ChestXray-NIHCC): put Data_Entry_2017_v2020.csv, train_val_list.txt, "
    "test_list.txt and the folder images there; or a re-pack with its labels.csv"
)


def layout(root: Path, *, patients: Literal["apart", "given"] = "apart") -> Listing:
    """
    `finding` (normal or abnormal), each of the 14 findings as no or yes, `sex`, `age` in years and `view`; by patient.

    Where a patient stands in two of the splits that are given, all patients are dealt anew by the hash of their number:
    70 % to train on, 10 % to validate and 20 % to test; `patients=given` keeps the given splits.

    Raises:
        InputError: the tables are not there, lack a column, or name a finding or a split that there is not.
    """
    folder = home("chest-xray", root, ("chest-xray", "ChestX-ray14", "nih", "nih64"), (ENTRIES, "labels.csv"), ADVICE)
    entries = sorted(folder.glob(ENTRIES))
    table = entries[-1] if entries else folder / "labels.csv"
    frame = _frame(table, official=bool(entries))
    names = [str(name).rsplit("/", 1)[-1] for name in frame["file"]]
    said = [[] if text == NOTHING else text.split("|") for text in frame["finding"]]
    strange = next((row for row, words in enumerate(said) if not set(words) <= set(FINDINGS)), None)
    if strange is not None:
        raise InputError(
            f"{table}: row {strange + 2}: {frame['finding'].iloc[strange]!r} is not made of {NOTHING} or "
            f"{', '.join(FINDINGS)}"
        )
    kinds = ["abnormal" if words else "normal" for words in said]
    given = kinds if entries else _kinds(table, frame["label"].tolist())
    group = np.unique(frame["patient_id"], return_inverse=True)[1].astype(np.int64)
    ages = [_age(text) for text in frame["age"]]
    spot = spots("chest-xray", frame["patient_id"].tolist())
    stated = _listed(folder, names, spot) if entries else _said(table, frame["split"].tolist())
    parts, torn = _apart(stated, group, spot) if patients == "apart" else (stated, ())
    counts = {
        "with a label that the findings contradict; the label stands": sum(map(str.__ne__, given, kinds)),
        f"with an age that is no number up to {OLDEST}; it is missing": ages.count(None),
        f"with a sex that is none of {', '.join(SEXES)}; it is missing": int((~frame["sex"].isin(SEXES)).sum()),
        f"with a view that is none of {', '.join(VIEWS)}; it is missing": int((~frame["view"].isin(VIEWS)).sum()),
        f"in neither {' nor '.join(LISTS)}; left out": len(names) - sum(map(len, parts.values())),
    }
    told = (f"of {len(names)} images, {count} {what}" for what, count in counts.items() if count)
    return Listing(
        names=names,
        columns={
            "finding": classes(given, tuple(KINDS.values())),
            **{each.lower(): flags([each in words for words in said], ("no", "yes")) for each in FINDINGS},
            "sex": classes([SEXES.get(word) for word in frame["sex"]], tuple(SEXES.values())),
            "age": numbers(ages),
            "view": classes([word if word in VIEWS else None for word in frame["view"]], VIEWS),
        },
        splits=parts,
        paths=_paths(folder, names) if entries else [str(folder / name) for name in frame["file"]],
        group=group,
        groups="patient",
        lines=range(2, len(names) + 2),
        notes={"": (*told, *torn)},
    )


def _frame(table: Path, *, official: bool) -> "pd.DataFrame":
    """The table by the re-pack's names, as text without spaces at its ends."""
    frame = sheet(table, *(() if official else (*COLUMNS, "split", "label")), dtype=str, keep_default_na=False)
    if official:
        frame = frame.rename(columns=OFFICIAL)
        lacking = [name for name, ours in OFFICIAL.items() if ours not in frame]
        if lacking:
            raise InputError(f"{table}: no column {lacking[0]!r}. There are: {', '.join(map(str, frame.columns))}")
    stripped: pd.DataFrame = frame.apply(lambda column: column.str.strip())
    return stripped


def _kinds(table: Path, words: list[str]) -> list[str]:
    """The re-pack's own word for each image."""
    strange = next((row for row, word in enumerate(words) if word not in KINDS), None)
    if strange is not None:
        raise InputError(f"{table}: row {strange + 2}: no label {words[strange]!r}. There are: {', '.join(KINDS)}")
    return [KINDS[word] for word in words]


def _age(text: str) -> float | None:
    """Years, as 58, 058Y or 007M; None where they are none of a person."""
    found = re.fullmatch(r"(\d{1,3})(?:\.0)?([YMWD]?)", text)
    if not found:
        return None
    years = int(found[1]) / {"M": 12, "W": 52.18, "D": 365.25}.get(found[2], 1)
    return years if years <= OLDEST else None


def _paths(folder: Path, names: list[str]) -> list[str]:
    """Where the images lie: in one folder, or in those of the twelve archives."""
    walks = (os.walk(top) for top in folder.glob("images*"))
    found = {file: os.path.join(where, file) for walk in walks for where, _, files in walk for file in files}  # noqa: PTH118 - of 112,120 paths
    return [found.get(name, str(folder / "images" / name)) for name in names]


def _dealt(spot: Float64[np.ndarray, " n"]) -> Splits:
    """Every patient in one split."""
    return _parts(
        {"train": spot < TRAIN, "validation": (spot >= TRAIN) & (spot < VALIDATION), "test": spot >= VALIDATION}
    )


def _listed(folder: Path, names: list[str], spot: Float64[np.ndarray, " n"]) -> Splits:
    """The splits of the two lists, the first without those to validate on; where neither is there, by patient."""
    there = [name for name in LISTS if (folder / name).exists()]
    if not there:
        return _dealt(spot)
    if len(there) < len(LISTS):
        raise InputError(f"{folder}: {there[0]} alone: {' and '.join(LISTS)} are needed, or neither of them")
    words = [set(plain(folder / name).split()) for name in LISTS]
    learned, tested = (np.array([name in each for name in names]) for each in words)
    held_out = spot < HELD_OUT
    return _parts({"train": learned & ~held_out, "validation": learned & held_out, "test": tested})


def _said(table: Path, words: list[str]) -> Splits:
    """The splits that a re-pack's own column says."""
    strange = next((row for row, word in enumerate(words) if word not in SPELLINGS), None)
    if strange is not None:
        raise InputError(f"{table}: row {strange + 2}: no split {words[strange]!r}. There are: {', '.join(SPELLINGS)}")
    spelt = np.array([SPELLINGS[word] for word in words])
    return _parts({split: spelt == split for split in SPLITS})


def _parts(masks: dict[str, np.ndarray]) -> Splits:
    return {split: rows(mask) for split, mask in masks.items()}


def _apart(given: Splits, group: Int64[np.ndarray, " n"], spot: Float64[np.ndarray, " n"]) -> tuple[Splits, Notes]:
    """The splits that are given or, where a patient stands in two of them, those dealt by patient, and a note."""
    seen = np.stack([np.bincount(group[part], minlength=group.max() + 1) for part in given.values()])
    both = (seen > 0).sum(axis=0) > 1
    if not both.any():
        return given, ()
    said = f"of {seen.sum()} images, {seen[:, both].sum()} of patients who stand in more than one of the given splits"
    return _dealt(spot), (f"{said}: patients were dealt anew; patients=given keeps the given splits",)


load, splits = loads("chest-xray", layout, size=224), splits_of(layout)
