"""How alike two images are, row by row: PSNR and SSIM as torchmetrics computes them."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from leakaudit.errors import InputError

LOUDEST = 60.0
"""Largest PSNR counted, in dB: a squared error of 1e-6 cannot be seen, and equal images would have infinitely many."""
BLOCK = 512
WINDOWS = ((11, 1.5), (7, 0.8), (5, 0.5))
"""Side of the Gaussian window in pixels, and its standard deviation; the first that fits into the image is taken."""

Images = Float32[np.ndarray, "n c h w"]


def psnr(made: Images, true: Images) -> Float32[np.ndarray, " n"]:
    """Peak signal-to-noise ratio of each image in dB, for values in 0..1."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    def measure(a: Tensor, b: Tensor) -> Tensor:
        found: Tensor = peak_signal_noise_ratio(a, b, data_range=1.0, reduction="none", dim=(1, 2, 3))
        return found.reshape(-1).clamp_max(LOUDEST)

    return _each(measure, made, true)


def ssim(made: Images, true: Images) -> Float32[np.ndarray, " n"]:
    """
    Structural similarity of each image, for values in 0..1.

    Raises:
        InputError: the images are smaller than the smallest window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, sigma = window(*true.shape[2:])

    def measure(a: Tensor, b: Tensor) -> Tensor:
        found = structural_similarity_index_measure(a, b, sigma=sigma, data_range=1.0, reduction="none")
        assert isinstance(found, Tensor)
        return found.reshape(-1)

    return _each(measure, made, true)


def window(height: int, width: int) -> tuple[int, float]:
    """Side and standard deviation of the Gaussian window for images of this size."""
    for side, sigma in WINDOWS:
        if side <= min(height, width):
            return side, sigma
    raise InputError(f"images of {height}x{width} pixels: SSIM needs {WINDOWS[-1][0]} a side")


def definition(height: int, width: int) -> str:
    """Which PSNR and SSIM these are, for a reader."""
    import torchmetrics

    side, sigma = window(height, width)
    return (
        f"PSNR and SSIM by torchmetrics {torchmetrics.__version__}, values in 0..1, PSNR at most {LOUDEST:.0f} dB, "
        f"SSIM with a Gaussian window of {side}x{side} (sigma {sigma}, reflected borders, k1 .01, k2 .03), "
        f"at {height}x{width} pixels"
    )


def _each(measure: Callable[[Tensor, Tensor], Tensor], made: Images, true: Images) -> Float32[np.ndarray, " n"]:
    found = []
    for first in range(0, len(true), BLOCK):
        part = slice(first, first + BLOCK)
        found.append(measure(torch.from_numpy(made[part]), torch.from_numpy(true[part])))
    values: Float32[np.ndarray, " n"] = torch.cat(found).numpy().astype(np.float32)
    return values
