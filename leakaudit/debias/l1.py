"""
L1: mean absolute error on a target that is a number, such as age. Nothing is done about the private attribute.

What the contrastive methods for numbers are compared with: Barbano, Dufumier, Duchesnay, Grangetto and Gori,
"Contrastive learning for regression in multi-site brain age prediction", ISBI 2023.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes

BLIND = True
NUMBERS = True


class L1(Objective):
    """Mean absolute error."""

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """Mean absolute error of the target, in its standard deviations."""
        return functional.l1_loss(out.logits[:, 0], batch.y)


def objective(sizes: Sizes) -> Objective:
    """The plain loss."""
    del sizes
    return L1()
