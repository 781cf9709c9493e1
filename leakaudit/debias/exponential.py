"""
Exponential: rows attract one another by how near their targets lie, and repel by how far.

Barbano, Dufumier, Duchesnay, Grangetto and Gori, "Contrastive learning for regression in multi-site brain age
prediction", ISBI 2023; equation 11 of "Fairness, Debiasing and Privacy in Computer Vision and Medical Imaging",
Ital-IA 2023. Nothing is done about the private attribute; the paper's claim is that this repulsion learns less
of it.
"""

from jaxtyping import Float
from torch import Tensor

from leakaudit.debias import Objective, Sizes
from leakaudit.debias._readout import Graded
from leakaudit.numerics import kernels
from leakaudit.numerics.kernels import Kernel
from leakaudit.numerics.knobs import above

BLIND = True
NUMBERS = True


class Exponential(Graded):
    """L_exp(z, target), beside the mean absolute error of a linear layer that cannot move z."""

    def graded(self, s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return kernels.exponential(s, w)


def objective(sizes: Sizes, *, kernel: Kernel = "rbf", sigma: float = 0.5, temperature: float = 0.1) -> Objective:
    """L_exp with a kernel on labels; `sigma`, its width, is in standard deviations of the target."""
    del sizes
    above("exponential", 0, sigma=sigma, temperature=temperature)
    return Exponential(kernel, sigma, temperature)
