"""Training rows by (target, private) cell: priors, and how often to draw rows for even cells."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

RARE = 1e-9
"""Added to shares before their logarithm."""


def log_prior(table: Int64[Tensor, "targets privates"]) -> Float[Tensor, "privates targets"]:
    """Log p(y | v); even where a private class has no rows."""
    rows = table.sum(0).clamp(min=1)
    share = torch.where(table.sum(0) > 0, table / rows, 1 / len(table))
    return (share + RARE).log().T.float()


def cells(y: Int64[Tensor, " rows"], v: Int64[Tensor, " rows"], privates: int) -> Int64[Tensor, " rows"]:
    """The number of each row's cell; -1 without a private label."""
    return torch.where(v >= 0, y * privates + v, -1)


def counted(
    y: Int64[Tensor, " rows"], v: Int64[Tensor, " rows"], targets: int, privates: int
) -> Int64[Tensor, "targets privates"]:
    """Rows in each cell."""
    cell = cells(y, v, privates)
    return torch.bincount(cell[cell >= 0], minlength=targets * privates).view(targets, privates)


def evening(y: Int64[Tensor, " rows"], v: Int64[Tensor, " rows"], privates: int) -> Float[Tensor, " rows"]:
    """Weights inverse to the size of a row's cell, with mean 1; 1 without a private label."""
    size = counted(y, v, int(y.max()) + 1, privates).flatten().clamp(min=1)
    return _of_rows(1 / size, cells(y, v, privates), torch.inf)


def conditional(
    y: Int64[Tensor, " rows"], v: Int64[Tensor, " rows"], privates: int, most: float
) -> Float[Tensor, " rows"]:
    """
    Weights inverse to p(v | y), clipped at `most` times the smallest, with mean 1; 1 without a private label.

    Hong and Yang, NeurIPS 2021, released code: how the rows of the contrastive batches are drawn.
    """
    table = counted(y, v, int(y.max()) + 1, privates)
    share = table / table.sum(1, keepdim=True).clamp(min=1)
    return _of_rows((1 / share.clamp(min=RARE)).flatten(), cells(y, v, privates), most)


def _of_rows(weight: Float[Tensor, " cells"], cell: Int64[Tensor, " rows"], most: float) -> Float[Tensor, " rows"]:
    known = cell >= 0
    if not bool(known.any()):
        return torch.ones(len(cell), device=cell.device)
    of_row = weight[cell.clamp(min=0)]
    of_row = of_row.clamp(max=float(of_row[known].min()) * most)
    return torch.where(known, of_row / of_row[known].mean(), 1.0)
