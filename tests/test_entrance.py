"""Images enter an encoder as they fit; what is done to them is said, and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest
from test_extract import dataset, encoder

from leakaudit import entrance
from leakaudit.errors import InputError


def test_images_that_fit_enter_without_a_word() -> None:
    """Of the encoder's own size, or of the size out of which it cuts the middle."""
    data = dataset(3)
    assert entrance.check(encoder(data), data) == ()
    assert entrance.check(replace(encoder(dataset(3, (3, 6, 6))), resize=(8, 8)), data) == ()


def test_what_is_made_to_fit_is_said() -> None:
    """Grey images for colour, and images of another size than that out of which the middle is cut."""
    colour, grey = dataset(3), dataset(3, (1, 8, 8))
    note = "the images are grey: their one channel enters the network 3 times"
    assert entrance.check(encoder(colour), grey) == (note,)
    cut = replace(encoder(colour), resize=(10, 12))
    assert entrance.check(cut, colour) == ("images of 8x8 are resized to 10x12, and their middle 8x8 is read",)


@pytest.mark.parametrize(
    ("made", "given", "said"),
    [
        ((3, 8, 8), (3, 9, 8), r"takes images of 3x8x8, noise has 3x9x8 \(channels x h x w\)$"),
        ((1, 8, 8), (3, 8, 8), r"takes images of 1x8x8, noise has 3x8x8 .*; make them grey first$"),
        ((4, 8, 8), (1, 8, 8), r"takes images of 4x8x8, noise has 1x8x8"),
        ((3, 8, 8), (2, 8, 8), r"takes images of 3x8x8, noise has 2x8x8"),
    ],
)
def test_what_does_not_fit_is_refused(made: tuple[int, int, int], given: tuple[int, int, int], said: str) -> None:
    """Another size, colours for a grey network, and numbers of channels that say nothing to each other."""
    source = replace(encoder(dataset(3)), shape=made)
    with pytest.raises(InputError, match=said):
        entrance.check(source, dataset(3, given))
    with pytest.raises(InputError, match="no rows in split test"):
        entrance.check(encoder(dataset(3)), dataset(3).take(np.zeros(0, np.int64)))


def test_no_middle_is_cut_out_of_what_is_smaller() -> None:
    """A size before the cut that is smaller than the cut is a mistake."""
    data = dataset(3)
    with pytest.raises(InputError, match="no middle of 8x8 in images resized to 7x9"):
        entrance.check(replace(encoder(data), resize=(7, 9)), data)
