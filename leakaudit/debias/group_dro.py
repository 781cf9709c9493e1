"""
Group DRO: go down on the (target, private) cell that fares worst.

Sagawa, Koh, Hashimoto and Liang, "Distributionally Robust Neural Networks for Group Shifts", ICLR 2020, algorithm 1:
weights of the cells rise exponentially with their losses, q <- q exp(eta loss) / sum. `adjustment` is their C: C over
the root of a cell's rows is added to its loss (section 3.3). As in their code rows are drawn so that cells are even,
unless `even` is false. A cell without rows in a batch keeps its weight.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics import groups
from leakaudit.numerics.knobs import at_least

LEAST = 1e-30
"""Weight below which no cell that has rows falls."""


class GroupDro(Objective):
    """The cells' mean losses, weighted by q."""

    q: Float[Tensor, " cells"]
    extra: Float[Tensor, " cells"]

    def __init__(self, sizes: Sizes, eta: float, adjustment: float, *, even: bool) -> None:
        super().__init__()
        self.eta, self.adjustment, self.even, self.privates = eta, adjustment, even, sizes.privates
        rows = sizes.table.flatten()
        there = (rows > 0).float()
        self.register_buffer("q", there / there.sum().clamp(min=1))
        self.register_buffer("extra", adjustment / rows.clamp(min=1).sqrt(), persistent=False)

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """Learn from the worst; rows without a private label count as one more cell, whose weight is their share."""
        each = functional.cross_entropy(out.logits, batch.y, reduction="none")
        cell = groups.cells(batch.y, batch.v, self.privates)
        known = (cell >= 0).to(each.dtype)
        counts, sums = (
            each.new_zeros(len(self.q)).index_add(0, cell.clamp(min=0), part) for part in (known, known * each)
        )
        here = counts > 0
        means = torch.where(here, sums / counts.clamp(min=1) + self.extra.to(each.dtype), 0.0)
        if self.training:
            self.q = _risen(self.q, self.eta * means.detach().to(self.q.dtype))
        rest = ((1 - known) * each).mean()
        return (self.q.to(each.dtype) * means).sum() * known.mean() + rest

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Inverse to the size of a row's cell; cells are counted anew."""
        rows = groups.counted(table.y, table.v, len(self.q) // self.privates, self.privates).flatten()
        self.extra = self.adjustment / rows.clamp(min=1).sqrt()
        there = (rows > 0).to(self.q.dtype)  # private labels that are made out while training move between cells
        q = torch.where(self.q > 0, self.q, 1 / there.sum().clamp(min=1)) * there
        self.q = q / q.sum().clamp(min=LEAST)
        return groups.evening(table.y, table.v, self.privates) if self.even else None


def _risen(q: Float[Tensor, " cells"], by: Float[Tensor, " cells"]) -> Float[Tensor, " cells"]:
    """Line 6 of algorithm 1, and 7; from the largest exponent down, so that none overflows."""
    there = q > 0
    top = torch.where(there, by, -torch.inf).max()
    risen = torch.where(there, (q * (by - top).exp()).clamp(min=LEAST), 0.0)
    return risen / risen.sum().clamp(min=LEAST)


def objective(sizes: Sizes, *, eta: float = 0.01, adjustment: float = 0.0, even: bool = True) -> Objective:
    """Group DRO with step `eta` of the cells' weights."""
    at_least("group-dro", 0, eta=eta, adjustment=adjustment)
    return GroupDro(sizes, eta, adjustment, even=even)
