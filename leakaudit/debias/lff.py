"""
LfF: a second network runs after the bias, and the model learns from what that one fails at. No private label is asked.

Nam, Cha, Ahn, Lee and Shin, "Learning from Failure: Training Debiased Classifier from Biased Classifier", NeurIPS 2020,
equations 1 and 2, algorithm 1. The biased twin goes down on the generalised cross-entropy (1 - p_y^q) / q; the model on
W CE, W = L_b / (L_b + L_d), with each row's two cross-entropies smoothed over epochs and divided by the largest of
their target class, as in the authors' code.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics.ambition import generalised
from leakaudit.numerics.knobs import above, at_most, share
from leakaudit.numerics.taps import Tapped

BLIND = True
TINY = 1e-8


class Lff(Objective):
    """W CE(target)."""

    inner: Tapped
    smoothed: Float[Tensor, "2 rows"]
    """Cross-entropies of the biased network and of the model."""
    met: Bool[Tensor, " rows"]
    of_row: Int64[Tensor, " rows"]

    def __init__(self, sizes: Sizes, q: float, smoothing: float) -> None:
        super().__init__()
        self.inner = sizes.network("")
        self.q, self.smoothing, self.targets = q, smoothing, sizes.targets
        self.register_buffer("smoothed", torch.zeros(2, sizes.rows))
        self.register_buffer("met", torch.zeros(sizes.rows, dtype=torch.bool))
        self.register_buffer("of_row", torch.zeros(sizes.rows, dtype=torch.int64))

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The mean over the batch."""
        with torch.no_grad():
            biased = functional.cross_entropy(self.inner(batch.x).logits, batch.y, reduction="none")
        each = functional.cross_entropy(out.logits, batch.y, reduction="none")
        return (self._weights(batch, torch.stack([biased, each.detach()])) * each).mean()

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The biased network's loss."""
        del out
        return generalised(self.inner(batch.x).logits, batch.y, self.q)

    def _weights(self, batch: Batch, losses: Float[Tensor, "2 n"]) -> Float[Tensor, " n"]:
        rows = batch.rows
        kept = torch.where(self.met[rows], self.smoothing, 0.0)
        now = kept * self.smoothed[:, rows] + (1 - kept) * losses.to(self.smoothed.dtype)
        if self.training:
            self.smoothed[:, rows], self.met[rows], self.of_row[rows] = now, True, batch.y
        top = now.new_zeros(2, self.targets)
        of_row = self.of_row.expand(2, -1)
        top = top.scatter_reduce(1, of_row, self.smoothed * self.met, "amax").scatter_reduce(
            1, batch.y.expand(2, -1), now, "amax"
        )
        biased, model = now / top[:, batch.y].clamp(min=TINY)
        weight: Tensor = biased / (biased + model + TINY)
        return weight


def objective(sizes: Sizes, *, q: float = 0.7, smoothing: float = 0.7) -> Objective:
    """LfF with the exponent `q` of the biased network's loss, and so much of the last loss in the smoothed one."""
    above("lff", 0, q=q)
    at_most("lff", 1, q=q)
    share("lff", smoothing=smoothing)
    return Lff(sizes, q, smoothing)
