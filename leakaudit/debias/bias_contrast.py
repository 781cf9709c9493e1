"""
BiasCon: rows of one target that differ in the private attribute lie together.

Hong and Yang, "Unbiased Classification through Bias-Contrastive and Bias-Balanced Learning", NeurIPS 2021, section 3.2:
SupCon whose positives share the target and not the private class, beside 0.01 times the cross-entropy; with `balanced`
that is the bias-balanced one (BC + BB). As in their sum over anchors an anchor without a positive counts as 0: where
few rows conflict, the cross-entropy weighs the more beside the rest. `ratio` draws rare (target, private) cells more
often, at most so many times as often as the commonest: the released code has a second loader for that, with 10 on
Biased-MNIST; here the one batch serves both terms, and the cross-entropy is weighed back to the rows as they are. 1,
the default, is what the Ital-IA 2023 table marks with a star.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics import contrast, groups
from leakaudit.numerics.knobs import above, at_least


class BiasCon(Objective):
    """ce (cross-entropy) + BiasCon(z)."""

    views = 2
    least = 2
    drawn: Float[Tensor, " rows"]
    prior: Float[Tensor, "privates targets"]

    def __init__(self, sizes: Sizes, ce: float, ratio: float, temperature: float, *, balanced: bool) -> None:
        super().__init__()
        self.ce, self.ratio, self.temperature, self.balanced = ce, ratio, temperature, balanced
        prior = groups.log_prior(sizes.table)
        self.register_buffer("prior", prior if balanced else torch.zeros_like(prior), persistent=False)
        self.register_buffer("drawn", torch.ones(sizes.rows), persistent=False)

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """Both terms; a row without a private label takes part in the cross-entropy alone."""
        s = contrast.cosines(out.z) / self.temperature
        known = batch.v >= 0
        both = known[:, None] & known[None]
        positives = contrast.alike(batch.y) & both & (batch.v[:, None] != batch.v[None])
        prior = self.prior[batch.v.clamp(min=0)] * known[:, None]
        each = functional.cross_entropy(out.logits + prior.to(out.logits.dtype), batch.y, reduction="none")
        back = 1 / self.drawn[batch.rows]
        return self.ce * (each * back).mean() + contrast.sup_con(s, positives, known)

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Rows of rare cells more often; the prior is counted anew."""
        privates, targets = self.prior.shape
        if self.balanced:
            self.prior = groups.log_prior(groups.counted(table.y, table.v, targets, privates))
        if self.ratio == 1:
            return None
        self.drawn = groups.conditional(table.y, table.v, privates, self.ratio)
        return self.drawn


def objective(
    sizes: Sizes, *, ce: float = 0.01, temperature: float = 0.07, ratio: float = 1.0, balanced: bool = False
) -> Objective:
    """BiasCon with `ce` on the cross-entropy, which is BiasBal's where `balanced`."""
    at_least("bias-contrast", 0, ce=ce)
    at_least("bias-contrast", 1, ratio=ratio)
    above("bias-contrast", 0, temperature=temperature)
    return BiasCon(sizes, ce, ratio, temperature, balanced=balanced)
