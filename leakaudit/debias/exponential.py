"""
Exponential: rows attract one another by how near their targets lie, and repel by how far.

Barbano, Dufumier, Duchesnay, Grangetto and Gori, "Contrastive learning for regression in multi-site brain age
prediction", ISBI 2023; equation 11 of "Fairness, Debiasing and Privacy in Computer Vision and Medical Imaging",
Ital-IA 2023. Nothing is done about the private attribute; the paper's claim is that this repulsion learns less
of it.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import contrast, kernels
from leakaudit.numerics.kernels import Kernel
from leakaudit.numerics.knobs import above

BLIND = True
NUMBERS = True


class Exponential(Objective):
    """L_exp(z, target), beside the mean absolute error of a linear layer that cannot move z."""

    views = 2
    readout = True
    least = 2

    def __init__(self, kernel: Kernel, sigma: float, temperature: float) -> None:
        super().__init__()
        self.kernel: Kernel = kernel
        self.sigma, self.temperature = sigma, temperature

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of both."""
        s = contrast.cosines(out.z) / self.temperature
        loss = kernels.exponential(s, kernels.weights(batch.y, self.kernel, self.sigma))
        return functional.l1_loss(out.logits[:, 0], batch.y) + loss


def objective(sizes: Sizes, *, kernel: Kernel = "rbf", sigma: float = 0.5, temperature: float = 0.1) -> Objective:
    """L_exp with a kernel on labels; `sigma`, its width, is in standard deviations of the target."""
    del sizes
    above("exponential", 0, sigma=sigma, temperature=temperature)
    return Exponential(kernel, sigma, temperature)
