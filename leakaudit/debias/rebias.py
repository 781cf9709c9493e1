"""
ReBias: stay independent of a network that can only see the bias.

Bahng, Chun, Yun, Choo and Oh, "Learning De-biased Representations with Biased Representations", ICML 2020, equations 4
to 6. g, with a small receptive field, goes down on CE(g) - inner HSIC(z_g, z_f); then the model f on CE(f) + outer
HSIC(z_f, z_g). HSIC is unbiased, with Gaussian kernels of width sigma on the bottlenecks as they are. The paper's
widths are medians; the code behind its Biased-MNIST figures, and this one, has sigma = 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics import hsic
from leakaudit.numerics.knobs import above, at_least
from leakaudit.numerics.taps import Tapped

BLIND = True


class ReBias(Objective):
    """CE(f) + outer HSIC(z_f, z_g)."""

    inner: Tapped
    least = hsic.FEWEST

    def __init__(self, biased: Tapped, inner: float, outer: float, sigma: float) -> None:
        super().__init__()
        self.inner = biased
        self.weight_in, self.weight_out, self.sigma = inner, outer, sigma

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The model's loss; the biased network stands still."""
        with torch.no_grad():
            biased = self.inner(batch.x).z
        return functional.cross_entropy(out.logits, batch.y) + self.weight_out * self._dependence(out.z, biased)

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The biased network's loss; the model stands still."""
        biased = self.inner(batch.x)
        task = functional.cross_entropy(biased.logits, batch.y)
        return task - self.weight_in * self._dependence(biased.z, out.z)

    def _dependence(self, one: Float[Tensor, "n d"], other: Float[Tensor, "n e"]) -> Float[Tensor, ""]:
        return hsic.unbiased(hsic.gaussian(one, self.sigma), hsic.gaussian(other, self.sigma))


def objective(
    sizes: Sizes,
    *,
    biased: str = "simple-convnet:kernel=1",
    inner: float = 1.0,
    outer: float = 1.0,
    sigma: float = 1.0,
    steps: int = 1,
) -> Objective:
    """ReBias against the backbone `biased`, which takes so many `steps` before each of the model's."""
    at_least("rebias", 0, inner=inner, outer=outer)
    at_least("rebias", 1, steps=steps)
    above("rebias", 0, sigma=sigma)
    made = ReBias(sizes.network(biased), inner, outer, sigma)
    made.inner_steps = steps
    return made
