"""Vanilla: cross-entropy on the target alone. Nothing is done about the private attribute."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes

BLIND = True


class Vanilla(Objective):
    """Mean cross-entropy."""

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """Mean cross-entropy of the target, in nats."""
        return functional.cross_entropy(out.logits, batch.y)


def objective(sizes: Sizes) -> Objective:
    """The plain loss."""
    del sizes
    return Vanilla()
