"""Group DRO is algorithm 1: weights of cells that rise exponentially with their losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import PRIVATES, SIZES, TARGETS, batch, out, part, table, unlabelled
from torch.nn import functional

from leakaudit.debias import Batch, Out, group_dro
from leakaudit.errors import InputError
from leakaudit.numerics.groups import counted

CELLS = TARGETS * PRIVATES


def made(rows: Batch, eta: float, adjustment: float = 0.0) -> group_dro.GroupDro:
    """For the rows as training set, in float64."""
    sizes = replace(SIZES, table=counted(rows.y, rows.v, TARGETS, PRIVATES))
    objective = group_dro.objective(sizes, eta=eta, adjustment=adjustment).double()
    assert isinstance(objective, group_dro.GroupDro)
    return objective


def losses(rows: Batch, answer: Out) -> dict[int, float]:
    """The mean cross-entropy of each cell that the batch holds."""
    each = functional.cross_entropy(answer.logits, rows.y, reduction="none").detach().numpy()
    known = (rows.v >= 0).numpy()
    each, cell = each[known], (rows.y * PRIVATES + rows.v).numpy()[known]
    return {int(one): float(each[cell == one].mean()) for one in np.unique(cell)}


@pytest.mark.parametrize(("eta", "adjustment"), [(0.01, 0.0), (1.0, 0.0), (0.5, 2.0)])
def test_batch_after_batch_it_is_algorithm_1(eta: float, adjustment: float) -> None:
    """By hand: q <- q exp(eta (loss + C / sqrt n)) over the cells of the batch, q <- q / sum, then sum q loss."""
    whole = batch()
    size = counted(whole.y, whole.v, TARGETS, PRIVATES).flatten().numpy()
    q = (size > 0) / (size > 0).sum()
    objective = made(whole, eta, adjustment)
    for seed in range(4):
        rows, answer = part(whole, torch.arange(5 * seed, 5 * seed + 9)), out(9, seed)
        loss = objective(rows, answer).detach()
        worse = {cell: each + adjustment / np.sqrt(size[cell]) for cell, each in losses(rows, answer).items()}
        for cell, each in worse.items():
            q[cell] *= np.exp(eta * each)
        q /= q.sum()
        assert float(loss) == pytest.approx(sum(q[cell] * each for cell, each in worse.items()), rel=1e-6)
    np.testing.assert_allclose(objective.q.numpy(), q, rtol=1e-6)
    assert q.max() > 1.01 * q[q > 0].min()
    assert (q > 0).sum() < CELLS


def test_eta_0_is_the_even_mean() -> None:
    """Every cell that has rows counts alike, and q stands still."""
    rows, answer = batch(), out()
    objective = made(rows, 0.0)
    before = objective.q.clone()
    each = losses(rows, answer)
    assert float(objective(rows, answer).detach()) == pytest.approx(np.mean(list(each.values())))
    assert torch.allclose(objective.q, before)


def test_a_large_eta_is_the_worst_cell_and_overflows_nowhere() -> None:
    """In one step all weight is on it; a thousand steps later everything is finite and the others can still rise."""
    rows, answer = batch(), out()
    objective = made(rows, 1e6)
    worst = max(losses(rows, answer).values())
    assert float(objective(rows, answer).detach()) == pytest.approx(worst, rel=1e-9)
    for _ in range(5):
        objective(rows, answer)
    assert torch.isfinite(objective.q).all()
    better = Out(answer.z, 20.0 * functional.one_hot(rows.y, TARGETS), {})
    better.logits[rows.y == 0] = 0
    objective.eta = 100.0
    for _ in range(5):
        loss = objective(rows, better)
    assert float(loss) == pytest.approx(np.log(TARGETS), rel=1e-6)


def test_the_gradient_is_that_of_the_weighted_losses_alone() -> None:
    """Q is no function of the network: its own change is not differentiated."""
    rows, answer = batch(), out()
    objective = made(rows, 1.0)
    (ours,) = torch.autograd.grad(objective(rows, answer), answer.logits)
    each = functional.cross_entropy(answer.logits, rows.y, reduction="none")
    cell = rows.y * PRIVATES + rows.v
    weight = objective.q[cell] / torch.bincount(cell, minlength=CELLS)[cell]
    (plain,) = torch.autograd.grad((weight * each).sum(), answer.logits)
    assert torch.allclose(ours, plain)


def test_rows_without_a_private_label_keep_their_share() -> None:
    """A quarter of the batch without one is a quarter of the loss; all of it, plain cross-entropy."""
    rows, answer = batch(), out()
    rows.v[:6] = -1
    objective = made(rows, 0.0)
    each = functional.cross_entropy(answer.logits, rows.y, reduction="none").detach()
    expected = 0.75 * np.mean(list(losses(rows, answer).values())) + float(each[:6].sum()) / 24
    assert float(objective(rows, answer).detach()) == pytest.approx(expected)
    blank = unlabelled(rows)
    for some in (objective, made(blank, 0.1)):
        assert torch.allclose(some(blank, answer), functional.cross_entropy(answer.logits, rows.y))
        assert torch.isfinite(some.q).all()


def test_a_table_unknown_at_first_is_counted_and_cells_may_come_and_go() -> None:
    """Labels that are made out while training: new cells begin at an even share, empty ones fall out, q sums to 1."""
    rows, answer = batch(), out()
    objective = made(unlabelled(rows), 0.5)
    assert not objective.q.any()
    assert objective.weights(table(rows, 0)) is not None
    assert torch.allclose(objective.q, made(rows, 0.5).q)
    objective(rows, answer)
    moved = replace(rows, v=torch.where(rows.v == 0, 1, rows.v))
    objective.weights(table(moved, 1))
    objective.weights(table(rows, 2))
    assert torch.equal(objective.q > 0, made(rows, 0.5).q > 0)
    assert float(objective.q.sum()) == pytest.approx(1)
    objective.weights(table(moved, 3))
    assert not objective.q.view(TARGETS, PRIVATES)[:, 0].any()


def test_outside_training_q_stands_still() -> None:
    """A look at the loss is no step."""
    rows, answer = batch(), out()
    objective = made(rows, 1.0).eval()
    before = objective.q.clone()
    objective(rows, answer)
    assert torch.equal(objective.q, before)
    objective.train()(rows, answer)
    assert not torch.equal(objective.q, before)


def test_rows_are_drawn_so_that_cells_are_even_unless_told_otherwise() -> None:
    """The sum of the weights is the same for every cell."""
    rows = batch()
    drawn = made(rows, 0.1).weights(table(rows, 0))
    assert drawn is not None
    sums = torch.zeros(CELLS).index_add(0, rows.y * PRIVATES + rows.v, drawn)
    assert torch.allclose(sums[sums > 0], sums.max())
    assert group_dro.objective(SIZES, even=False).weights(table(rows, 0)) is None


@pytest.mark.parametrize("knob", ["eta", "adjustment"])
def test_a_negative_knob_is_refused(knob: str) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"group-dro: {knob} = -1"):
        group_dro.objective(SIZES, **{knob: -1.0})
