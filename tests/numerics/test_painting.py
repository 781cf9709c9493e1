"""Images that are coloured on the device are those that would have been coloured before, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from leakaudit.dataset import Dataset, Images, Pixels, Selected
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.painting import Canvas, Painted, painted

ROWS, SIDE = 64, 28
MEAN, STD = (0.485, 0.5, 0.1), (0.229, 0.5, 2.0)


def drawings() -> Painted:
    """Scans of every grey, half of each empty, on random grounds: with 192 numbers, most of the 256."""
    random = np.random.default_rng(0)
    drawn = random.integers(0, 256, (ROWS, SIDE, SIDE), dtype=np.uint8)
    drawn[random.random(drawn.shape) < 0.5] = 0
    return Painted(drawn, random.permutation(256)[: 3 * ROWS].astype(np.uint8).reshape(ROWS, 3))


def coloured(images: Painted) -> Pixels:
    """The same images as bytes, by the papers' rule written out."""
    values = np.empty((len(images), *images.shape), np.uint8)
    for image, drawn, ground in zip(values, images.drawn, images.ground, strict=True):
        image[:] = ground[:, None, None]
        image[:, drawn != 0] = 255
    return Pixels(values)


def toy(images: Images) -> Dataset:
    """A data set of these images."""
    return Dataset("toy", "train", images, {}, np.arange(len(images), dtype=np.uint64), MEAN, STD)


def check(images: Images, plain: Images, device: str) -> None:
    """Batches of any rows are equal to the last bit, and lie in memory alike."""
    parts = [torch.tensor(rows, device=device) for rows in ([3], [7, 7, 0], list(range(len(plain))))]
    mine, other = Feed(toy(images), device), Feed(toy(plain), device)
    assert isinstance(mine.held, Canvas)
    assert not isinstance(other.held, Canvas)
    for x, y in zip(mine.batches(parts), other.batches(parts), strict=True):
        assert torch.equal(x, y)
        assert x.stride() == y.stride()


def test_batches_and_hashes_are_those_of_the_coloured_bytes() -> None:
    """Whoever asks for images, or for what they are made of, sees no difference."""
    images, rows = drawings(), np.array([5, 0, 5])
    plain = coloured(images)
    assert images.batch(rows).tobytes() == plain.batch(rows).tobytes()
    assert images.contents(rows).tolist() == plain.contents(rows).tolist()
    assert (images.shape, len(images)) == (plain.shape, len(plain))
    assert toy(images).fingerprint == toy(plain).fingerprint
    assert images.drawn.nbytes + images.ground.nbytes < plain.values.nbytes / 2.9


def test_images_coloured_on_the_device_are_bit_equal() -> None:
    """Whole or some of them, in whatever order; streamed too."""
    images = drawings()
    check(images, coloured(images), "cpu")
    some = np.array([9, 3, 3, 60, 1, 2, 4, 8])
    check(
        Selected(Selected(images, np.arange(ROWS)[::-1].copy()), some),
        Pixels(coloured(images).values[::-1][some]),
        "cpu",
    )
    rows = [torch.arange(ROWS)]
    streamed, held = (torch.cat([*Feed(toy(images), "cpu", room).batches(rows)]) for room in (0, None))
    assert torch.equal(streamed, held)


def test_every_byte_of_a_ground_is_normalised_as_in_an_image() -> None:
    """All 256 of them, in each channel."""
    grounds = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    images = Painted(np.zeros((256, 5, 7), np.uint8), grounds)
    check(replace(images, drawn=images.drawn.copy()), coloured(images), "cpu")


def test_images_brought_to_another_size_are_none_of_these() -> None:
    """They are resized as bytes, and so is whatever was never painted."""
    images = drawings()
    assert painted(Selected(images, np.arange(3), size=14)) is None
    assert painted(coloured(images)) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_on_cuda_they_are_bit_equal_too() -> None:
    """Against bytes that are normalised on the same device."""
    images = drawings()
    check(images, coloured(images), "cuda:0")
