"""
bFFHQ: faces of FFHQ whose age follows from gender in all but a few of the training images.

Kim et al., "BiaSwap", ICCV 2021, in the layout of Lee et al., "Learning Debiased Representation via Disentangled
Feature Augmentation", NeurIPS 2021 (https://github.com/kakaoenterprise/Learning-Debiased-Disentangled): file names end
in `_<age>_<gender>`. Aligned images, of equal codes, are young women (10-29) and old men (40-59); that 0 is young and
female, 1 old and male follows from that pairing and from those who use the set, no file of it says so. Images enter a
network normalised as there, by CIFAR's mean and standard deviation. Published accuracies are of the bias-conflicting
test images alone, the split `conflict`, in which gender follows from age and cannot be audited given it.
"""

from pathlib import Path

import numpy as np

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.images.cifar import MEAN_STD
from leakaudit.images.paired import paired, percent
from leakaudit.listing import Listing, rows

SPLITS = ("train", "validation", "conflict", "test")

AGES = ("young", "old")
GENDERS = ("female", "male")
ADVICE = (
    "bFFHQ (linked at https://github.com/kakaoenterprise/Learning-Debiased-Disentangled; FFHQ's terms, "
    "non-commercial): put the folders 0.5pct (with align and conflict), valid and test there"
)


def layout(root: Path, *, share: float = 0.5) -> Listing:
    """
    `age` (young, old) and `gender` (female, male), with `share` per cent of bias-conflicting training images.

    Raises:
        InputError: no such files or no such share are there, or a name says another code.
    """
    folder = home("bffhq", root, ("bffhq", "bFFHQ", "bffhq/bffhq"), "*pct", ADVICE)
    part = percent(folder, "bffhq", share)
    found = paired(
        {
            "train": (part / "align", part / "conflict"),
            "validation": (folder / "valid", part / "valid"),
            "test": (folder / "test",),
        },
        len(AGES),
        len(GENDERS),
    )
    split = np.array(found.split, dtype=str)
    tested, against = split == "test", found.target != found.bias
    only = "; these are the published test, in which gender follows from age"
    return Listing(
        names=found.names,
        columns={"age": Labels(found.target, AGES), "gender": Labels(found.bias, GENDERS)},
        splits={
            "train": rows(split == "train"),
            "validation": rows(split == "validation"),
            "conflict": rows(tested & against),
            "test": rows(tested),
        },
        paths=found.paths,
        notes={
            "": found.notes,
            "test": (f"{int((tested & against).sum())} of {int(tested.sum())} test images are bias-conflicting{only}",),
            "conflict": (f"bias-conflicting images alone{only}",),
        },
    )


load, splits = loads("bffhq", layout, size=224, channels=MEAN_STD), splits_of(layout)
