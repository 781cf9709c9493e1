"""
y-aware: rows attract one another by how near their targets, which are numbers, lie.

Barbano, Dufumier, Duchesnay, Grangetto and Gori, "Contrastive learning for regression in multi-site brain age
prediction", ISBI 2023; equation 9 of "Fairness, Debiasing and Privacy in Computer Vision and Medical Imaging",
Ital-IA 2023. The loss is of Dufumier et al., "Contrastive Learning with Continuous Proxy Meta-Data for 3D MRI
Classification", MICCAI 2021. Nothing is done about the private attribute.
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


class YAware(Graded):
    """y-aware(z, target), beside the mean absolute error of a linear layer that cannot move z."""

    def graded(self, s: Float[Tensor, "n n"], w: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
        """The contrastive loss."""
        return kernels.y_aware(s, w)


def objective(sizes: Sizes, *, kernel: Kernel = "rbf", sigma: float = 0.5, temperature: float = 0.1) -> Objective:
    """y-aware with a kernel on labels; `sigma`, its width, is in standard deviations of the target."""
    del sizes
    above("y-aware", 0, sigma=sigma, temperature=temperature)
    return YAware(kernel, sigma, temperature)
