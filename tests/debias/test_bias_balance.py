"""BiasBal adds log p(y | v) to the logits while it trains, and nothing else."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Out, Sizes, Table, bias_balance

TABLE = torch.tensor([[90, 10, 0], [10, 30, 0]])
SIZES = Sizes(2, 3, 4, 140, TABLE, (3, 8, 8), {})


def batch_of(y: list[int], v: list[int]) -> Batch:
    """Rows with these labels; images do not matter."""
    return Batch(torch.zeros(len(y), 1, 1, 1), torch.tensor(y), torch.tensor(v), torch.arange(len(y)))


def loss_of(sizes: Sizes, batch: Batch, logits: Tensor) -> Tensor:
    """The loss; the bottleneck does not matter."""
    made: Tensor = bias_balance.objective(sizes)(batch, Out(torch.zeros(len(logits), 4), logits, {}))
    return made


def test_the_loss_is_cross_entropy_of_logits_and_log_shares() -> None:
    """By loops: -log of exp(logit) p(y | v), normalised over targets; a row without a private label has no prior."""
    y, v = [0, 1, 0, 1, 1], [0, 0, 1, 1, -1]
    logits = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = {(0, 0): 0.9, (1, 0): 0.1, (0, 1): 0.25, (1, 1): 0.75, (0, -1): 1.0, (1, -1): 1.0}
    total = 0.0
    for i in range(5):
        mass = [math.exp(float(logits[i, k])) * (share[k, v[i]] + (1e-9 if v[i] >= 0 else 0)) for k in range(2)]
        total -= math.log(mass[y[i]] / sum(mass))
    assert float(loss_of(SIZES, batch_of(y, v), logits)) == pytest.approx(total / 5, rel=1e-6)


def test_the_gradient_is_the_slope() -> None:
    """Numerical and analytical gradients on the logits agree, in a cell without rows too."""
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    batch = batch_of([0, 1, 0, 1], [0, 1, -1, 2])
    assert torch.autograd.gradcheck(lambda logits: loss_of(SIZES, batch, logits), (logits,))


def test_an_even_table_is_vanilla() -> None:
    """Where private classes tell nothing of the target, and where there are no counts at all, it is cross-entropy."""
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(2))
    batch = batch_of([0, 1, 0, 1, 0, 1], [0, 1, 2, 0, 1, 2])
    plain = float(functional.cross_entropy(logits, batch.y))
    for table in (torch.tensor([[5, 9, 1], [5, 9, 1]]), torch.zeros(2, 3, dtype=torch.int64)):
        even = Sizes(2, 3, 4, 30, table, (3, 8, 8), {})
        assert float(loss_of(even, batch, logits)) == pytest.approx(plain)
    assert float(loss_of(SIZES, batch, logits)) != pytest.approx(plain, abs=0.01)


def test_the_best_logits_are_those_of_balanced_data() -> None:
    """
    Rows that carry nothing but the private class: the best logits favour no target, those of cross-entropy the prior.

    Going down on all 140 rows of the table with one logit for each private class.
    """
    y, v = zip(*[(a, b) for a in range(2) for b in range(2) for _ in range(int(TABLE[a, b]))], strict=True)
    batch = batch_of(list(y), list(v))
    found = {}
    for name in ("balanced", "plain"):
        leaf = torch.randn(2, 2, generator=torch.Generator().manual_seed(3), requires_grad=True)
        mover = torch.optim.LBFGS([leaf], max_iter=50)

        def step(name: str = name, leaf: Tensor = leaf, mover: torch.optim.Optimizer = mover) -> Tensor:
            mover.zero_grad()
            logits = leaf[batch.v]
            loss = loss_of(SIZES, batch, logits) if name == "balanced" else functional.cross_entropy(logits, batch.y)
            loss.backward()
            return loss

        mover.step(step)
        found[name] = leaf.detach().softmax(1)[:, 0].tolist()
    assert found["balanced"] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert found["plain"] == pytest.approx([0.9, 0.25], abs=1e-3)


def test_a_row_that_the_prior_explains_teaches_less() -> None:
    """At equal logits an aligned row has a smaller gradient than a conflicting one; without a label, between both."""
    slopes = []
    for v in (0, -1, 1):
        logits = torch.zeros(1, 2, requires_grad=True)
        loss_of(SIZES, batch_of([0], [v]), logits).backward()
        assert logits.grad is not None
        slopes.append(-float(logits.grad[0, 0]))
    assert slopes == pytest.approx([0.1, 0.5, 0.75], abs=1e-6)


def test_the_prior_follows_the_labels_of_the_table_and_every_row_is_drawn_once() -> None:
    """Other private labels between epochs give another prior; it is built of counts, so nothing of it is kept."""
    made = bias_balance.objective(SIZES)
    y = torch.tensor([0, 0, 0, 1])

    def outputs() -> Out:
        raise AssertionError

    assert made.weights(Table(y, torch.tensor([0, 0, 1, 1]), 1, outputs)) is None
    logits = torch.zeros(1, 2)
    out = Out(torch.zeros(1, 4), logits, {})
    assert float(made(batch_of([0], [1]), out)) == pytest.approx(math.log(2))
    assert float(made(batch_of([0], [0]), out)) == pytest.approx(0, abs=1e-6)
    assert made.state_dict() == {}
