"""Shares of the classes, known before anything is read from z: within each class conditioned on, and beside it."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from leakaudit.numerics.deck import Rows


def shares(rows: Rows, prior: Tensor | None, classes: int) -> Tensor:
    """
    Of the classes within each of those conditioned on, (p, s, c), without what `prior` makes of them.

    Drawn to the shares among all rows as far as chance alone would part them: James and Stein, by chi-square.
    """
    p, s = len(rows.labels), rows.hot.shape[1]
    weights = rows.weights
    if prior is not None:
        weights = weights * beside(prior, rows.strata).gather(2, rows.labels[:, :, None]).squeeze(2).neg().exp()
    place = rows.hot.argmax(1) * classes + rows.labels
    cells = weights.new_zeros(p, s * classes).scatter_add_(1, place, weights).view(p, s, classes)
    pooled = cells.sum(1, keepdim=True)
    each = cells.sum(2, keepdim=True)
    whole = each.sum(1, keepdim=True).clamp_min(1e-12)
    pooled = (pooled / whole).clamp_min(1e-4)
    apart = cells / each.clamp_min(1e-12) - pooled
    count = weights.sum(1).square() / weights.square().sum(1).clamp_min(1e-12)
    chi = (apart.square() / pooled * each / whole).sum((1, 2)) * count
    rise = (1 - (s - 1) * (classes - 1) / chi.clamp_min(1e-12)).clamp_min(0)
    return (pooled + apart * rise[:, None, None] * (each > 0)).clamp_min(1e-4)


def beside(prior: Float[Tensor, "p t c"], strata: Int64[Tensor, "*p b"]) -> Float[Tensor, "p b c"]:
    """The prior of each row, the rows the same for all questions or each its own."""
    if strata.dim() == 1:
        return prior[:, strata]
    return prior[torch.arange(len(prior), device=prior.device)[:, None], strata]
