"""
EnD: pull apart what shares the private attribute, pull together what shares only the target.

Tartaglione, Barbano and Grangetto, "EnD: Entangling and Disentangling deep representations for bias correction", CVPR
2021, section 3. `variant = "paper"` penalises the absolute cosine of every pair of rows that share the private class
(equation 7) and uses every pair that shares the target alone. `variant = "released"` is the authors' code, from which
their published figures come: there the absolute value is taken of the sum over each private class, and a pair counts
only when the later of its two rows has the smaller private class. Both terms are means over pairs on a scale of 0..1,
as in the code.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics.knobs import at_least

Variant = Literal["paper", "released"]


class EnD(Objective):
    """Cross-entropy + alpha R_perp + beta R_par."""

    def __init__(self, variant: Variant, alpha: float, beta: float, privates: int) -> None:
        super().__init__()
        self.variant, self.alpha, self.beta, self.privates = variant, alpha, beta, privates

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of the three terms; rows without a private label take part in the first alone."""
        loss = functional.cross_entropy(out.logits, batch.y)
        cosine = cosines(out.z)
        return loss + self.alpha * self.disentangling(cosine, batch) + self.beta * self.entangling(cosine, batch)

    def disentangling(self, cosine: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """R_perp in 0..1: how far rows of one private class point along one line; 0 where no two rows share one."""
        pairs = _pairs(batch) & (batch.v[:, None] == batch.v[None])
        if self.variant == "paper":
            return _mean(cosine.abs(), pairs)
        member = functional.one_hot(batch.v.clamp(min=0), self.privates).to(cosine.dtype)
        within = torch.einsum("ik,ij,jk->k", member, cosine * pairs, member)
        return within.abs().sum() / pairs.sum().clamp(min=1)

    def entangling(self, cosine: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """R_par in 0..1: how far rows of one target but unlike private class point apart; 0 where there is no pair."""
        row, column = batch.v[:, None], batch.v[None]
        unlike = row != column if self.variant == "paper" else row < column
        pairs = _pairs(batch) & (batch.y[:, None] == batch.y[None]) & unlike
        return _mean((1 - cosine) / 2, pairs)


def cosines(z: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Cosine of the angle between each two rows, clamped against rounding; rows on the unit sphere stay as they are."""
    unit = functional.normalize(z)
    return (unit @ unit.T).clamp(-1, 1)


def _pairs(batch: Batch) -> Bool[Tensor, "n n"]:
    """Each two rows with a private label once: the row after the column."""
    known = batch.v >= 0
    return (known[:, None] & known[None]).tril(-1)


def _mean(values: Float[Tensor, "n n"], pairs: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
    return (values * pairs).sum() / pairs.sum().clamp(min=1)


def objective(sizes: Sizes, *, variant: Variant = "paper", alpha: float = 1.0, beta: float = 1.0) -> Objective:
    """EnD with `alpha` on disentangling and `beta` on entangling."""
    at_least("end", 0, alpha=alpha, beta=beta)
    return EnD(variant, alpha, beta, sizes.privates)
