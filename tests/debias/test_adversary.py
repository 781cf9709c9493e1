"""The adversary's head goes down on its loss, and the network up on it."""

import pytest
import torch
from small import PRIVATES, SIZES, WIDTH, batch, out, part, unlabelled
from torch.nn import functional

from leakaudit.debias import Out, adversary
from leakaudit.errors import InputError


def made(lam: float = 0.7, hidden: int = 0) -> adversary.Adversary:
    """In float64, the head always the same."""
    torch.manual_seed(1)
    objective = adversary.objective(SIZES, lam=lam, hidden=hidden).double()
    assert isinstance(objective, adversary.Adversary)
    return objective


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_head_gets_the_gradient_and_z_minus_lambda_times_it(hidden: int) -> None:
    """Ganin and Lempitsky, equations 4 and 5; the logits get that of the target's cross-entropy."""
    objective, rows, answer = made(0.7, hidden), batch(), out()
    loss = objective(rows, answer)
    heads = list(objective.head.parameters())
    on_z, on_logits, *on_head = torch.autograd.grad(loss, [answer.z, answer.logits, *heads])
    z = answer.z.detach().requires_grad_()
    private = functional.cross_entropy(objective.head(z), rows.v)
    plain_z, *plain_head = torch.autograd.grad(private, [z, *heads])
    target = functional.cross_entropy(answer.logits, rows.y)
    (plain_logits,) = torch.autograd.grad(target, answer.logits)
    assert float(loss.detach()) == pytest.approx(float((target + private).detach()))
    assert torch.allclose(on_z, -0.7 * plain_z)
    assert torch.allclose(on_logits, plain_logits)
    assert all(torch.allclose(a, b) for a, b in zip(on_head, plain_head, strict=True))
    assert plain_z.abs().max() > 1e-4


def test_strength_0_leaves_the_network_alone() -> None:
    """Nothing reaches z; the head still learns."""
    objective, answer = made(0.0), out()
    objective(batch(), answer).backward()
    assert answer.z.grad is not None
    assert not answer.z.grad.any()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-4 for p in objective.head.parameters())


def test_rows_without_a_private_label_do_not_count() -> None:
    """Their z gets nothing and the others' mean is their own; without any the loss is the target's."""
    objective, rows, answer = made(), batch(), out()
    rows.v[:5] = -1
    objective(rows, answer).backward()
    few = Out(answer.z.detach()[5:].requires_grad_(), answer.logits.detach()[5:], {})
    objective(part(rows, torch.arange(5, 24)), few).backward()
    assert answer.z.grad is not None
    assert few.z.grad is not None
    assert not answer.z.grad[:5].any()
    assert torch.allclose(answer.z.grad[5:], few.z.grad)
    alone = objective(unlabelled(rows), answer)
    assert torch.equal(alone, functional.cross_entropy(answer.logits, rows.y))


def test_the_head_has_the_layers_asked_for() -> None:
    """None hidden by default."""
    assert [tuple(p.shape) for p in made().head.parameters()] == [(PRIVATES, WIDTH), (PRIVATES,)]
    assert [tuple(p.shape) for p in made(1.0, 5).head.parameters()][::2] == [(5, WIDTH), (PRIVATES, 5)]


@pytest.mark.parametrize("knobs", [{"lam": -1.0}, {"hidden": -1}])
def test_knobs_out_of_range_are_refused(knobs: dict) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"adversary: {next(iter(knobs))} = -1"):
        adversary.objective(SIZES, **knobs)
