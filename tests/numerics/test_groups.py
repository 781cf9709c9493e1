"""Priors and draws are what counting cells by hand gives."""

import math

import pytest
import torch

from leakaudit.numerics import groups

Y = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 0, 1])
V = torch.tensor([0, 0, 0, 0, 1, 1, 1, 0, 1, -1, -1])


def test_cells_are_counted() -> None:
    """Rows in each (target, private) cell; a row without a private label is in none."""
    table = [[sum(1 for y, v in zip(Y, V, strict=True) if (y, v) == (a, b)) for b in range(2)] for a in range(3)]
    assert groups.counted(Y, V, 3, 2).tolist() == table == [[4, 1], [1, 2], [0, 1]]
    assert groups.cells(Y, V, 2).tolist() == [0, 0, 0, 0, 1, 3, 3, 2, 5, -1, -1]


def test_the_prior_is_the_share_of_the_target_in_each_private_class() -> None:
    """Log p(y | v) by hand; a cell without rows gets log 1e-9, and each private class sums to 1."""
    prior = groups.log_prior(groups.counted(Y, V, 3, 2))
    assert prior.shape == (2, 3)
    expected = [[4 / 5, 1 / 5, 1e-9], [1 / 4, 2 / 4, 1 / 4]]
    assert prior.exp().flatten().tolist() == pytest.approx([share for row in expected for share in row], rel=1e-4)
    assert float(prior[0, 2]) == pytest.approx(math.log(1e-9))


def test_a_private_class_without_rows_has_an_even_prior() -> None:
    """Nothing was seen, so nothing is known: log of one over the targets, in every cell."""
    prior = groups.log_prior(torch.tensor([[3, 0], [1, 0], [1, 0]]))
    assert prior[1].tolist() == pytest.approx([math.log(1 / 3)] * 3)
    assert torch.isfinite(groups.log_prior(torch.zeros(3, 2, dtype=torch.int64))).all()


def test_evened_cells_are_drawn_alike() -> None:
    """The weights of each cell that has rows sum to the same; their mean is 1, as is a row's without a label."""
    weights = groups.evening(Y, V, 2)
    cell = groups.cells(Y, V, 2)
    sums = [float(weights[cell == c].sum()) for c in (0, 1, 2, 3, 5)]
    assert sums == pytest.approx([9 / 5] * 5)
    assert weights[-2:].tolist() == [1, 1]
    assert float(weights.mean()) == pytest.approx(1)


@pytest.mark.parametrize("most", [1.0, 2.0, 3.0, 1000.0])
def test_rare_private_classes_of_a_target_are_drawn_more_often_but_not_without_bound(most: float) -> None:
    """Weights are 1 / p(v | y), at most `most` times the smallest of them, over their mean."""
    share = {(0, 0): 4 / 5, (0, 1): 1 / 5, (1, 0): 1 / 3, (1, 1): 2 / 3, (2, 1): 1.0}
    raw = [1 / share[int(y), int(v)] for y, v in zip(Y, V, strict=True) if v >= 0]
    clipped = [min(weight, most * min(raw)) for weight in raw]
    expected = [weight * len(clipped) / sum(clipped) for weight in clipped] + [1, 1]
    assert groups.conditional(Y, V, 2, most).tolist() == pytest.approx(expected)


def test_without_private_labels_every_row_is_drawn_alike() -> None:
    """No label, no cell: all weights are 1."""
    none = torch.full_like(V, -1)
    assert groups.evening(Y, none, 2).tolist() == groups.conditional(Y, none, 2, 10).tolist() == [1] * len(Y)
