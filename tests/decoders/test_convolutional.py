"""The convolutional decoder finds the image where the bottleneck holds it, and the mean where it does not."""

import numpy as np
import pytest

from leakaudit import catalog
from leakaudit.decoders.convolutional import decode

ROWS, SEEN = 400, 320


def psnr(made: np.ndarray, true: np.ndarray) -> float:
    """In dB, over all pixels."""
    return float(-10 * np.log10(np.mean((made - true) ** 2)))


def linear_code(shape: tuple[int, int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images that are linear in eight numbers, and those numbers turned into twenty."""
    chance = np.random.default_rng(seed)
    code = chance.uniform(-1, 1, size=(ROWS, 8))
    images = 0.5 + code @ chance.uniform(-1, 1, size=(8, int(np.prod(shape)))) / 16
    return (code @ chance.normal(size=(8, 20))).astype(np.float32), images.reshape(-1, *shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 7, 5), (3, 28, 28)])
def test_a_linear_image_code_is_inverted(shape: tuple[int, int, int]) -> None:
    """Where pixels are linear in z, reconstructions of unseen rows are within 50 dB of the truth; the mean is not."""
    z, images = linear_code(shape)
    made = decode(z[:SEEN], images[:SEEN], z[SEEN:], seed=0, device="cpu", epochs=3)
    assert made.images.shape == (ROWS - SEEN, *shape)
    assert psnr(made.images, images[SEEN:]) > 50
    assert psnr(images[:SEEN].mean(axis=0), images[SEEN:]) < 30


def test_noise_is_answered_with_the_mean_image() -> None:
    """Where z knows nothing of the image, nothing beats the mean of the seen images by more than chance (0.1 dB)."""
    _, images = linear_code((3, 8, 8))
    noise = np.random.default_rng(1).normal(size=(ROWS, 20)).astype(np.float32)
    made = decode(noise[:SEEN], images[:SEEN], noise[SEEN:], seed=0, device="cpu")
    mean = psnr(images[:SEEN].mean(axis=0), images[SEEN:])
    assert mean - 0.3 < psnr(made.images, images[SEEN:]) < mean + 0.1
    assert made.converged


def test_the_network_finds_what_no_linear_map_does() -> None:
    """A blot that is dark where the product of two numbers is positive is drawn by the network, not by the ridge."""
    chance = np.random.default_rng(0)
    z = chance.choice([-1.0, 1.0], size=(ROWS, 4)).astype(np.float32)
    images = np.full((ROWS, 1, 8, 8), 0.5, dtype=np.float32)
    images[:, :, :4] += 0.3 * (z[:, 0] * z[:, 1])[:, None, None, None]
    linear, curved = (decode(z[:SEEN], images[:SEEN], z[SEEN:], seed=0, device="cpu", epochs=n) for n in (0, 25))
    assert psnr(linear.images, images[SEEN:]) < 14
    assert psnr(curved.images, images[SEEN:]) > 30
    assert not linear.converged


def test_constant_and_wide_bottlenecks_are_decoded() -> None:
    """A column that never changes, or more columns than rows, breaks nothing."""
    z, images = linear_code((3, 8, 8))
    wide = np.concatenate([np.tile(z, 30), np.full((ROWS, 1), 1e6, np.float32)], axis=1)
    made = decode(wide[:SEEN], images[:SEEN], wide[SEEN:], seed=0, device="cpu", epochs=2)
    assert psnr(made.images, images[SEEN:]) > 40


@pytest.mark.parametrize("name", catalog.names("decoders"))
def test_contract(name: str) -> None:
    """Every decoder answers with images in 0..1 of the right shape, the same twice, and does not touch its input."""
    tool = catalog.thing("decoders", name).decode
    z, images = linear_code((3, 8, 8))
    before = z.copy(), images.copy()
    first, second = (tool(z[:SEEN], images[:SEEN], z[SEEN:], seed=3, device="cpu") for _ in range(2))
    assert first.images.shape == (ROWS - SEEN, 3, 8, 8)
    assert first.images.dtype == np.float32
    assert 0 <= first.images.min() <= first.images.max() <= 1
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(before[0], z)
    np.testing.assert_array_equal(before[1], images)
