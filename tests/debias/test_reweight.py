"""Group balance: each cell counts alike, whether rows are drawn or weighed."""

from dataclasses import replace

import pytest
import torch
from small import PRIVATES, ROWS, SIZES, TARGETS, batch, out, table, unlabelled
from torch.nn import functional

from leakaudit.debias import Batch, reweight
from leakaudit.numerics.groups import counted


def made(rows: Batch, by: str) -> reweight.Reweight:
    """For the rows as training set, standing at the beginning of an epoch."""
    objective = reweight.objective(replace(SIZES, table=counted(rows.y, rows.v, TARGETS, PRIVATES)), by=by)
    assert isinstance(objective, reweight.Reweight)
    return objective


def even(rows: Batch, each: torch.Tensor) -> torch.Tensor:
    """The mean over cells of the mean over their rows, by a loop."""
    cells = sorted(set(zip(rows.y.tolist(), rows.v.tolist(), strict=True)))
    means = [each[(rows.y == y) & (rows.v == v)].mean() for y, v in cells]
    assert len({int(((rows.y == y) & (rows.v == v)).sum()) for y, v in cells}) > 2
    return torch.stack(means).mean()


def test_drawing_and_weighing_have_the_expectation_of_the_even_mean() -> None:
    """Weights times losses, and the loss itself: both are the mean over cells, and so are their gradients."""
    rows, answer = batch(), out()
    each = functional.cross_entropy(answer.logits, rows.y, reduction="none")
    drawn = made(rows, "draw").weights(table(rows, 0))
    assert drawn is not None
    weighed = made(rows, "loss")
    assert weighed.weights(table(rows, 0)) is None
    expected = (drawn / drawn.sum() * each).sum()
    values = [expected, weighed(rows, answer), even(rows, each)]
    on = [torch.autograd.grad(value, answer.logits, retain_graph=True)[0] for value in values]
    for value, gradient in zip(values[:2], on[:2], strict=True):
        assert float(value.detach()) == pytest.approx(float(values[2].detach()), rel=1e-6)
        assert torch.allclose(gradient, on[2], atol=1e-7)
    assert abs(float(values[2].detach()) - float(each.mean().detach())) > 1e-3


def test_a_drawn_batch_is_learned_from_as_it_is() -> None:
    """The draw has balanced it: the loss is plain cross-entropy."""
    rows, answer = batch(), out()
    loss = made(rows, "draw")(rows, answer)
    assert torch.allclose(loss, functional.cross_entropy(answer.logits, rows.y))


@pytest.mark.parametrize("by", ["draw", "loss"])
def test_where_cells_are_even_already_it_is_vanilla(by: str) -> None:
    """Every weight is 1."""
    rows, answer = batch(), out()
    cell = torch.arange(ROWS) % (TARGETS * PRIVATES)
    rows = replace(rows, y=cell // PRIVATES, v=cell % PRIVATES)
    objective = made(rows, by)
    drawn = objective.weights(table(rows, 0))
    assert drawn is None or torch.allclose(drawn, torch.ones(ROWS))
    loss = objective(rows, answer)
    assert torch.allclose(loss, functional.cross_entropy(answer.logits, rows.y))


@pytest.mark.parametrize("by", ["draw", "loss"])
def test_rows_without_a_private_label_count_once(by: str) -> None:
    """Some, or all; the others' weights are on average 1."""
    rows, answer = batch(), out()
    rows.v[:6] = -1
    for some in (rows, unlabelled(rows)):
        objective = made(some, by)
        drawn = objective.weights(table(some, 0))
        if drawn is None:
            drawn = ROWS * torch.autograd.grad(objective(some, answer), answer.logits)[0].norm(dim=1)
            plain = functional.cross_entropy(answer.logits, some.y, reduction="sum")
            drawn = drawn / torch.autograd.grad(plain, answer.logits)[0].norm(dim=1)
        assert torch.allclose(drawn[some.v < 0], torch.ones(int((some.v < 0).sum()), dtype=drawn.dtype))
        assert float(drawn.mean()) == pytest.approx(1, rel=1e-6)


def test_cells_are_counted_anew_before_each_epoch() -> None:
    """Labels that are made out while training weigh as they are, not as they were."""
    rows, answer = batch(), out()
    objective = reweight.objective(replace(SIZES, table=torch.zeros(TARGETS, PRIVATES, dtype=torch.int64)), by="loss")
    objective.weights(table(rows, 0))
    assert torch.allclose(objective(rows, answer), made(rows, "loss")(rows, answer))
