"""Digits are real, coloured by the recipe of Biased-MNIST, and split once and for all."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from leakaudit.datasets import digits
from leakaudit.errors import InputError
from leakaudit.numerics import colours

NOWHERE = Path("/nonexistent")


def test_the_splits_hold_every_image_once_and_test_holds_half() -> None:
    """1,797 images are divided without remainder, about half of them to `test`, every digit in each split."""
    found = {split: digits.load(split, NOWHERE) for split in digits.SPLITS}
    assert sum(map(len, found.values())) == 1797
    assert abs(len(found["test"]) - 1797 / 2) <= 10
    for data in found.values():
        assert (np.bincount(data.column("digit").values, minlength=10) > 0).all()


@pytest.mark.parametrize("rho", [0.8, 0.95])
def test_colour_agrees_with_digit_as_often_as_rho_says(rho: float) -> None:
    """The share of training images in the digit's own colour is rho, up to one image for each digit."""
    data = digits.load("train", NOWHERE, rho=rho)
    agree = (data.column("digit").values == data.column("colour").values).mean()
    assert rho - 10 / len(data) <= agree <= rho


def test_the_test_split_is_unbiased_whatever_rho_is() -> None:
    """Knobs of training leave the test rows alone; `test_rho` does not, and keeps the images."""
    plain, other = digits.load("test", NOWHERE), digits.load("test", NOWHERE, rho=0.99)
    assert np.array_equal(plain.column("colour").values, other.column("colour").values)
    aligned = digits.load("test", NOWHERE, test_rho=1.0)
    assert np.array_equal(aligned.column("colour").values, aligned.column("digit").values)
    assert np.array_equal(plain.ids, aligned.ids)


def test_a_recoloured_image_keeps_its_identity() -> None:
    """The same image under another colour has the same id, in the same row."""
    one, two = (digits.load("train", NOWHERE, seed=seed) for seed in (0, 1))
    assert np.array_equal(one.ids, two.ids)
    assert not np.array_equal(one.column("colour").values, two.column("colour").values)


def test_ink_is_white_as_far_as_the_pen_was_pressed() -> None:
    """A pixel of grey level g is g/16 of white and the rest background colour; blank paper is the colour itself."""
    data = digits.load("train", NOWHERE)
    bundle = load_digits()
    number = {tuple(image.ravel()): k for k, image in enumerate(bundle.images)}
    assert len(number) == len(bundle.images)
    batch = data.images.batch(np.arange(20))
    palette = colours.palette()[data.column("colour").values[:20]].astype(float)[:, :, None, None]
    spread = 255 - palette
    ink = ((batch - palette) / np.where(spread > 0, spread, 1)).max(axis=1)
    for row in range(20):
        grey = tuple(np.rint(ink[row] * 16).ravel())
        assert bundle.target[number[grey]] == data.column("digit").values[row]


@pytest.mark.parametrize("knobs", [{"rho": 1.2}, {"test_rho": -0.5}])
def test_a_share_outside_0_to_1_is_refused(knobs: dict[str, float]) -> None:
    """The message names the knob."""
    with pytest.raises(InputError, match=f"{next(iter(knobs))} = "):
        digits.load("train", NOWHERE, **knobs)


def test_the_name_is_what_one_types() -> None:
    """Knobs at their defaults are not spelled out."""
    assert digits.load("train", NOWHERE).name == "digits"
    assert digits.load("train", NOWHERE, rho=0.9, seed=2).name == "digits:rho=0.9,seed=2"
