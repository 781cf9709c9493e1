"""Arrays of images, one after another, as one source: nothing is copied before it is asked for."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from leakaudit.dataset import hashes


@dataclass(frozen=True)
class Joined:
    """The images of several arrays, each in memory or memory-mapped."""

    parts: tuple[UInt8[np.ndarray, "_ c h w"], ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.parts[0].shape
        return channels, height, width

    def __len__(self) -> int:
        """Count of images."""
        return sum(map(len, self.parts))

    def batch(self, rows: Int64[np.ndarray, " b"]) -> UInt8[np.ndarray, "b c h w"]:
        """The images of these rows, copied."""
        images = np.empty((len(rows), *self.shape), dtype=np.uint8)
        starts = np.cumsum([0, *map(len, self.parts)])
        which = np.searchsorted(starts, rows, side="right") - 1
        for place in np.unique(which):
            mine = which == place
            images[mine] = self.parts[place][rows[mine] - starts[place]]
        return images

    def contents(self, rows: Int64[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
        """A hash of each image's pixels."""
        return hashes(image.tobytes() for image in self.batch(rows))
