"""Images as numbers: to 0..1, averaged down to a few pixels a side, and back to pictures."""

import base64
import io
import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float32, Int64
from scipy.linalg import eigh

from leakaudit.dataset import Batch, Images
from leakaudit.numerics.resizing import fit

STRIDE = 1 << 24
"""Numbers visited at a time: 111 images of 3x224x224."""
HELD = 1 << 25
"""Numbers of all images together that are held whole; of more, leading components are."""
LEAST, LEADING = 64, 256
"""Components that are held then, at least and at most: a third of the numbers, or fewer."""
DRAWN = 8192
"""Images whose components they are."""
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
    every = np.arange(len(images), dtype=np.int64)
    return np.concatenate([part for _, part in _blocks(images, every, side)])


def components(images: Images, side: int, held: int = HELD) -> Float32[np.ndarray, "n p"]:
    """
    All images as `gather` gives them, flattened; where more than `held` numbers would be, their leading components.

    These are of `DRAWN` images, evenly apart: each image's places along the directions in which they vary most, without
    a look at any label.
    """
    drawn = np.unique(np.linspace(0, len(images) - 1, DRAWN).astype(np.int64))
    width = next(_blocks(images, drawn[:1], side))[1][0].size
    if len(images) * width <= held:
        return gather(images, side).reshape(len(images), width)
    some = np.concatenate([part.reshape(len(part), -1) for _, part in _blocks(images, drawn, side)])
    mean = some.mean(axis=0)
    some -= mean
    most = min(max(LEAST, held // 3 // len(images)), LEADING, width)
    directions = eigh(some.T @ some, subset_by_index=(width - most, width - 1), overwrite_a=True, check_finite=False)[1]
    basis = np.ascontiguousarray(directions[:, ::-1], dtype=np.float32)
    out = np.empty((len(images), most), np.float32)
    for rows, part in _blocks(images, np.arange(len(images), dtype=np.int64), side):
        out[rows] = (part.reshape(len(part), -1) - mean) @ basis
    return out


def _blocks(
    images: Images, rows: Int64[np.ndarray, " m"], side: int
) -> Iterator[tuple[slice, Float32[np.ndarray, "b c s t"]]]:
    """Some images in 0..1, no side longer than `side`, as consecutive slices of the rows asked for."""
    size = max(1, STRIDE // math.prod(images.shape))
    for first in range(0, len(rows), size):
        part = slice(first, min(first + size, len(rows)))
        batch = fit(torch.from_numpy(images.batch(rows[part])), images.shape).numpy()
        yield part, shrink(unit(batch), side)


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
