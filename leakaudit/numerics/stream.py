"""Rows that stay on disk, as a fit or a test visits them: in ranges that float32 can serve, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.lying import BLOCK, Lying, Shelf
from leakaudit.numerics.moments import Whitening
from leakaudit.numerics.ranges import Ranges


@dataclass(frozen=True)
class Stream:
    """Z and target of every row of a file; each visit reads it anew (`sweeps.Blocks`)."""

    lying: Lying | Shelf
    tame: Ranges
    target: Int64[np.ndarray, " n"]
    """Stratum of each row; -1 where it is missing, or is none of the sample's."""
    device: str = "cpu"

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.lying)

    @property
    def width(self) -> int:
        """Count of columns."""
        return self.lying.width

    def blocks(self) -> Iterator[tuple[slice, Float[Tensor, "b d"]]]:
        """All rows in order, as consecutive slices and their values, which the next block overwrites."""
        room = torch.empty(min(BLOCK, len(self)), self.width)
        for rows, stored in self.lying.blocks(BLOCK):
            block = room[: len(stored)].copy_(torch.from_numpy(stored))
            yield rows, torch.from_numpy(self.tame(block.numpy())).to(self.device)


@dataclass(frozen=True)
class Leading:
    """Whitened components of rows on disk, made of the rows that are asked for: `leading[rows, :count]`."""

    stream: Stream
    basis: Whitening

    def __getitem__(self, key: tuple[Int64[np.ndarray, " m"], slice]) -> Float32[np.ndarray, "m r"]:
        """So many leading components of some rows."""
        rows, columns = key
        return self.basis.components(self.stream.tame(self.stream.lying.take(rows)), columns.stop)
