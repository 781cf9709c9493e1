"""
InfoL1O: rows of one target against the rows of all others, the positive left out of the denominator.

The limit of eps-SupInfoNCE for a margin without bound: Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased
Supervised Contrastive Learning", ICLR 2023; leave-one-out form of Poole et al., "On Variational Bounds of Mutual
Information", ICML 2019.
"""

import math

from jaxtyping import Float
from torch import Tensor

from leakaudit.debias import Batch, Objective, Sizes
from leakaudit.debias._readout import Contrastive
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class InfoL1O(Contrastive):
    """InfoL1O(z, target), beside the cross-entropy of a classifier that cannot move z."""

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return contrast.info_nce(s, contrast.alike(batch.y), batch.y[:, None] != batch.y[None], math.inf)


def objective(sizes: Sizes, *, temperature: float = 0.1) -> Objective:
    """InfoL1O at a temperature."""
    del sizes
    above("infol1o", 0, temperature=temperature)
    return InfoL1O(temperature)
