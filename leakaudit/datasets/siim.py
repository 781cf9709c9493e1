"""
SIIM-FISABIO-RSNA COVID-19 detection: 6,334 chest X-rays as DICOM, graded by study for what pneumonia looks like.

Lakhani et al., "The 2021 SIIM-FISABIO-RSNA Machine Learning COVID-19 Challenge: Annotation and Standard Exam
Classification of COVID-19 Chest Radiographs", Journal of Digital Imaging 36, 2023. The table is the competition's own
`train_study_level.csv`; sex and age are those of the files' headers. Barbano, Tartaglione and Grangetto, "Bridging the
gap between debiasing and privacy for deep learning", ICCVW 2021, keep two of the four findings, with sex private,
448x448 pixels and 85/5/10 % of the data: here of the patients, by the hash of their number.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from leakaudit import listing
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.images import dicom
from leakaudit.images.files import pooled
from leakaudit.listing import Listing, numbers, rows, spots

SPLITS = ("train", "validation", "test")

TABLE = "train_study_level.csv"
COLUMNS = ("Negative for Pneumonia", "Typical Appearance", "Indeterminate Appearance", "Atypical Appearance")
FINDINGS = ("negative", "typical", "indeterminate", "atypical")
SEXES = {"M": "male", "F": "female"}
TRAIN, VALIDATION = 0.85, 0.90
ADVICE = (
    "SIIM-FISABIO-RSNA COVID-19 (https://www.kaggle.com/c/siim-covid19-detection/data, under its rules): put "
    f"{TABLE} and the folder train (train/STUDY/SERIES/IMAGE.dcm) there"
)


def layout(root: Path, *, classes: Literal["two", "four"] = "two") -> Listing:
    """
    `finding` of the study, `sex` and `age` in years of the header; the group is the patient, or the study without one.

    `classes` keeps the papers' two findings, negative and typical, or all four.

    Raises:
        InputError: the table or its images are not there, it does not say one finding a study, or pydicom is missing.
    """
    folder = home("siim", root, ("siim", "siim-covid19-detection", "SIIM"), TABLE, ADVICE)
    findings = _findings(folder / TABLE)
    found = sorted(path.relative_to(folder).as_posix() for path in (folder / "train").glob("*/*/*.dcm"))
    names = [name for name in found if name.split("/")[1] in findings]
    if not names:
        raise InputError(f"siim: no image of a study of {TABLE} in {folder / 'train'}. {ADVICE}")
    said = pooled(_said, [str(folder / name) for name in names])
    studies = [name.split("/")[1] for name in names]
    patients = [header.patient or study for header, study in zip(said, studies, strict=True)]
    spot = spots("siim", patients)
    kept = FINDINGS[:2] if classes == "two" else FINDINGS
    words = [findings[study] for study in studies]
    fit = np.array([word in kept for word in words])
    sex = [SEXES.get(header.sex) for header in said]
    counts = {
        f"images of studies that {TABLE} does not name were left out": len(found) - len(names),
        f"studies of {TABLE} have no image and were left out": len(findings.keys() - set(studies)),
        "images of other findings were left out; classes=four keeps them": int((~fit).sum()),
        "images have a header that says neither male nor female": sum(
            each is None for each, here in zip(sex, fit, strict=True) if here
        ),
        "images have a header that names no patient; their study stands for one": sum(
            not each.patient for each, here in zip(said, fit, strict=True) if here
        ),
    }
    return Listing(
        names=names,
        columns={
            "finding": listing.classes([word if word in kept else None for word in words], kept),
            "sex": listing.classes(sex, tuple(SEXES.values())),
            "age": numbers([header.age for header in said]),
        },
        splits={
            "train": rows(fit & (spot < TRAIN)),
            "validation": rows(fit & (spot >= TRAIN) & (spot < VALIDATION)),
            "test": rows(fit & (spot >= VALIDATION)),
        },
        paths=[str(folder / name) for name in names],
        group=np.unique(patients, return_inverse=True)[1].astype(np.int64),
        groups="patient",
        notes={"": tuple(f"{count} {what}" for what, count in counts.items() if count)},
    )


def _findings(table: Path) -> dict[str, str]:
    """The finding of each study."""
    frame = sheet(table, "id", *COLUMNS, dtype=str, keep_default_na=False)
    marks = np.stack([frame[name].str.strip() == "1" for name in COLUMNS], axis=1)
    if not (marks.sum(axis=1) == 1).all():
        row = int((marks.sum(axis=1) != 1).argmax()) + 2
        raise InputError(f"{table}: row {row}: one 1 expected among {', '.join(COLUMNS)}")
    studies = [str(name).strip().removesuffix("_study") for name in frame["id"]]
    found = {study: FINDINGS[place] for study, place in zip(studies, marks.argmax(axis=1), strict=True)}
    if len(found) < len(studies):
        raise InputError(f"{table}: {len(studies) - len(found)} of {len(studies)} studies stand in it twice")
    return found


def _said(path: str) -> dicom.Header:
    """A file's header; of one that is damaged nothing, for its pixels will not decode either."""
    try:
        return dicom.header(path)
    except (OSError, dicom.DamagedError):
        return dicom.Header(sex="", age=float("nan"), patient="", study="", view="", modality="")


load, splits = loads("siim", layout, size=448), splits_of(layout)
