"""
Threshold: each row attracts another against those alone whose targets, numbers, are farther.

Barbano, Dufumier, Duchesnay, Grangetto and Gori, "Contrastive learning for regression in multi-site brain age
prediction", ISBI 2023; equation 10 of "Fairness, Debiasing and Privacy in Computer Vision and Medical Imaging",
Ital-IA 2023. Nothing is done about the private attribute; the paper's claim is that local repulsion learns less of
it.
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


class Threshold(Graded):
    """L_thr(z, target), beside the mean absolute error of a linear layer that cannot move z."""

    def graded(self, s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return kernels.threshold(s, w)


def objective(sizes: Sizes, *, kernel: Kernel = "rbf", sigma: float = 0.5, temperature: float = 0.1) -> Objective:
    """L_thr with a kernel on labels; `sigma`, its width, is in standard deviations of the target."""
    del sizes
    above("threshold", 0, sigma=sigma, temperature=temperature)
    return Threshold(kernel, sigma, temperature)
