"""
A loss that learns the easy part: rows that are guessed right already pull hardest.

Generalised cross-entropy, Zhang and Sabuncu, NeurIPS 2018, equation 6; used to amplify a bias by Nam et al., NeurIPS
2020.
"""

from jaxtyping import Float, Int64
from torch import Tensor


def generalised(logits: Float[Tensor, "n k"], y: Int64[Tensor, " n"], q: float) -> Float[Tensor, ""]:
    """Mean of (1 - p_y^q) / q: cross-entropy as q goes to 0, and mean absolute error at 1."""
    right = logits.log_softmax(1).gather(1, y[:, None]).squeeze(1)
    loss: Tensor = -((q * right).expm1() / q).mean()
    return loss
