"""ReBias is cross-entropy and a weighted HSIC, up for the biased network and down for the model."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from small import SIZES, batch, out, part
from torch.nn import functional

from leakaudit.debias import Batch, Out, rebias
from leakaudit.errors import InputError


def dependence(one: np.ndarray, other: np.ndarray, sigma: float) -> float:
    """The U-statistic over all quadruples of different rows."""
    k, m = ([[np.exp(-((a - b) ** 2).sum() / (2 * sigma**2)) for b in z] for a in z] for z in (one, other))
    rows = range(len(one))
    return float(np.mean([k[i][j] * (m[i][j] + m[q][r] - 2 * m[i][q]) for i, j, q, r in permutations(rows, 4)]))


def made(**knobs: Any) -> rebias.ReBias:
    """In float64."""
    objective = rebias.objective(SIZES, **knobs).double()
    assert isinstance(objective, rebias.ReBias)
    return objective


def few() -> tuple[Batch, Out]:
    """Seven rows, for loops over quadruples."""
    return part(batch(), torch.arange(7)), out(7)


def test_both_losses_are_the_papers() -> None:
    """Equations 4 to 6 by loops: CE(f) + outer HSIC for the model, CE(g) - inner HSIC for the biased network."""
    rows, answer = few()
    objective = made(inner=0.7, outer=1.3, sigma=0.8)
    with torch.no_grad():
        biased = objective.inner(rows.x)
        apart = dependence(biased.z.numpy(), answer.z.detach().numpy(), 0.8)
        model = functional.cross_entropy(answer.logits, rows.y) + 1.3 * apart
        twin = functional.cross_entropy(biased.logits, rows.y) - 0.7 * apart
        assert float(objective(rows, answer)) == pytest.approx(float(model), abs=1e-9)
        assert float(objective.inner_step(rows, answer.detach())) == pytest.approx(float(twin), abs=1e-9)
    assert abs(apart) > 1e-6


def test_each_loss_moves_its_own_network_alone() -> None:
    """The model's loss gives the biased network no gradient; the biased network's reaches all of its own layers."""
    objective = made()
    rows, answer = batch(), out()
    objective(rows, answer).backward()
    assert answer.z.grad is not None
    assert answer.z.grad.abs().max() > 1e-6
    assert all(parameter.grad is None for parameter in objective.inner.parameters())
    objective.inner_step(rows, answer.detach()).backward()
    assert all(parameter.grad is not None for parameter in objective.inner.parameters())
    assert {id(p) for p in objective.parameters()} == {id(p) for p in objective.inner.parameters()}


def test_weights_of_0_leave_two_plain_networks() -> None:
    """Both losses are cross-entropies, and z gets nothing."""
    objective = made(inner=0.0, outer=0.0)
    rows, answer = batch(), out()
    loss = objective(rows, answer)
    assert torch.equal(loss, functional.cross_entropy(answer.logits, rows.y))
    loss.backward()
    assert answer.z.grad is None or not answer.z.grad.any()


def test_its_gradient_on_the_bottleneck_is_that_of_finite_differences() -> None:
    """Of the whole loss, at the default width."""
    rows, answer = few()
    objective = made().eval()
    assert torch.autograd.gradcheck(lambda z: objective(rows, Out(z, answer.logits.detach(), {})), answer.z)


@pytest.mark.parametrize("count", [2, 3])
def test_a_batch_too_small_for_hsic_teaches_the_target_alone(count: int) -> None:
    """The last batch of an epoch may hold fewer than four rows."""
    rows, answer = part(batch(), torch.arange(count)), out(count)
    loss = made()(rows, answer)
    assert torch.allclose(loss, functional.cross_entropy(answer.logits, rows.y))


def test_going_down_makes_the_bottleneck_independent() -> None:
    """A bottleneck that began as the biased network's own loses its HSIC, which without the weight it keeps."""
    rows, left = batch(), {}
    for outer in (0.0, 20.0):
        objective = made(outer=outer).eval()
        with torch.no_grad():
            biased = objective.inner(rows.x).z
        z = (3 * biased[:, :6]).clone().requires_grad_()
        mover = torch.optim.Adam([z], lr=0.1)
        for _ in range(40):
            mover.zero_grad()
            (objective(rows, Out(z, out().logits.detach(), {})) + 0 * z.sum()).backward()
            mover.step()
        left[outer] = float(objective._dependence(z.detach(), biased))
    assert left[20.0] < 0.1 * left[0.0]


def test_steps_of_the_biased_network_are_a_knob() -> None:
    """`steps` before each of the model's; one by default."""
    assert made().inner_steps == 1
    assert made(steps=3).inner_steps == 3


@pytest.mark.parametrize(
    ("knobs", "words"),
    [({"inner": -1.0}, "inner = -1"), ({"outer": -0.5}, "outer"), ({"sigma": 0.0}, "sigma"), ({"steps": 0}, "steps")],
)
def test_knobs_out_of_range_are_refused(knobs: dict, words: str) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"rebias: {words}"):
        rebias.objective(SIZES, **knobs)
