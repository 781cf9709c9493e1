"""
Gradient reversal: forward nothing happens, backward the gradient is turned round and scaled.

Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015, equations 9 and 10.
"""

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, scale: float) -> Tensor:
        context.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.scale * gradients[0], None


def reverse(x: Tensor, scale: float) -> Tensor:
    """The same numbers; what flows back through them is multiplied by -scale."""
    reversed_: Tensor = _Reversal.apply(x, scale)
    return reversed_
