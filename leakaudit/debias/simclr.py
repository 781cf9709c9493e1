"""
SimCLR: the two views of an image lie together on the sphere, no label asked; a linear classifier reads them out.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020,
equation 1 (NT-Xent), on the bottleneck itself. Views are small shifts: whatever else is in the picture may be kept.
"""

from jaxtyping import Float
from torch import Tensor

from leakaudit.debias import Batch, Objective, Sizes
from leakaudit.debias._readout import Contrastive
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class SimClr(Contrastive):
    """NT-Xent(z), beside the cross-entropy of a classifier that cannot move z."""

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return contrast.sup_con(s, contrast.alike(batch.rows))


def objective(sizes: Sizes, *, temperature: float = 0.5) -> Objective:
    """SimCLR at a temperature."""
    del sizes
    above("simclr", 0, temperature=temperature)
    return SimClr(temperature)
