"""Images as numbers: to 0..1, and averaged down to a few pixels a side."""

import numpy as np
import torch
from jaxtyping import Float32

from leakaudit.dataset import Batch, Images

STRIDE = 1024
"""Images visited at a time."""


def unit(batch: Batch) -> Float32[np.ndarray, "b c h w"]:
    """Pixels in 0..1, whatever the source keeps."""
    return batch.astype(np.float32) / 255 if batch.dtype == np.uint8 else np.asarray(batch, dtype=np.float32)


def shrink(images: Float32[np.ndarray, "n c h w"], side: int) -> Float32[np.ndarray, "n c s t"]:
    """Averaged over areas so that no side is longer than `side`; smaller images stay as they are."""
    height, width = images.shape[2:]
    if max(height, width) <= side:
        return images
    size = (min(height, side), min(width, side))
    return torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(images), size).numpy()


def gather(images: Images, side: int) -> Float32[np.ndarray, "n c s t"]:
    """All images of a source in 0..1, no side longer than `side`, visited in blocks."""
    blocks = range(0, len(images), STRIDE)
    rows = [np.arange(first, min(first + STRIDE, len(images)), dtype=np.int64) for first in blocks]
    return np.concatenate([shrink(unit(images.batch(part)), side) for part in rows])
