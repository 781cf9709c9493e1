"""
SupCon: rows of one target lie together on the sphere; a linear classifier reads them out.

Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2, on the bottleneck itself. Nothing is done
about the private attribute: it is what the debiasing methods of the family are compared with.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above

BLIND = True


class SupCon(Objective):
    """SupCon(z, target), beside the cross-entropy of a classifier that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        s = contrast.cosines(out.z) / self.temperature
        return functional.cross_entropy(out.logits, batch.y) + contrast.sup_con(s, contrast.alike(batch.y))


def objective(sizes: Sizes, *, temperature: float = 0.1) -> Objective:
    """SupCon at a temperature."""
    del sizes
    above("supcon", 0, temperature=temperature)
    return SupCon(temperature)
