"""
Columns as normal scores: each column's monotone map to a Gaussian, so that what was linear before a ReLU is so again.

Liu, Lafferty and Wasserman, "The nonparanormal", JMLR 2009, section 4: the truncated empirical distribution of a
column, sent through the inverse of the normal one. Here on a grid, linear between its points and beyond its ends.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from leakaudit.numerics.device import generator

CELLS = 256
"""Cells of the grid over each column's range."""
SAMPLE = 8_000
"""Rows at most from which the distribution is learned."""
TAIL = 0.001
"""Share of the rows beyond each end of the grid."""
LEAST = 1e-36
"""Width of a cell below which a column counts as constant."""
BLOCK = 1 << 20
"""Numbers mapped at a time."""


@dataclass(frozen=True)
class Scores:
    """A monotone map for each column."""

    low: Float32[Tensor, " d"]
    density: Float32[Tensor, " d"]
    """Cells per unit of the column; 0 where it is constant."""
    level: Float32[Tensor, "cells d"]
    """Score at the beginning of each cell."""
    slope: Float32[Tensor, "cells d"]
    """Scores per cell."""

    def of(self, z: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
        """The scores of the rows of z."""
        out = np.empty(z.shape, np.float32)
        device, d = self.low.device, z.shape[1]
        column = torch.arange(d, device=device)
        level, slope = self.level.flatten(), self.slope.flatten()
        size = max(1, BLOCK // max(1, d))
        for start in range(0, len(z), size):
            block = torch.from_numpy(np.ascontiguousarray(z[start : start + size])).to(device)
            place = (block - self.low).mul_(self.density).clamp_(-CELLS, 2 * CELLS)
            cell = place.floor().clamp_(0, CELLS - 1)
            at = cell.to(torch.int64).mul_(d).add_(column)
            out[start : start + size] = torch.addcmul(level[at], place.sub_(cell), slope[at]).cpu().numpy()
        return out


def learn(z: Float32[np.ndarray, "n d"], seed: int, device: str) -> Scores:
    """The map of each column of z; a constant column is sent to zero."""
    chance = generator(seed)
    rows = torch.randperm(len(z), generator=chance)[:SAMPLE].sort().values.numpy()
    ordered = torch.from_numpy(np.ascontiguousarray(z[rows].T)).to(device).sort(1).values
    count = ordered.shape[1]
    edge = int(TAIL * count)
    low, high = ordered[:, edge], ordered[:, count - 1 - edge]
    share = torch.linspace(0, 1, CELLS + 1, device=device)
    grid = low[:, None] * (1 - share) + high[:, None] * share
    rank = (torch.searchsorted(ordered, grid, right=False) + torch.searchsorted(ordered, grid, right=True)) / 2
    score = torch.special.ndtri((rank.double() + 0.5) / (count + 1)).float()
    width = (high - low) / CELLS
    score = torch.where((width > LEAST)[:, None], score, 0.0)
    density = torch.where(width > LEAST, 1 / width, 0.0)
    return Scores(low, density, score[:, :-1].T.contiguous(), score.diff(dim=1).T.contiguous())
