"""
Coloured backgrounds: the ten colours of Biased-MNIST and the quota by which they are handed out.

Bahng et al., "Learning De-biased Representations with Biased Representations", ICML 2020, section 4.2, with the colour
values and the quota of the released code: an exact share of each digit gets the digit's own colour, and what is left is
cut into equal runs over a shuffled list of the other nine.
"""

import math

import numpy as np
from jaxtyping import Int64, UInt8

from leakaudit.errors import InputError

COLOURS = (
    ("red", (255, 0, 0)),
    ("green", (0, 255, 0)),
    ("blue", (0, 0, 255)),
    ("yellow", (225, 225, 0)),
    ("magenta", (225, 0, 225)),
    ("cyan", (0, 255, 255)),
    ("orange", (255, 128, 0)),
    ("pink", (255, 0, 128)),
    ("purple", (128, 0, 255)),
    ("grey", (128, 128, 128)),
)
"""Name and RGB value; colour k is the own colour of digit k. Yellow and magenta do hold 225, not 255."""

NAMES = tuple(name for name, _ in COLOURS)


def palette() -> UInt8[np.ndarray, "10 3"]:
    """The RGB values, one colour a row."""
    return np.array([value for _, value in COLOURS], dtype=np.uint8)


def check_rho(value: float, where: str) -> float:
    """
    The value, where it is a share.

    Raises:
        InputError: it is not from 0 to 1.
    """
    if not 0 <= value <= 1:
        raise InputError(f"{where} = {value}: a number from 0 to 1 expected")
    return value


def assign(digits: Int64[np.ndarray, " n"], rho: float, random: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """
    A colour for each image, so that a share `rho` of each digit has the digit's own colour.

    Of n images of a digit, floor(n rho) get its own colour; the other r are cut into runs of ceil(r / 9), and each run
    gets the next of the nine other colours in a shuffled order (so the last colours may stay unused).
    """
    colours = np.full(len(digits), -1, dtype=np.int64)
    for digit in range(len(COLOURS)):
        rows = random.permutation(np.flatnonzero(digits == digit))
        aligned = int(len(rows) * rho)
        colours[rows[:aligned]] = digit
        others = random.permutation([colour for colour in range(len(COLOURS)) if colour != digit])
        left = rows[aligned:]
        run = max(1, math.ceil(len(left) / len(others)))
        colours[left] = others[np.arange(len(left)) // run]
    return colours
