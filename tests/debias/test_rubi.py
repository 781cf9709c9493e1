"""RUBi masks the model's logits by what a biased network answers, and its own layer learns."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small import SIZES, batch, out
from torch.nn import functional
from trying import finish, plan, work

from leakaudit import store
from leakaudit.debias import Out, rubi
from leakaudit.errors import InputError
from leakaudit.plan import prepare


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """The mean over rows, by a loop."""
    return float(np.mean([math.log(np.exp(row).sum()) - row[right] for row, right in zip(logits, y, strict=True)]))


def made(weight: float = 1.0) -> rubi.Rubi:
    """In float64, its own layer always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        objective = rubi.objective(SIZES, weight=weight).double()
    assert isinstance(objective, rubi.Rubi)
    return objective


def test_the_loss_is_the_papers() -> None:
    """Equations 3 to 5: CE(f sigmoid(W z_g + c)) + weight CE(W z_g + c)."""
    objective, rows, answer = made(0.4), batch(), out()
    assert objective.inner.training
    with torch.no_grad():
        z = objective.inner(rows.x).z.numpy()
        loss = float(objective(rows, answer))
    weights, shift = (p.detach().numpy() for p in objective.question.parameters())
    q = z @ weights.T + shift
    y = rows.y.numpy()
    masked = answer.logits.detach().numpy() / (1 + np.exp(-q))
    assert loss == pytest.approx(cross_entropy(masked, y) + 0.4 * cross_entropy(q, y), abs=1e-12)


def test_the_biased_network_learns_by_its_own_cross_entropy_alone() -> None:
    """The model's loss gives it no gradient, and gives the layer on top of it one; z gets none at all."""
    objective, rows, answer = made(), batch(), out()
    objective(rows, answer).backward()
    assert all(parameter.grad is None for parameter in objective.inner.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 1e-6 for p in objective.question.parameters())
    assert answer.z.grad is None
    with torch.no_grad():
        plain = functional.cross_entropy(objective.inner(rows.x).logits, rows.y)
        assert torch.equal(objective.inner_step(rows, answer.detach()), plain)


def test_its_own_layer_is_trained_by_the_models_optimiser(tmp_path: Path) -> None:
    """What the released code forgot: after an epoch of real training W and c are not what they began as."""
    what = plan("try/rubi", method__name="rubi", train__epochs=1)
    begun = prepare(what, tmp_path, 0, "cpu", None).loop
    held = {id(p) for group in begun.optimizer.param_groups for p in group["params"]}
    assert isinstance(begun.objective, rubi.Rubi)
    assert {id(p) for p in begun.objective.question.parameters()} <= held
    ended, _ = store.read_tensors(finish(work(what, tmp_path))[0].folder / "objective.safetensors")
    for name, parameter in begun.objective.question.named_parameters():
        assert np.abs(ended[f"question.{name}"] - parameter.detach().numpy()).max() > 1e-3


def test_the_released_variant_never_trains_its_own_layer() -> None:
    """The loss is the paper's, the mask stays as it was drawn, and the logits learn the same."""
    rows, answer = batch(), out()
    paper = made()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        released = rubi.objective(SIZES, variant="released").double()
    assert isinstance(released, rubi.Rubi)
    one, other = (each(rows, answer) for each in (paper, released))
    assert torch.equal(one, other)
    assert torch.equal(*(torch.autograd.grad(loss, answer.logits, retain_graph=True)[0] for loss in (one, other)))
    other.backward()
    assert all(parameter.grad is None for parameter in released.question.parameters())


def test_a_mask_that_is_open_is_vanilla() -> None:
    """Where q is large for every class the model's gradient is that of plain cross-entropy."""
    objective, rows, answer = made(0.0), batch(), out()
    with torch.no_grad():
        objective.question.bias.fill_(50)
    (ours,) = torch.autograd.grad(objective(rows, answer), answer.logits)
    (plain,) = torch.autograd.grad(functional.cross_entropy(answer.logits, rows.y), answer.logits)
    assert torch.allclose(ours, plain)


def test_its_gradient_on_the_logits_is_that_of_finite_differences() -> None:
    """Of the whole loss."""
    objective, rows, answer = made().eval(), batch(), out()
    assert torch.autograd.gradcheck(lambda f: objective(rows, Out(answer.z.detach(), f, {})), answer.logits)


def test_a_negative_weight_is_refused() -> None:
    """By name."""
    with pytest.raises(InputError, match="rubi: weight = -1"):
        rubi.objective(SIZES, weight=-1.0)
