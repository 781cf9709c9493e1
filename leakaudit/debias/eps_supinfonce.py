"""
eps-SupInfoNCE: each row of the same target is nearer than all rows of others, by a margin.

Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased Supervised Contrastive Learning", ICLR 2023; "Fairness,
Debiasing and Privacy in Computer Vision and Medical Imaging", Ital-IA 2023, section 3. The released code writes the
margin as the weight e^-eps of the positive in the denominator, eps in units of cosine over temperature: so here. It
also scales the loss by temperature / 0.07, which is left to the learning rate.
"""

from jaxtyping import Float
from torch import Tensor

from leakaudit.debias import Batch, Objective, Sizes
from leakaudit.debias._readout import Contrastive
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above, at_least

BLIND = True


class EpsSupInfoNce(Contrastive):
    """eps-SupInfoNCE(z, target), beside the cross-entropy of a classifier that cannot move z."""

    def __init__(self, eps: float, temperature: float) -> None:
        super().__init__(temperature)
        self.eps = eps

    def contrast(self, s: Float[Tensor, "n n"], batch: Batch) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return contrast.info_nce(s, contrast.alike(batch.y), batch.y[:, None] != batch.y[None], self.eps)


def objective(sizes: Sizes, *, eps: float = 0.25, temperature: float = 0.1) -> Objective:
    """eps-SupInfoNCE with margin `eps`; 0 is SupInfoNCE."""
    del sizes
    above("eps-supinfonce", 0, temperature=temperature)
    at_least("eps-supinfonce", 0, eps=eps)
    return EpsSupInfoNce(eps, temperature)
