"""
InfoL1O: rows of one target against the rows of all others, the positive left out of the denominator.

The limit of eps-SupInfoNCE for a margin without bound: Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased
Supervised Contrastive Learning", ICLR 2023; leave-one-out form of Poole et al., "On Variational Bounds of Mutual
Information", ICML 2019.
"""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class InfoL1O(Objective):
    """InfoL1O(z, target), beside the cross-entropy of a classifier that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        s = contrast.cosines(out.z) / self.temperature
        unlike = batch.y[:, None] != batch.y[None]
        loss = contrast.info_nce(s, contrast.alike(batch.y), unlike, math.inf)
        return functional.cross_entropy(out.logits, batch.y) + loss


def objective(sizes: Sizes, *, temperature: float = 0.1) -> Objective:
    """InfoL1O at a temperature."""
    del sizes
    above("infol1o", 0, temperature=temperature)
    return InfoL1O(temperature)
