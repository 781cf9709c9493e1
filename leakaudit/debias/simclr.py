"""
SimCLR: the two views of an image lie together on the sphere, no label asked; a linear classifier reads them out.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020,
equation 1 (NT-Xent), on the bottleneck itself. Views are small shifts: whatever else is in the picture may be kept.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class SimClr(Objective):
    """NT-Xent(z), beside the cross-entropy of a classifier that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        s = contrast.cosines(out.z) / self.temperature
        return functional.cross_entropy(out.logits, batch.y) + contrast.sup_con(s, contrast.alike(batch.rows))


def objective(sizes: Sizes, *, temperature: float = 0.5) -> Objective:
    """SimCLR at a temperature."""
    del sizes
    above("simclr", 0, temperature=temperature)
    return SimClr(temperature)
