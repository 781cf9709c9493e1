"""IRENE's one loss has the gradients of the two passes it replaces."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from leakaudit.debias import Batch, Out, Sizes, irene
from leakaudit.errors import InputError

SIZES = Sizes(3, 4, 6, 32, torch.full((3, 4), 3), (3, 8, 8), {})


def network() -> nn.Sequential:
    """Encoder and classifier, small."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))


def example() -> Batch:
    """A random batch."""
    random = torch.Generator().manual_seed(1)
    y, v = (torch.randint(k, (32,), generator=random) for k in (3, 4))
    return Batch(torch.randn(32, 5, 1, 1, generator=random), y, v, torch.arange(32))


def soft_information(logits: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The mutual information of one-hot classes and softmax, cell by cell, as a share of ln k."""
    n, k = logits.shape
    guess = logits.softmax(1)
    joint = torch.stack([guess[v == i].sum(0) for i in range(k)]).clamp(min=1e-15) / n
    total = torch.zeros(())
    for i in range(k):
        for j in range(k):
            total = total + joint[i, j] * torch.log(joint[i, j] / (joint[i].sum() * joint[:, j].sum()))
    return total / math.log(k)


def test_gradients_equal_those_of_the_two_pass_original() -> None:
    """
    One loss gives every parameter what two passes give it.

    Pass one: alpha CE + gamma I through the head into the network, whose gradients on the head are thrown away.
    Pass two: CE of the head at the detached bottleneck.
    """
    alpha, gamma = 0.5, 0.2
    batch = example()
    objective = irene.objective(SIZES, alpha=alpha, gamma=gamma)
    assert isinstance(objective, irene.Irene)
    one, two = network(), network()

    z = one[:3](batch.x)
    objective(batch, Out(z, one[3](z), {})).backward()
    ours = [p.grad.clone() for p in (*one.parameters(), *objective.head.parameters()) if p.grad is not None]

    head = nn.Linear(6, 4)
    head.load_state_dict(objective.head.state_dict())
    z = two[:3](batch.x)
    task = functional.cross_entropy(two[3](z), batch.y)
    (alpha * task + gamma * soft_information(head(z), batch.v)).backward()
    head.zero_grad()
    functional.cross_entropy(head(z.detach()), batch.v).backward()
    theirs = [p.grad for p in (*two.parameters(), *head.parameters()) if p.grad is not None]

    assert len(ours) == len(theirs) == 6
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-7)
        assert b.abs().max() > 1e-4


def test_information_is_1_for_a_sure_head_and_0_for_a_deaf_one() -> None:
    """Balanced classes guessed right with certainty carry all of ln k; one answer for all rows carries nothing."""
    v = torch.arange(40) % 4
    assert float(irene.information(200 * functional.one_hot(v, 4).float(), v)) == pytest.approx(1, abs=1e-6)
    same = torch.tensor([0.3, -1, 2, 0.5]).expand(40, 4)
    assert float(irene.information(same, v)) == pytest.approx(0, abs=1e-6)


def test_a_renamed_guess_carries_as_much() -> None:
    """Information does not ask which class a guess is called: a permutation of the head's outputs changes nothing."""
    random = torch.Generator().manual_seed(3)
    logits, v = torch.randn(40, 4, generator=random), torch.arange(40) % 4
    assert float(irene.information(logits[:, [2, 0, 3, 1]], v)) == pytest.approx(float(irene.information(logits, v)))


def test_rows_without_a_label_carry_nothing() -> None:
    """They are left out of the table; where none is known the information is exactly 0."""
    random = torch.Generator().manual_seed(3)
    logits, v = torch.randn(40, 4, generator=random), torch.arange(40) % 4
    hidden = torch.where(torch.arange(40) < 30, v, -1)
    part = irene.information(logits[:30], v[:30])
    assert float(irene.information(logits, hidden)) == pytest.approx(float(part), abs=1e-6)
    assert float(irene.information(logits, torch.full_like(v, -1))) == 0


def test_the_head_learns_what_the_network_forgets() -> None:
    """Going down on z alone lowers what the head reads; with gamma = 0 it does not."""
    readings = {}
    for gamma in (0.0, 5.0):
        random = torch.Generator().manual_seed(4)
        v = torch.arange(40) % 4
        z = (functional.one_hot(v, 6).float() + 0.1 * torch.randn(40, 6, generator=random)).requires_grad_()
        torch.manual_seed(0)
        objective = irene.objective(SIZES, alpha=0.0, gamma=gamma)
        batch = Batch(torch.zeros(40, 1, 1, 1), torch.zeros(40, dtype=torch.int64), v, torch.arange(40))
        mover = torch.optim.Adam([z, *objective.parameters()], lr=0.05)
        for _ in range(150):
            mover.zero_grad()
            objective(batch, Out(z, torch.zeros(40, 3), {})).backward()
            mover.step()
        assert isinstance(objective, irene.Irene)
        readings[gamma] = float(irene.information(objective.head(z), v).detach())
    assert readings[0.0] > 0.8
    assert readings[5.0] < 0.5 * readings[0.0]


@pytest.mark.parametrize("name", ["alpha", "gamma"])
def test_a_negative_weight_is_refused(name: str) -> None:
    """A penalty that is rewarded is a typing error."""
    with pytest.raises(InputError, match=f"{name} = -1"):
        irene.objective(SIZES, **{name: -1.0})
