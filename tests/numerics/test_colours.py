"""Colours are handed out by quota, not by a coin."""

import math

import numpy as np
import pytest

from leakaudit.errors import InputError
from leakaudit.numerics import colours


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_exactly_the_floor_of_each_digit_gets_its_own_colour(rho: float) -> None:
    """Of n images of a digit, floor(n rho) have the digit's own colour and no other image of it has."""
    digits = np.repeat(np.arange(10), [7, 20, 31, 100, 5, 6, 1, 50, 64, 10])
    found = colours.assign(digits, rho, np.random.default_rng(3))
    for digit in range(10):
        own = found[digits == digit]
        assert (own == digit).sum() == int(len(own) * rho)
    assert ((found >= 0) & (found < 10)).all()


def test_the_rest_is_cut_into_runs_of_equal_length() -> None:
    """What is left of a digit goes in runs of ceil(r / 9) to the other colours, so that some may stay unused."""
    digits = np.full(100, 4)
    found = colours.assign(digits, 0.8, np.random.default_rng(0))
    counts = np.sort(np.bincount(found[found != 4], minlength=10))[::-1]
    run = math.ceil(20 / 9)
    assert counts.tolist() == [run] * 6 + [20 - 6 * run] + [0] * 3


def test_the_same_generator_hands_out_the_same_colours_and_another_does_not() -> None:
    """Colours are a function of the seed."""
    digits = np.arange(500) % 10
    once, again, other = (colours.assign(digits, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_yellow_and_magenta_hold_225() -> None:
    """The ten colours are the released code's, quirks included: 225 in yellow and magenta where one expects 255."""
    palette = colours.palette()
    assert palette[3].tolist() == [225, 225, 0]
    assert palette[4].tolist() == [225, 0, 225]
    assert len({tuple(colour) for colour in palette.tolist()}) == 10


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(value: float) -> None:
    """A correlation rho is a share."""
    with pytest.raises(InputError, match="from 0 to 1"):
        colours.check_rho(value, "here: rho")
    assert colours.check_rho(1.0, "here: rho") == 1.0
