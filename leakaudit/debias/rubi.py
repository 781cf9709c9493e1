"""
RUBi: what a biased network can answer is masked, so that the model learns from the rest.

Cadene, Dancette, Ben-younes, Cord and Parikh, "RUBi: Reducing Unimodal Biases for Visual Question Answering", NeurIPS
2019, equations 3 to 5, as Bahng et al. (ICML 2020) compare it: g, with a small receptive field, learns by cross-entropy
alone; q = W z_g + c; the model f goes down on CE(f sigmoid(q)) + weight CE(q), and no gradient reaches g. W and c are
trained, as the papers mean; in the code of Bahng et al., and with `variant = "released"`, they stay as they were drawn,
and so the mask is one of chance.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics.knobs import at_least
from leakaudit.numerics.taps import Tapped

BLIND = True
Variant = Literal["paper", "released"]


class Rubi(Objective):
    """CE(f sigmoid(q)) + weight CE(q)."""

    inner: Tapped

    def __init__(self, variant: Variant, biased: Tapped, width: int, classes: int, weight: float) -> None:
        super().__init__()
        self.inner, self.weight = biased, weight
        self.question = nn.Linear(width, classes).requires_grad_(variant == "paper")

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The model's loss; the biased network stands still."""
        with torch.no_grad():
            biased = self.inner(batch.x).z
        q = self.question(biased)
        masked = functional.cross_entropy(out.logits * q.sigmoid(), batch.y)
        return masked + self.weight * functional.cross_entropy(q, batch.y)

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The biased network's cross-entropy."""
        del out
        return functional.cross_entropy(self.inner(batch.x).logits, batch.y)


def objective(
    sizes: Sizes, *, variant: Variant = "paper", biased: str = "simple-convnet:kernel=1", weight: float = 1.0
) -> Objective:
    """RUBi against the backbone `biased`, with `weight` on its own answer's cross-entropy."""
    at_least("rubi", 0, weight=weight)
    network = sizes.network(biased)
    return Rubi(variant, network, _width(network, sizes), sizes.targets, weight)


def _width(network: Tapped, sizes: Sizes) -> int:
    """Numbers in the biased network's bottleneck."""
    network.eval()
    with torch.no_grad():
        width = network(torch.zeros(1, *sizes.shape)).z.shape[1]
    network.train()
    return int(width)
