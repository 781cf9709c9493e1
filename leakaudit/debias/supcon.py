"""
SupCon: rows of one target lie together on the sphere; a linear classifier reads them out.

Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2, on the bottleneck itself. Nothing is done
about the private attribute: it is what the debiasing methods of the family are compared with.
"""

from jaxtyping import Float
from torch import Tensor

from leakaudit.debias import Batch, Objective, Sizes
from leakaudit.debias._readout import Contrastive
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class SupCon(Contrastive):
    """SupCon(z, target), beside the cross-entropy of a classifier that cannot move z."""

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return contrast.sup_con(s, contrast.alike(batch.y))


def objective(sizes: Sizes, *, temperature: float = 0.1) -> Objective:
    """SupCon at a temperature."""
    del sizes
    above("supcon", 0, temperature=temperature)
    return SupCon(temperature)
