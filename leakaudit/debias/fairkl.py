"""
FairKL: rows of one target lie together no matter whether they share the private attribute.

Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased Supervised Contrastive Learning", ICLR 2023; "Fairness,
Debiasing and Privacy in Computer Vision and Medical Imaging", Ital-IA 2023, equations 5 and 6. `variant = "paper"` adds
`lam` times the Kullback-Leibler divergence of two Gaussians: of the cosines of positive pairs that share the private
class (aligned), from those of positive pairs that do not (conflicting). `variant = "released"` is the authors' code:
squared differences of means and of deviations, of positive and of negative pairs alike, less the mean cosine of
conflicting positives and more that of aligned negatives; there the deviations run over the whole matrix with zeros in
place of other pairs, and a row is an aligned positive of itself. (That code multiplies by alpha twice where lam is not
0; here once.) The weights of the published figures were never published: those of the recipes were searched on a
validation split.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above, at_least

Variant = Literal["paper", "released"]
LEAST = 1e-4
"""Added to variances of cosines, so that a few pairs that coincide do not weigh without bound."""
PAIRS = 2
"""Pairs from which a deviation means anything."""


class FairKl(Objective):
    """alpha eps-SupInfoNCE + lam R, beside the cross-entropy of a classifier that cannot move z."""

    readout = True
    least = 2

    def __init__(self, variant: Variant, weights: tuple[float, float], eps: float, temperature: float) -> None:
        super().__init__()
        self.variant, self.eps, self.temperature = variant, eps, temperature
        self.alpha, self.lam = weights

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of the three; rows without a private label take no part in R."""
        cosine = contrast.cosines(out.z)
        unlike = batch.y[:, None] != batch.y[None]
        loss = contrast.info_nce(cosine / self.temperature, contrast.alike(batch.y), unlike, self.eps)
        fair = divergence(cosine, batch) if self.variant == "paper" else released(cosine, batch)
        return functional.cross_entropy(out.logits, batch.y) + self.alpha * loss + self.lam * fair


def divergence(cosine: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
    """KL(aligned || conflicting) over positive pairs, equation 6; 0 where either kind has fewer than two pairs."""
    positive, aligned, conflicting = _pairs(batch)
    once = positive.tril(-1)
    (pairs_a, mean_a, var_a), (pairs_c, mean_c, var_c) = (
        _moments(cosine, once & kind) for kind in (aligned, conflicting)
    )
    ratio = (var_a + LEAST) / (var_c + LEAST)
    apart = 0.5 * (ratio + (mean_a - mean_c) ** 2 / (var_c + LEAST) - ratio.log() - 1)
    return torch.where(torch.minimum(pairs_a, pairs_c) >= PAIRS, apart, 0.0)


def released(cosine: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
    """What the authors' code adds, with its weight of 1 on the deviations."""
    same, aligned, conflicting = _pairs(batch)
    whole = aligned | conflicting
    means, deviations = {}, {}
    for y, target in (("+", same), ("-", ~same)):
        for v, kind in (("a", aligned), ("c", conflicting)):
            _, means[y + v], _ = _moments(cosine, target & kind)
            count, _, var = _moments(cosine * (target & kind), whole)
            # the slope of a root at 0 is infinite
            deviations[y + v] = (var * count / (count - 1).clamp(min=1) + 1e-12).sqrt()
    match = (means["+c"] - means["+a"]) ** 2 + (means["-a"] - means["-c"]) ** 2
    width = (deviations["+a"] - deviations["+c"]) ** 2 + (deviations["-a"] - deviations["-c"]) ** 2
    return match + width - means["+c"] + means["-a"]


def _moments(
    cosine: Float[Tensor, "n n"], pairs: Bool[Tensor, "n n"]
) -> tuple[Int64[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Count of the pairs, mean and variance of their cosines; both 0 of none."""
    count = pairs.sum()
    mean = (cosine * pairs).sum() / count.clamp(min=1)
    return count, mean, ((cosine - mean).square() * pairs).sum() / count.clamp(min=1)


def _pairs(batch: Batch) -> tuple[Bool[Tensor, "n n"], Bool[Tensor, "n n"], Bool[Tensor, "n n"]]:
    """Pairs of one target; pairs of one private class; pairs of two: only of rows that have one."""
    known = (batch.v >= 0)[:, None] & (batch.v >= 0)[None]
    shared = batch.v[:, None] == batch.v[None]
    return batch.y[:, None] == batch.y[None], known & shared, known & ~shared


def objective(
    sizes: Sizes,
    *,
    variant: Variant = "paper",
    alpha: float = 1.0,
    lam: float = 1.0,
    eps: float = 0.0,
    temperature: float = 0.1,
) -> Objective:
    """FairKL with `alpha` on the contrastive loss and `lam` on the regulariser."""
    del sizes
    at_least("fairkl", 0, alpha=alpha, lam=lam, eps=eps)
    above("fairkl", 0, temperature=temperature)
    return FairKl(variant, (alpha, lam), eps, temperature)
