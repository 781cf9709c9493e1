"""
LearnedMixin + H: the model answers together with a biased network, and is used without it.

Clark, Yatskar and Zettlemoyer, "Don't Take the Easy Way Out: Ensemble Based Methods for Avoiding Known Dataset Biases",
EMNLP 2019, section 3.2.4 and equation 5, as Bahng et al. (ICML 2020) compare it: g, with a small receptive field,
learns alone for `warmup` epochs and stands still from then on; with h = softplus(w z_f + c) the model f goes down on
CE(f + h g) + entropy H(softmax(h g)). w and c are trained, as the papers mean; in the code of Bahng et al., and with
`variant = "released"`, they stay as they were drawn, and the statistics of g's batch norms go on moving. Logits of g
serve as its log probabilities: both differ by one number a row, which no softmax sees.
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


class LearnedMixin(Objective):
    """CE(f + h g) + entropy H(softmax(h g))."""

    inner: Tapped
    inner_steps = 0

    def __init__(self, variant: Variant, biased: Tapped, width: int, entropy: float, warmup: int) -> None:
        super().__init__()
        self.inner, self.entropy, self.warmup, self.paper = biased, entropy, warmup, variant == "paper"
        self.mixing = nn.Linear(width, 1).requires_grad_(self.paper)

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The model's loss; the biased network stands still, in the paper's variant its statistics too."""
        self.inner.train(self.training and not self.paper)
        with torch.no_grad():
            biased = self.inner(batch.x).logits.log_softmax(1)
        h = functional.softplus(self.mixing(out.z))
        log = (h * biased).log_softmax(1)
        spread = -(log.exp() * log).sum(1).mean()
        loss: Tensor = functional.cross_entropy(out.logits + h * biased, batch.y) + self.entropy * spread
        return loss

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The biased network's cross-entropy, in the warm-up."""
        del out
        self.inner.train()
        return functional.cross_entropy(self.inner(batch.x).logits, batch.y)


def objective(
    sizes: Sizes,
    *,
    variant: Variant = "paper",
    biased: str = "simple-convnet:kernel=1",
    entropy: float = 0.36,
    warmup: int = 5,
) -> Objective:
    """LearnedMixin with the backbone `biased`, trained alone for `warmup` epochs, and `entropy` on its spread."""
    at_least("learned-mixin", 0, entropy=entropy)
    at_least("learned-mixin", 1, warmup=warmup)
    return LearnedMixin(variant, sizes.network(biased), sizes.width, entropy, warmup)
