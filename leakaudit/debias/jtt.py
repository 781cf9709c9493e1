"""
JTT: train twice; the second time what the first got wrong comes up more often. No private label is asked.

Liu, Haghgoo, Chen, Raghunathan, Koh, Sagawa, Liang and Finn, "Just Train Twice: Improving Group Robustness without
Training Group Information", ICML 2021, algorithm 1. The first network is the model's twin, trained by cross-entropy for
`warmup` epochs (their T); its errors on the training rows are drawn `up` times as often (their lambda_up).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics.knobs import at_least
from leakaudit.numerics.taps import Tapped

BLIND = True


class Jtt(Objective):
    """Cross-entropy, on rows drawn by whether the first network erred."""

    inner: Tapped
    inner_steps = 0
    wrong: Bool[Tensor, " rows"]

    def __init__(self, sizes: Sizes, up: float, warmup: int) -> None:
        super().__init__()
        self.inner, self.up, self.warmup = sizes.network(""), up, warmup
        self.register_buffer("wrong", torch.zeros(sizes.rows, dtype=torch.bool))

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The mean."""
        return functional.cross_entropy(out.logits, batch.y)

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The first network's cross-entropy, in the warm-up."""
        del out
        return functional.cross_entropy(self.inner(batch.x).logits, batch.y)

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Once, before the first epoch, all rows are asked of the first network."""
        if table.epoch == 0:
            self.inner.eval()
            with torch.no_grad():
                guess = torch.cat([self.inner(x).logits.argmax(1) for x in table.images()])
            self.wrong = guess != table.y
        return torch.where(self.wrong, self.up, 1.0)


def objective(sizes: Sizes, *, up: float = 20.0, warmup: int = 1) -> Objective:
    """JTT with the errors of `warmup` epochs drawn `up` times as often."""
    at_least("jtt", 1, up=up, warmup=warmup)
    return Jtt(sizes, up, warmup)
