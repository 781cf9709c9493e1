"""
IRENE: minimise the information that a private head can read at the bottleneck.

Tartaglione, "Information Removal at the Bottleneck in Deep Neural Networks", BMVC 2022, section 3. The original takes
two backward passes: alpha CE + gamma I through the private head into the network, and the head's own cross-entropy into
the head alone. Here both are one loss: I is read through a frozen copy of the head, and the head learns from a detached
bottleneck, so each parameter gets the gradient that the two passes give it.
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.numerics.knobs import at_least

LEAST = 1e-15
"""Mass given to an empty cell, so that its logarithm is finite."""


class Irene(Objective):
    """alpha CE(target) + gamma I(private) by the frozen head + CE(private) of the head on a detached bottleneck."""

    def __init__(self, sizes: Sizes, alpha: float, gamma: float) -> None:
        super().__init__()
        self.head = nn.Linear(sizes.width, sizes.privates)
        self.alpha, self.gamma = alpha, gamma

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum of the three terms; rows without a private label take part in the first alone."""
        frozen = {name: parameter.detach() for name, parameter in self.head.named_parameters()}
        through = functional_call(self.head, frozen, (out.z,))
        task = functional.cross_entropy(out.logits, batch.y)
        return self.alpha * task + self.gamma * information(through, batch.v) + self._private(batch, out)

    def _private(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        guess = self.head(out.z.detach())
        total = functional.cross_entropy(guess, batch.v, ignore_index=-1, reduction="sum")
        return total / (batch.v >= 0).sum().clamp(min=1)


def information(logits: Float[Tensor, "n k"], v: Int64[Tensor, " n"]) -> Float[Tensor, ""]:
    """
    Mutual information of the private class and the head's soft guess, as a share of ln k; 0 where no label is known.

    Equations 4 to 6: the joint table is the mean of one-hot class times softmax.
    """
    classes = logits.shape[1]
    known = v >= 0
    rows = known.sum()
    member = functional.one_hot(v.clamp(min=0), classes).to(logits.dtype) * known[:, None]
    joint = (member.T @ logits.softmax(1)).clamp(min=LEAST) / rows.clamp(min=1)
    alone = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.where(rows > 0, (joint * (joint / alone).log()).sum() / math.log(classes), 0.0)


def objective(sizes: Sizes, *, alpha: float = 0.5, gamma: float = 0.2) -> Objective:
    """IRENE with `alpha` on the target's cross-entropy and `gamma` on the information."""
    at_least("irene", 0, alpha=alpha, gamma=gamma)
    return Irene(sizes, alpha, gamma)
