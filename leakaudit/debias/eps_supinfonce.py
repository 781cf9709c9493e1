"""
eps-SupInfoNCE: each row of the same target is nearer than all rows of others, by a margin.

Barbano, Dufumier, Tartaglione, Grangetto and Gori, "Unbiased Supervised Contrastive Learning", ICLR 2023; "Fairness,
Debiasing and Privacy in Computer Vision and Medical Imaging", Ital-IA 2023, section 3. The released code writes the
margin as the weight e^-eps of the positive in the denominator, eps in units of cosine over temperature: so here. It
also scales the loss by temperature / 0.07, which is left to the learning rate.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast
from leakaudit.numerics.knobs import above, at_least

BLIND = True


class EpsSupInfoNce(Objective):
    """eps-SupInfoNCE(z, target), beside the cross-entropy of a classifier that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, eps: float, temperature: float) -> None:
        super().__init__()
        self.eps, self.temperature = eps, temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        s = contrast.cosines(out.z) / self.temperature
        unlike = batch.y[:, None] != batch.y[None]
        loss = contrast.info_nce(s, contrast.alike(batch.y), unlike, self.eps)
        return functional.cross_entropy(out.logits, batch.y) + loss


def objective(sizes: Sizes, *, eps: float = 0.25, temperature: float = 0.1) -> Objective:
    """eps-SupInfoNCE with margin `eps`; 0 is SupInfoNCE."""
    del sizes
    above("eps-supinfonce", 0, temperature=temperature)
    at_least("eps-supinfonce", 0, eps=eps)
    return EpsSupInfoNce(eps, temperature)
