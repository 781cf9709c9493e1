"""
AdamW in place, a rate and a decay for each number, and the rates' schedule.

Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2; the schedule is a warm-up, then
a cosine ("SGDR", ICLR 2017, equation 5).
"""

from math import cos, pi

from torch import Tensor


def adamw(
    values: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, rate: Tensor, decay: Tensor, step: int
) -> None:
    """One step in place."""
    mean.lerp_(gradient, 0.1)
    square.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
    values.mul_(1 - decay)
    root = square.sqrt().mul_((1 - 0.99**step) ** -0.5).add_(1e-8)
    values.sub_((mean / root).mul_(rate * (1 / (1 - 0.9**step))))


def cycle(share: float) -> float:
    """Linear warm-up over the first fifth of the steps, then a cosine to zero."""
    return min(share / 0.2, (1 + cos(pi * max(0.0, share - 0.2) / 0.8)) / 2)
