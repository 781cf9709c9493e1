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


def test_blocks_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of more images than a block holds comes back whole, in its own order."""
    monkeypatch.setattr(pixels, "STRIDE", 400)
    values = np.random.default_rng(0).integers(0, 256, size=(303, 1, 2, 2), dtype=np.uint8)
    np.testing.assert_array_equal(pixels.gather(Pixels(values), 32), values / np.float32(255))


def test_more_images_than_are_held_become_their_leading_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them keep every distance between images; few keep the directions of most variance, in their order."""
    monkeypatch.setattr(pixels, "STRIDE", 400)
    values = np.random.default_rng(0).integers(0, 256, size=(303, 3, 2, 2), dtype=np.uint8)
    values[:, 1] //= 8
    source, plain = Pixels(values), values.reshape(303, 12) / np.float32(255)
    np.testing.assert_array_equal(pixels.components(source, 32, held=303 * 12), plain)
    whole = pixels.components(source, 32, held=303 * 12 - 1)
    assert whole.shape == (303, 12)
    np.testing.assert_allclose(
        np.linalg.norm(whole - whole[5], axis=1), np.linalg.norm(plain - plain[5], axis=1), atol=1e-4
    )
    monkeypatch.setattr(pixels, "LEADING", 4)
    few = pixels.components(source, 32, held=0)
    np.testing.assert_allclose(few, whole[:, :4], atol=1e-4)
    assert (np.diff(few.var(axis=0)) < 0).all()
    monkeypatch.setattr(pixels, "DRAWN", 150)
    some = pixels.components(source, 32, held=0)
    assert some.shape == (303, 4)
    assert some.var(axis=0).sum() > 0.8 * few.var(axis=0).sum()


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (2, "L")])
def test_a_strip_is_the_images_side_by_side(channels: int, mode: str) -> None:
    """The PNG holds the bytes of the images from left to right."""
    values = np.random.default_rng(0).integers(0, 256, size=(3, channels, 5, 4), dtype=np.uint8)
    picture = Image.open(io.BytesIO(base64.b64decode(pixels.strip(pixels.unit(values)))))
    assert (picture.mode, picture.size) == (mode, (12, 5))
    if channels != 2:
        row = np.asarray(picture).reshape(5, 3, 4, channels).transpose(1, 3, 0, 2)
        np.testing.assert_array_equal(row, values)
