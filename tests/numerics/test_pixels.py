"""Images become numbers and pictures without loss."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from leakaudit.dataset import Pixels
from leakaudit.numerics import pixels


def test_bytes_and_numbers_are_the_same_image() -> None:
    """Bytes in 0..255 and numbers in 0..1 give the same values."""
    whole = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    np.testing.assert_array_equal(pixels.unit(whole), pixels.unit((whole / np.float32(255)).astype(np.float32)))


def test_means_over_areas_keep_the_mean() -> None:
    """Averaging down by a whole factor keeps each image's mean; a small image stays as it is."""
    x = np.random.default_rng(0).random((4, 3, 64, 96)).astype(np.float32)
    small = pixels.shrink(x, 32)
    assert small.shape == (4, 3, 32, 32)
    np.testing.assert_allclose(small.mean(axis=(2, 3)), x.mean(axis=(2, 3)), rtol=1e-5)
    assert pixels.shrink(small, 32) is small


def test_blocks_are_put_together_in_order() -> None:
    """A source of more images than a block holds comes back whole, in its own order."""
    rows = pixels.STRIDE + 3
    values = np.random.default_rng(0).integers(0, 256, size=(rows, 1, 2, 2), dtype=np.uint8)
    np.testing.assert_array_equal(pixels.gather(Pixels(values), 32), values / np.float32(255))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (2, "L")])
def test_a_strip_is_the_images_side_by_side(channels: int, mode: str) -> None:
    """The PNG holds the bytes of the images from left to right."""
    values = np.random.default_rng(0).integers(0, 256, size=(3, channels, 5, 4), dtype=np.uint8)
    picture = Image.open(io.BytesIO(base64.b64decode(pixels.strip(pixels.unit(values)))))
    assert (picture.mode, picture.size) == (mode, (12, 5))
    if channels != 2:
        row = np.asarray(picture).reshape(5, 3, 4, channels).transpose(1, 3, 0, 2)
        np.testing.assert_array_equal(row, values)
