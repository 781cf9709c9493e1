"""
Images as a network takes them: of its size, float32, each channel less its mean and divided by its deviation.

Where a network was evaluated on the middle of larger images, they are brought to that size, their sides in ratio where
it was so, and the middle is cut out, as by torchvision's Resize and CenterCrop. A grey image enters a network for
colour as three channels alike. Bytes whose channels lie last in memory, as files are decoded, are normalised by one
multiplication and addition, some images at a time, so that what is made in between stays in the processor's cache.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from leakaudit.numerics.resizing import cover, fit, middle

CACHED = 1 << 20
"""Numbers that are normalised at a time on a CPU: 4 MiB."""
TOP = 255


class Normalise:
    """From images as their source keeps them to the input of a network."""

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        shape: tuple[int, ...],
        device: str = "cpu",
        resize: tuple[int, int] | None = None,
        *,
        ratio: bool = False,
    ) -> None:
        """
        At `shape` (c, h, w): (x / 255 - mean) / std where they are bytes, else (x - mean) / std.

        With `resize` they come to that height and width first, or with `ratio` cover them, their sides in ratio; and
        their middle, of `shape`, is taken.
        """
        self.resize, self.ratio = resize, ratio
        self.shape, self.device = tuple(shape), device
        self.mean, self.std = (torch.tensor(part, device=device).view(1, -1, 1, 1) for part in (mean, std))
        row = [torch.tensor(part, dtype=torch.float64).repeat(self.shape[2]) for part in (mean, std)]
        self.scale, self.shift = ((1 / (TOP * row[1])).float().to(device), (-row[0] / row[1]).float().to(device))

    def __call__(self, x: Shaped[Tensor, "b _channels _h _w"]) -> Float[Tensor, "b channels h w"]:
        """The images of a batch, on the device on which they lie; in the order in memory in which they come."""
        grey = x.shape[1] != self.shape[0]
        if grey or x.dtype != torch.uint8 or x.is_contiguous() or not x.permute(0, 2, 3, 1).is_contiguous():
            return self.plainly(self._cut(x))
        channels, height, width = self.shape
        out = torch.empty(len(x), height, width * channels, device=x.device)
        step = max(1, CACHED // out[:1].numel()) if x.device.type == "cpu" else len(x)
        for first in range(0, len(x), max(1, step)):
            part = out[first : first + step]
            part.copy_(self._cut(x[first : first + step]).permute(0, 2, 3, 1).reshape(part.shape))
            torch.addcmul(self.shift, part, self.scale, out=part)
        return out.view(len(x), height, width, channels).permute(0, 3, 1, 2)

    def plainly(self, x: Shaped[Tensor, "b _channels _h _w"]) -> Float[Tensor, "b channels _h _w"]:
        """Images of any size, as they lie: the mean taken off, and divided by the deviation, number by number."""
        return ((x.float().div_(TOP) if x.dtype == torch.uint8 else x) - self.mean) / self.std

    def _cut(self, x: Tensor) -> Tensor:
        """At the size of the network."""
        if self.resize is None:
            return fit(x, (x.shape[1], *self.shape[1:]))
        size = (self.shape[1], self.shape[2])
        if self.ratio and len(x):
            return cover(x, self.resize, size)
        return middle(fit(x, (x.shape[1], *self.resize)), size)
