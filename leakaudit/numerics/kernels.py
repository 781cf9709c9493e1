"""
Contrastive losses for targets that are numbers: how near two rows should be is a kernel on their labels.

For anchor i, w_ik is the kernel and s_ik cosine over temperature; k runs over all other rows, the anchor's second view
among them. Barbano, Dufumier, Duchesnay, Grangetto and Gori, "Contrastive learning for regression in multi-site brain
age prediction", ISBI 2023; "Fairness, Debiasing and Privacy in Computer Vision and Medical Imaging", Ital-IA 2023,
equations 9 to 11. The released code scales all three by temperature / 0.07, which is left to the learning rate.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Kernel = Literal["rbf", "cauchy"]


def weights(y: Float[Tensor, " n"], kernel: Kernel, sigma: float) -> Float[Tensor, "n n"]:
    """
    1 for equal labels, less the farther they are: exp(-d^2 / 2 sigma^2), or 1 / (1 + d^2 / sigma^2).

    `sigma` has the unit of y. The released code writes Cauchy's as 1 / (1 + s d^2): its s is 1 / sigma^2.
    """
    squared = ((y[:, None] - y[None]) / sigma) ** 2
    return torch.exp(-squared / 2) if kernel == "rbf" else 1 / (1 + squared)


def y_aware(s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """Equation 9: the sum over k of w_ik / sum_t w_it times -log(e^s_ik / sum over t != i of e^s_it)."""
    own = _own(s)
    below = s.masked_fill(own, -torch.inf).logsumexp(1, keepdim=True)
    return _over_anchors(below - s, w, ~own)


def threshold(s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """
    Equation 10: as 9, but k is set against the rows t alone that are farther from the anchor, w_it < w_ik.

    A row than which none is farther stands against nothing and adds nothing. (The released code sets every k of an
    anchor against the same weighted sum.)
    """
    own = _own(s)
    order = w.masked_fill(own, torch.inf).sort(dim=1)  # the anchor itself comes last, and is farther than none
    sums = s.gather(1, order.indices).logcumsumexp(1)
    farther = torch.searchsorted(order.values, w.contiguous())
    below = sums.gather(1, (farther - 1).clamp(min=0))
    return _over_anchors(below - s, w, ~own & (farther > 0))


def exponential(s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """
    Equation 11: as 9, but a row repels the less the nearer it is: the sum over t != i is of e^(s_it (1 - w_it)).

    (The released code takes the row's maximum off s before the product, which changes the sum.)
    """
    own = _own(s)
    below = (s * (1 - w)).masked_fill(own, -torch.inf).logsumexp(1, keepdim=True)
    return _over_anchors(below - s, w, ~own)


def _own(s: Float[Tensor, "n n"]) -> Tensor:
    return torch.eye(len(s), dtype=torch.bool, device=s.device)


def _over_anchors(values: Float[Tensor, "n n"], w: Float[Tensor, "n n"], pairs: Tensor) -> Float[Tensor, ""]:
    """The weighted sum over an anchor's pairs, by its weight on all others; then the mean over anchors with any."""
    total = w.masked_fill(_own(w), 0.0).sum(1)
    each = (values * w).masked_fill(~pairs, 0.0).sum(1)
    some = total > 0
    return (each / total.where(some, torch.ones_like(total))).sum() / some.sum().clamp(min=1)
