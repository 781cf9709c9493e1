"""
Handwritten digits on coloured backgrounds, built in: 1,797 real 8x8 images, no download.

The images are scikit-learn's copy of the test part of the UCI "Optical Recognition of Handwritten Digits" data
(Alpaydin and Kaynak, 1998). Backgrounds are coloured as in Biased-MNIST (`numerics/colours.py`); the stroke is white,
as opaque as the pen's grey level. About half of the images are `test`, because rows to attack are what an audit runs
out of first; an image is in the same split whatever the knobs.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from leakaudit import catalog
from leakaudit.dataset import Dataset, Labels, Pixels, identify, spell
from leakaudit.errors import InputError
from leakaudit.numerics import colours

SPLITS = ("train", "validation", "test")
PAPER = {"rho": 0.999}

_TEST, _VALIDATION = 0.5, 0.06
_DARKEST = 16


def load(split: str, root: Path, *, rho: float = 0.8, test_rho: float = 0.1, seed: int = 0) -> Dataset:
    """
    One split: `digit` and `colour`, which agree in a share `rho` of the training images.

    `validation` and `test` are coloured with `test_rho` instead; at 0.1 colour says nothing about the digit.
    """
    del root
    if split not in SPLITS:
        raise InputError(f"digits: no split {split!r}. {catalog.suggest(split, SPLITS)}")
    colours.check_rho(rho, "digits: rho")
    colours.check_rho(test_rho, "digits: test_rho")
    if seed < 0:
        raise InputError(f"digits: seed = {seed}: at least 0 expected")
    from sklearn.datasets import load_digits

    bundle = load_digits()
    ids = identify("digits", np.arange(len(bundle.target)))
    rows = _rows(split, bundle.target, ids)
    digit = bundle.target[rows].astype(np.int64)
    random = np.random.default_rng([seed, SPLITS.index(split)])
    colour = colours.assign(digit, rho if split == "train" else test_rho, random)
    return Dataset(
        name=spell("digits", load, rho=rho, test_rho=test_rho, seed=seed),
        split=split,
        images=Pixels(_paint(bundle.images[rows], colour)),
        columns={
            "digit": Labels(digit, tuple(map(str, range(10)))),
            "colour": Labels(colour, colours.NAMES),
        },
        ids=ids[rows],
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )


def _rows(split: str, digits: np.ndarray, ids: np.ndarray) -> Int64[np.ndarray, " n"]:
    """The images of a split: each digit's images in the order of their identities, cut at fixed shares."""
    parts = []
    for digit in range(10):
        rows = np.flatnonzero(digits == digit)
        rows = rows[np.argsort(ids[rows])]
        first, second = round(len(rows) * _TEST), round(len(rows) * (_TEST + _VALIDATION))
        parts.append({"test": rows[:first], "validation": rows[first:second], "train": rows[second:]}[split])
    return np.sort(np.concatenate(parts)).astype(np.int64)


def _paint(grey: np.ndarray, colour: np.ndarray) -> UInt8[np.ndarray, "n 3 8 8"]:
    """White strokes over the background colour, mixed by the pen's grey level."""
    ink = grey[:, None] / _DARKEST
    background = colours.palette()[colour][:, :, None, None]
    painted: np.ndarray = np.rint(ink * 255 + (1 - ink) * background)
    return painted.astype(np.uint8)
