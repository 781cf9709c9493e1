"""
Drawings on coloured grounds: what of an image is drawn, and the colour of its ground, from which it is made when asked.

A drawing is kept as it was scanned, one byte a pixel: whatever is not exactly zero becomes white, all else the ground
(Bahng et al., ICML 2020, section 4.2). So a set takes a third of the bytes of its coloured images, on a device too.
There an image is coloured and normalised by one choice between two colours that were normalised before, which are the
very numbers that the coloured image would have come to.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8, UInt64
from torch import Tensor

from leakaudit.dataset import Images, Selected, hashes
from leakaudit.numerics.normalising import Normalise

WHITE = 255


@dataclass(frozen=True)
class Painted:
    """Images that are coloured when they are asked for."""

    drawn: UInt8[np.ndarray, "n h w"]
    """0 where the ground is seen."""
    ground: UInt8[np.ndarray, "n c"]
    """Its colour."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, height, width = self.drawn.shape
        return self.ground.shape[1], height, width

    def __len__(self) -> int:
        """Count of images."""
        return len(self.drawn)

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b c h w"]:
        """The images of these rows."""
        return np.where(self.drawn[rows][:, None] > 0, np.uint8(WHITE), self.ground[rows][:, :, None, None])

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A hash of each image's pixels, as they are coloured."""
        return hashes(image.tobytes() for image in self.batch(rows))


class Canvas:
    """Painted images on a device, where they are coloured and normalised."""

    def __init__(self, images: Painted, normalise: Normalise) -> None:
        device, channels = normalise.device, images.shape[0]
        self.drawn = torch.from_numpy(images.drawn).to(device)
        self.ground = normalise.plainly(torch.from_numpy(images.ground).to(device)[:, :, None, None])
        white = torch.full((1, channels, 1, 1), WHITE, dtype=torch.uint8, device=device)
        self.white = normalise.plainly(white)

    def __call__(self, rows: Int64[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """The images of these rows, as `Normalise` gives them."""
        return torch.where(self.drawn[rows][:, None] > 0, self.white, self.ground[rows])


def painted(images: Images) -> Painted | None:
    """The painted images behind a source, in its order; None where there are none."""
    if isinstance(images, Painted):
        return images
    source = painted(images.source) if isinstance(images, Selected) and images.size is None else None
    if source is None or not isinstance(images, Selected):
        return None
    return Painted(source.drawn[images.rows], source.ground[images.rows])
