"""
Images as a network takes them: of its size, float32, each channel less its mean and divided by its deviation.

Bytes whose channels lie last in memory, as files are decoded, are normalised by one multiplication and addition, some
images at a time, so that what is made in between stays in the processor's cache.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from leakaudit.numerics.resizing import fit

CACHED = 1 << 20
"""Numbers that are normalised at a time on a CPU: 4 MiB."""
TOP = 255


class Normalise:
    """From images as their source keeps them to the input of a network."""

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], shape: tuple[int, ...], device: str = "cpu"
    ) -> None:
        """At `shape` (c, h, w): (x / 255 - mean) / std where they are bytes, else (x - mean) / std."""
        self.shape, self.device = tuple(shape), device
        self.mean, self.std = (torch.tensor(part, device=device).view(1, -1, 1, 1) for part in (mean, std))
        row = [torch.tensor(part, dtype=torch.float64).repeat(self.shape[2]) for part in (mean, std)]
        self.scale, self.shift = ((1 / (TOP * row[1])).float().to(device), (-row[0] / row[1]).float().to(device))

    def __call__(self, x: Shaped[Tensor, "b channels _h _w"]) -> Float[Tensor, "b channels h w"]:
        """The images of a batch, on the device on which they lie; in the order in memory in which they come."""
        x = fit(x, self.shape)
        if x.dtype != torch.uint8:
            return (x - self.mean) / self.std
        rows = x.permute(0, 2, 3, 1)
        if not rows.is_contiguous() or x.is_contiguous():
            return (x.float().div_(TOP) - self.mean) / self.std
        rows = rows.flatten(2)
        out = torch.empty(rows.shape, device=x.device)
        step = max(1, CACHED // max(1, rows[:1].numel())) if x.device.type == "cpu" else max(1, len(x))
        for first in range(0, len(x), step):
            part = slice(first, first + step)
            torch.addcmul(self.shift, rows[part].float(), self.scale, out=out[part])
        return out.view(len(x), *self.shape[1:], self.shape[0]).permute(0, 3, 1, 2)
