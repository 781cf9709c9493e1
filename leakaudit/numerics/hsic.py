"""
HSIC: how far two sets of vectors of the same rows depend on each other.

Unbiased estimator of Song, Smola, Gretton, Bedo and Borgwardt, "Feature Selection via Dependence Maximization", JMLR 13
(2012), equation 5, with the Gaussian kernel exp(-|a - b|^2 / (2 sigma^2)).
"""

import torch
from jaxtyping import Float
from torch import Tensor

FEWEST = 4
"""Rows from which the estimator exists."""


def gaussian(z: Float[Tensor, "n d"], sigma: float) -> Float[Tensor, "n n"]:
    """The kernel of each two rows."""
    z = z - z.mean(0).detach()  # distances do not move, and lose fewer digits
    square = z.square().sum(1)
    apart = (square[:, None] + square[None] - 2 * z @ z.T).clamp(min=0)
    return (-apart / (2 * sigma**2)).exp()


def unbiased(k: Float[Tensor, "n n"], other: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """The estimate from two kernel matrices, which may be below zero; 0 from fewer than four rows."""
    n = len(k)
    if n < FEWEST:
        return (k.sum() + other.sum()) * 0
    apart = 1 - torch.eye(n, dtype=k.dtype, device=k.device)
    k, other = k * apart, other * apart
    crossed = (k.sum(0) * other.sum(0)).sum()
    alone = k.sum() * other.sum() / ((n - 1) * (n - 2))
    return ((k * other).sum() + alone - 2 / (n - 2) * crossed) / (n * (n - 3))
