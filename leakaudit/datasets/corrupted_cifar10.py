"""
Corrupted CIFAR-10: a kind of corruption for each class, in all but a few of the training images.

Nam et al., "Learning from Failure", NeurIPS 2020, section 4.1; read from the files of its generator
(https://github.com/alinlab/LfF: `images.npy` and `attrs.npy`; the pickled names beside them stay closed, they are
known), or from PNG files in the layout of Lee et al., "Learning Debiased Representation via Disentangled Feature
Augmentation", NeurIPS 2021 (https://github.com/kakaoenterprise/Learning-Debiased-Disentangled), whose file names end in
`_<class>_<corruption>` and name no corruption: each is called by the class whose aligned images have it, `cat's`.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.errors import InputError
from leakaudit.images import cifar
from leakaudit.images.arrays import Joined
from leakaudit.images.paired import paired, percent
from leakaudit.listing import Listing, rows

SPLITS = ("train", "validation", "test")

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
KINDS = {
    0: ("snow", "frost", "fog", "brightness", "contrast", "spatter", "elastic", "jpeg", "pixelate", "saturate"),
    1: (
        "gaussian noise", "shot noise", "impulse noise", "speckle noise", "gaussian blur", "defocus blur",
        "glass blur", "motion blur", "zoom blur", "original",
    ),
}  # fmt: skip
"""The two protocols of Nam et al.; class k of the aligned images has corruption k."""
THEIRS = tuple(f"{name}'s" for name in CLASSES)
FOLDERS = ("cifar10c", "corrupted-cifar10", "cifar10c/cifar10c", ".")
ADVICE = (
    "Corrupted CIFAR-10 (PNG files linked at https://github.com/kakaoenterprise/Learning-Debiased-Disentangled, or "
    "made by https://github.com/alinlab/LfF): put the folders 0.5pct, 1pct, ... and test there, or "
    "CorruptedCIFAR10-Type0-Skewed0.005-Severity4 and its like"
)


def layout(root: Path, *, share: float = 0.5, kind: Literal[0, 1] | None = None, severity: int = 4) -> Listing:
    """
    `class` and `corruption`, with `share` per cent of bias-conflicting training images.

    `kind` is the protocol (0 unless it is said), `severity` (1 to 4) how strong the corruptions are: they choose among
    the folders of the generator. Said of PNG files, `kind` names their corruptions by that protocol.

    Raises:
        InputError: no such files or no such share are there, or they say another code.
    """
    folder = home("corrupted-cifar10", root, FOLDERS, ("*pct", "CorruptedCIFAR10-Type*"), ADVICE)
    if not any(folder.glob("*pct")):
        name = f"CorruptedCIFAR10-Type{kind or 0}-Skewed{share / 100:g}-Severity{severity}"
        return _generated(folder, name, KINDS[kind or 0])
    corruptions = THEIRS if kind is None else KINDS[kind]
    part = percent(folder, "corrupted-cifar10", share)
    found = paired(
        {"train": (part / "align", part / "conflict"), "validation": (part / "valid",), "test": (folder / "test",)},
        len(CLASSES),
        len(corruptions),
    )
    split = np.array(found.split, dtype=str)
    return Listing(
        names=found.names,
        columns={"class": Labels(found.target, CLASSES), "corruption": Labels(found.bias, corruptions)},
        splits={name: rows(split == name) for name in SPLITS},
        paths=found.paths,
        notes={"": found.notes},
    )


def _generated(folder: Path, name: str, corruptions: tuple[str, ...]) -> Listing:
    """The generator's own arrays: its `valid`, made of CIFAR-10's test images without bias, is `test`."""
    home = folder / name
    if not home.is_dir():
        there = ", ".join(sorted(path.name for path in folder.glob("CorruptedCIFAR10-Type*")))
        raise InputError(f"corrupted-cifar10: no folder {home}. There are: {there}")
    parts = {"train": _arrays(home / "train", corruptions), "test": _arrays(home / "valid", corruptions)}
    split = np.concatenate([np.full(len(labels), name) for name, (_, labels) in parts.items()])
    codes = np.concatenate([labels for _, labels in parts.values()])
    return Listing(
        names=[f"{name}/{row}" for name, (_, labels) in parts.items() for row in range(len(labels))],
        columns={
            "class": Labels(codes[:, 0], CLASSES),
            "corruption": Labels(codes[:, 1], corruptions),
        },
        splits={name: rows(split == name) for name in SPLITS},
        images=Joined(tuple(images for images, _ in parts.values())),
    )


def _arrays(
    folder: Path, corruptions: tuple[str, ...]
) -> tuple[UInt8[np.ndarray, "n 3 h w"], Int64[np.ndarray, "n 2"]]:
    """Images, memory-mapped, and the codes of class and corruption."""
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        codes = np.load(folder / "attrs.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"corrupted-cifar10: {folder}: images.npy or attrs.npy cannot be read: {why}") from error
    square = images.ndim == 4 and images.shape[3] == 3 and images.dtype == np.uint8  # noqa: PLR2004 - n, h, w and RGB
    if not square or codes.shape != (len(images), 2) or codes.dtype != np.uint8:
        raise InputError(
            f"corrupted-cifar10: {folder}: images {images.shape} of {images.dtype} and attrs {codes.shape} of "
            f"{codes.dtype} are not (n, 32, 32, 3) and (n, 2) bytes"
        )
    kinds = [cifar.known(codes[:, at], names, folder / "attrs.npy") for at, names in enumerate((CLASSES, corruptions))]
    return images.transpose(0, 3, 1, 2), np.stack(kinds, axis=1)


load, splits = loads("corrupted-cifar10", layout, size=32, channels=cifar.MEAN_STD), splits_of(layout)
