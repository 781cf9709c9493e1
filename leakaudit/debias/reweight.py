"""
Group balance: every (target, private) cell counts alike. The baseline that everybody forgets.

`by = "draw"` draws rows with a probability inverse to the size of their cell (RWG of Idrissi, Arjovsky, Pezeshki and
Lopez-Paz, "Simple data balancing achieves competitive worst-group-accuracy", CLeaR 2022); `by = "loss"` leaves the
batches as they come and weighs each row's cross-entropy instead, with the same expectation and more spread.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics import groups


class Reweight(Objective):
    """Cross-entropy of rows drawn, or weighed, so that cells are even."""

    of_cell: Float[Tensor, " cells"]

    def __init__(self, sizes: Sizes, by: Literal["draw", "loss"]) -> None:
        super().__init__()
        self.by, self.privates = by, sizes.privates
        self.register_buffer("of_cell", _even(sizes.table), persistent=False)

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The mean; a row without a private label counts once."""
        each = functional.cross_entropy(out.logits, batch.y, reduction="none")
        if self.by == "draw":
            return each.mean()
        cell = groups.cells(batch.y, batch.v, self.privates)
        return (torch.where(cell >= 0, self.of_cell[cell.clamp(min=0)], 1.0) * each).mean()

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Inverse to the size of a row's cell."""
        if self.by == "draw":
            return groups.evening(table.y, table.v, self.privates)
        counts = groups.counted(table.y, table.v, len(self.of_cell) // self.privates, self.privates)
        self.of_cell = _even(counts)
        return None


def _even(table: Int64[Tensor, "targets privates"]) -> Float[Tensor, " cells"]:
    """What a row of each cell counts, so that cells count alike and rows once in the mean."""
    filled = table > 0
    share = table.sum() / filled.sum().clamp(min=1)
    return torch.where(filled, share / table.clamp(min=1), 0.0).float().flatten()


def objective(sizes: Sizes, *, by: Literal["draw", "loss"] = "draw") -> Objective:
    """Group balance by drawing rows or by weighing losses."""
    return Reweight(sizes, by)
