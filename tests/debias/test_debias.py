"""What every method promises; a new one is tested unasked."""

from types import ModuleType

import pytest
import torch

from leakaudit import catalog
from leakaudit.debias import Batch, Objective, Out, Sizes

ROWS, WIDTH, TARGETS, PRIVATES = 24, 6, 3, 4


@pytest.fixture(params=catalog.names("debias"))
def method(request: pytest.FixtureRequest) -> ModuleType:
    """Each method in turn."""
    return catalog.thing("debias", request.param)


def make(method: ModuleType) -> Objective:
    """The method at its defaults."""
    table = torch.full((TARGETS, PRIVATES), 2)
    sizes = Sizes(TARGETS, PRIVATES, WIDTH, ROWS, table, (3, 8, 8), {})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        objective: Objective = method.objective(sizes)
    return objective


def example() -> tuple[Batch, Out]:
    """A random batch and a random answer that a gradient can go back to."""
    random = torch.Generator().manual_seed(1)
    y, v = (torch.randint(k, (ROWS,), generator=random) for k in (TARGETS, PRIVATES))
    x = torch.randn(ROWS, 3, 8, 8, generator=random)
    out = Out(
        torch.randn(ROWS, WIDTH, generator=random, requires_grad=True),
        torch.randn(ROWS, TARGETS, generator=random, requires_grad=True),
        {},
    )
    return Batch(x, y, v, torch.arange(ROWS)), out


def test_the_loss_is_a_finite_scalar_that_reaches_the_network(method: ModuleType) -> None:
    """One number, and a gradient on the logits; none of it depends on the run."""
    objective = make(method)
    batch, out = example()
    loss = objective(batch, out)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    assert out.logits.grad is not None
    assert out.logits.grad.abs().sum() > 0
    assert torch.equal(loss, objective(batch, out))


def test_the_order_of_rows_means_nothing(method: ModuleType) -> None:
    """A shuffled batch gives the same loss."""
    objective = make(method)
    batch, out = example()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2))
    moved = Batch(batch.x[order], batch.y[order], batch.v[order], batch.rows[order])
    shuffled = objective(moved, Out(out.z[order], out.logits[order], {}))
    assert torch.allclose(objective(batch, out), shuffled, atol=1e-5)


def test_without_any_private_label_the_gradient_is_that_of_the_target_alone(method: ModuleType) -> None:
    """Rows whose private class is missing take no part in what is done about it: the loss is finite, z gets nothing."""
    objective = make(method)
    batch, out = example()
    blank = Batch(batch.x, batch.y, torch.full_like(batch.v, -1), batch.rows)
    loss = objective(blank, out)
    assert torch.isfinite(loss)
    loss.backward()
    assert out.z.grad is None or out.z.grad.abs().max() < 1e-6


def test_a_row_without_private_label_leaves_the_other_rows_private_terms_alone(method: ModuleType) -> None:
    """Adding such a row changes the gradient on z of none of the others."""
    objective = make(method)
    batch, out = example()
    hidden = batch.v.clone()
    hidden[:5] = -1
    part = Batch(batch.x, batch.y, hidden, batch.rows)
    objective(part, out).backward()
    whole = out.z.grad
    fewer = Batch(batch.x[5:], batch.y[5:], batch.v[5:], batch.rows[5:])
    z = out.z.detach()[5:].requires_grad_()
    objective(fewer, Out(z, out.logits.detach()[5:].requires_grad_(), {})).backward()
    if whole is None:
        assert z.grad is None
    else:
        assert z.grad is not None
        assert torch.allclose(whole[5:], z.grad, atol=1e-6)
        assert whole[:5].abs().max() < 1e-7
