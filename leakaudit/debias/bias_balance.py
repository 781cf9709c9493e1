"""
BiasBal: the logits learn what the private class does not tell of the target already.

Hong and Yang, "Unbiased Classification through Bias-Contrastive and Bias-Balanced Learning", NeurIPS 2021, section 3.3:
cross-entropy of logits + log p(y | v), p from the training table; the prior is not there when the model is used.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics.groups import counted, log_prior


class BiasBal(Objective):
    """Cross-entropy of logits to which the log prior of the target given the private class is added."""

    prior: Float[Tensor, "privates targets"]

    def __init__(self, prior: Float[Tensor, "privates targets"]) -> None:
        super().__init__()
        self.register_buffer("prior", prior, persistent=False)

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The mean; a row without a private label gets no prior."""
        prior = self.prior[batch.v.clamp(min=0)] * (batch.v >= 0)[:, None]
        return functional.cross_entropy(out.logits + prior.to(out.logits.dtype), batch.y)

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Count anew what the private labels are now; every row is drawn once."""
        privates, targets = self.prior.shape
        self.prior = log_prior(counted(table.y, table.v, targets, privates))
        return None


def objective(sizes: Sizes) -> Objective:
    """BiasBal with the prior of the training table."""
    return BiasBal(log_prior(sizes.table))
