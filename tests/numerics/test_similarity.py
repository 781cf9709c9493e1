"""PSNR and SSIM of each image are the definitions' values."""

import numpy as np
import pytest

from leakaudit.errors import InputError
from leakaudit.numerics import similarity


def images(seed: int, shape: tuple[int, ...] = (7, 3, 8, 8)) -> np.ndarray:
    """Random images in 0..1."""
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_psnr_is_minus_ten_log_of_the_squared_error() -> None:
    """Each image has the PSNR of its own squared error, in dB."""
    made, true = images(0, (600, 1, 8, 8)), images(1, (600, 1, 8, 8))
    expected = -10 * np.log10(((made - true) ** 2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(similarity.psnr(made, true), expected, rtol=1e-5)


def test_equal_images_are_as_alike_as_can_be() -> None:
    """An image has SSIM 1 with itself, and the largest PSNR that is counted."""
    np.testing.assert_allclose(similarity.ssim(images(0), images(0)), 1.0, atol=1e-5)
    np.testing.assert_array_equal(similarity.psnr(images(0), images(0)), similarity.LOUDEST)


def test_ssim_of_flat_images_is_the_luminance_term() -> None:
    """Of two flat images only (2ab + c1) / (a^2 + b^2 + c1) is left, c1 = 0.01^2."""
    a, b, c1 = 0.3, 0.8, 0.01**2
    made, true = np.full((2, 3, 12, 12), a, np.float32), np.full((2, 3, 12, 12), b, np.float32)
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    np.testing.assert_allclose(similarity.ssim(made, true), expected, rtol=1e-3)


@pytest.mark.parametrize("side", [5, 6, 7, 10, 11, 32])
def test_a_window_fits_into_every_image(side: int) -> None:
    """The window is no larger than the image, and the definition names it."""
    window, _ = similarity.window(side, side + 3)
    assert window <= side
    assert np.isfinite(similarity.ssim(images(0, (2, 1, side, side + 3)), images(1, (2, 1, side, side + 3)))).all()
    assert f"{window}x{window}" in similarity.definition(side, side + 3)


def test_images_too_small_for_a_window_are_refused() -> None:
    """Four pixels a side have no structure to compare."""
    with pytest.raises(InputError, match="5 a side"):
        similarity.window(4, 9)
