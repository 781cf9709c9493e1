"""
Contrastive losses: an anchor's positives stand against the rows that are not.

For anchor i with positives P(i) and negatives N(i), s = cosine / temperature, the loss of a positive j is
-log e^s_ij / (e^(s_ij - eps) + sum over N(i) of e^s_in). Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased
Supervised Contrastive Learning", ICLR 2023: with eps = 0 it is SupInfoNCE, with eps > 0 eps-SupInfoNCE, which asks for
a margin, and as eps grows without bound the positive leaves the denominator (InfoL1O).
"""

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional


def cosines(z: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Cosine of the angle between each two rows."""
    unit = functional.normalize(z)
    return unit @ unit.T


def alike(labels: Int64[Tensor, " n"]) -> Bool[Tensor, "n n"]:
    """Which two different rows have the same label; a missing label (-1) is like no other."""
    same = (labels[:, None] == labels[None]) & (labels >= 0)[:, None]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def info_nce(
    s: Float[Tensor, "n n"], positives: Bool[Tensor, "n n"], negatives: Bool[Tensor, "n n"], eps: float = 0.0
) -> Float[Tensor, ""]:
    """
    Mean over an anchor's positives, then over the anchors that have a positive and a negative; 0 where none has.

    `s` is cosine over temperature, `eps` a margin in the same unit; infinite: the positive leaves the denominator.
    """
    against = _log_sum(s, negatives)
    below = against.expand_as(s) if math.isinf(eps) else torch.logaddexp(s - eps, against)
    return _over_anchors(below - s, positives & negatives.any(1, keepdim=True))


def sup_con(
    s: Float[Tensor, "n n"], positives: Bool[Tensor, "n n"], rows: Bool[Tensor, " n"] | None = None
) -> Float[Tensor, ""]:
    """
    -log e^s_ij / sum over a != i of e^s_ia: mean over an anchor's positives, then over anchors that have one.

    The sum runs over all rows, or over those in `rows`, among which all positives are; then they are the anchors, and
    one without a positive counts as 0. Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2.
    """
    others = ~torch.eye(len(s), dtype=torch.bool, device=s.device)
    if rows is None:
        return _over_anchors(_log_sum(s, others) - s, positives)
    having = positives.any(1).sum() / rows.sum().clamp(min=1)
    return having * _over_anchors(_log_sum(s, others & rows) - s, positives)


def _log_sum(s: Float[Tensor, "n n"], pairs: Bool[Tensor, "n n"]) -> Float[Tensor, "n 1"]:
    """Log of the sum of e^s over each row's pairs; 0 for a row without any, with no slope that is not a number."""
    some = pairs.any(1, keepdim=True)
    return torch.where(some, s.masked_fill(~pairs & some, -torch.inf).logsumexp(1, keepdim=True), 0.0)


def _over_anchors(values: Float[Tensor, "n n"], pairs: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
    count = pairs.sum(1)
    each = values.masked_fill(~pairs, 0.0).sum(1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)
