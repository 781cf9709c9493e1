"""
Adversary: a private head learns to read the bottleneck, and the network learns to blind it.

Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015, with the private attribute for the
domain: one loss, the gradient turned round between bottleneck and head. `hidden` gives the head a hidden layer.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics.knobs import at_least
from leakaudit.numerics.reversal import reverse


class Adversary(Objective):
    """CE(target) + CE(private) of a head behind a reversal of strength lambda."""

    def __init__(self, sizes: Sizes, lam: float, hidden: int) -> None:
        super().__init__()
        self.lam = lam
        wide = hidden or sizes.width
        first: list[nn.Module] = [nn.Linear(sizes.width, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(*first, nn.Linear(wide, sizes.privates))

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum; rows without a private label take part in the first term alone."""
        guess = self.head(reverse(out.z, self.lam))
        total = functional.cross_entropy(guess, batch.v, ignore_index=-1, reduction="sum")
        return functional.cross_entropy(out.logits, batch.y) + total / (batch.v >= 0).sum().clamp(min=1)


def objective(sizes: Sizes, *, lam: float = 1.0, hidden: int = 0) -> Objective:
    """A linear adversary, or one with `hidden` units, of strength `lam`."""
    at_least("adversary", 0, lam=lam, hidden=hidden)
    return Adversary(sizes, lam, hidden)
