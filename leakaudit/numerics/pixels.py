"""Images as numbers: to 0..1, averaged down to a few pixels a side, and back to pictures."""

import base64
import io

import numpy as np
import torch
from jaxtyping import Float32, Int64

from leakaudit.dataset import Batch, Images
from leakaudit.numerics.resizing import fit

STRIDE = 1024
"""Images visited at a time."""
RGB = 3


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
    return np.concatenate([shrink(unit(_fitted(images, part)), side) for part in rows])


def _fitted(images: Images, rows: Int64[np.ndarray, " b"]) -> Batch:
    batch: Batch = fit(torch.from_numpy(np.ascontiguousarray(images.batch(rows))), images.shape).numpy()
    return batch


def strip(images: Float32[np.ndarray, "n c h w"]) -> str:
    """Images in 0..1 side by side as one PNG in base64: grey or RGB; other counts of channels are averaged to grey."""
    from PIL import Image

    channels = images.shape[1]
    plain = images if channels in (1, RGB) else images.mean(axis=1, keepdims=True)
    bytes_ = (plain.clip(0, 1) * 255).round().astype(np.uint8)
    row = np.concatenate(list(bytes_), axis=2).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(row if channels == RGB else row[:, :, 0]).save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
