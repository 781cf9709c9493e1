"""
Image files whose names say the target and the bias, as `<number>_<target>_<bias>.png`: bFFHQ and Corrupted CIFAR-10.

Lee et al., "Learning Debiased Representation via Disentangled Feature Augmentation", NeurIPS 2021: training images lie
in `align`, where bias and target agree, and `conflict`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from leakaudit.errors import InputError

_SAID = re.compile(r".*_(?P<target>\d+)_(?P<bias>\d+)\.(png|jpg|jpeg)", re.IGNORECASE)


@dataclass(frozen=True)
class Paired:
    """The files of all splits, in the order of their names within each."""

    paths: list[str]
    names: list[str]
    """What each is called, with its split: the same wherever it lies within that."""
    split: list[str]
    target: Int64[np.ndarray, " n"]
    bias: Int64[np.ndarray, " n"]
    notes: tuple[str, ...]


def paired(folders: Mapping[str, Sequence[Path]], targets: int, biases: int) -> Paired:
    """
    The images in the folders of each split, and in the folders within these.

    Raises:
        InputError: a name says a target or bias that is none of so many.
    """
    paths: list[Path] = []
    split: list[str] = []
    strange = 0
    for name, places in folders.items():
        files = sorted({path for place in places for path in place.rglob("*") if path.is_file()})
        said = [path for path in files if _SAID.fullmatch(path.name)]
        strange += len(files) - len(said)
        paths += said
        split += [name] * len(said)
    found = [_SAID.fullmatch(path.name) for path in paths]
    codes = np.array([(int(each["target"]), int(each["bias"])) for each in found if each], dtype=np.int64)
    codes = codes.reshape(-1, 2)
    wrong = np.flatnonzero((codes >= (targets, biases)).any(axis=1))
    if len(wrong):
        raise InputError(
            f"{paths[wrong[0]]}: a target below {targets} and a bias below {biases} expected at the end of its name; "
            f"{len(wrong)} files say others"
        )
    return Paired(
        paths=[str(path) for path in paths],
        names=[f"{part}/{path.name}" for part, path in zip(split, paths, strict=True)],
        split=split,
        target=codes[:, 0],
        bias=codes[:, 1],
        notes=(f"{strange} files do not say target and bias, and were left out",) if strange else (),
    )


def percent(home: Path, name: str, share: float) -> Path:
    """
    The folder of a share of bias-conflicting training images, in per cent.

    Raises:
        InputError: it is not there; the message says which are.
    """
    folder = home / f"{share:g}pct"
    if not folder.is_dir():
        there = ", ".join(sorted(path.name.removesuffix("pct") for path in home.glob("*pct"))) or "none"
        raise InputError(f"{name}: share = {share:g}: no folder {folder}. Shares there are: {there}")
    return folder
