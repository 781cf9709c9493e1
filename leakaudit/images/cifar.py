"""
CIFAR's own files: records of label bytes and pixels, and pickles, which torchvision compares with their md5 first.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
A record of the binary version is one label byte, or two, and 3 x 32 x 32 bytes of pixels.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from leakaudit.errors import InputError
from leakaudit.images.arrays import Joined

SIDE = 32
PIXELS = 3 * SIDE * SIDE
MEAN_STD = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
"""Mean and standard deviation of the channels with which the papers normalise CIFAR-10 and what is made of it."""
Part = UInt8[np.ndarray, "n 3 32 32"]


@dataclass(frozen=True)
class Batch:
    """The images of one file."""

    name: str
    """`train` or `test`."""
    first: int
    """Number of its first image in the official order of that."""
    labels: Int64[np.ndarray, " n"]
    images: Part


def records(path: Path, label_bytes: int) -> tuple[UInt8[np.ndarray, "n _"], Part]:
    """
    The label bytes of a file of the binary version, and its images, memory-mapped.

    Raises:
        InputError: it is missing, or no whole number of records.
    """
    length = label_bytes + PIXELS
    size = path.stat().st_size if path.is_file() else 0
    if not path.is_file():
        there = ", ".join(sorted(each.name for each in path.parent.glob("*.bin")))
        raise InputError(f"{path.parent}: no {path.name}. There are: {there}")
    if not size or size % length:
        raise InputError(
            f"{path}: truncated, or not CIFAR's: {size} bytes are no whole number of {length}-byte records"
        )
    table = np.memmap(path, np.uint8, "r", shape=(size // length, length))
    return np.asarray(table[:, :label_bytes]), table[:, label_bytes:].reshape(-1, 3, SIDE, SIDE)


def known(labels: np.ndarray, classes: Sequence[str], path: Path) -> Int64[np.ndarray, " n"]:
    """
    Labels as numbers of classes.

    Raises:
        InputError: one of them is the number of none.
    """
    strange = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(strange):
        row = int(strange[0])
        raise InputError(f"{path}: image {row + 1} has label {labels[row]}: 0 to {len(classes) - 1} expected")
    return labels.astype(np.int64)


def agree(path: Path, classes: Sequence[str]) -> None:
    """
    Compare the file of class names, where there is one, with the names as they are known.

    Raises:
        InputError: it names others, or in another order.
    """
    if not path.is_file():
        return
    said = path.read_text(encoding="utf-8", errors="replace").split()
    if said != list(classes):
        raise InputError(f"{path}: names other classes than {', '.join(classes[:3])}, ...; is this another data set?")


def pickled(folder: Path, source: Any, *, train: bool) -> tuple[Int64[np.ndarray, " n"], Part]:
    """
    Labels and images of the Python version by `source`, a class of torchvision: it opens no file of another md5.

    Raises:
        InputError: a file is missing, or is not the official one.
    """
    here = type(source.__name__, (source,), {"base_folder": folder.name})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of how the files of 2009 spell a dtype
            data = here(str(folder.parent), train=train)
    except RuntimeError as error:
        names = ", ".join(name for name, _ in [*source.train_list, *source.test_list])
        raise InputError(
            f"{folder}: of {names} and {source.meta['filename']} one is missing or has not the official md5; these "
            f"are pickles, and none was opened"
        ) from error
    return np.asarray(data.targets, dtype=np.int64), data.data.transpose(0, 3, 1, 2)


def joined(batches: Sequence[Batch]) -> tuple[list[str], Int64[np.ndarray, " n"], Joined]:
    """The images of all files as one: names by their numbers in the official order, labels and pixels."""
    names = [f"{batch.name}/{batch.first + row}" for batch in batches for row in range(len(batch.labels))]
    labels = np.concatenate([batch.labels for batch in batches])
    return names, labels, Joined(tuple(batch.images for batch in batches))
