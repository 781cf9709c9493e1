"""Hyperplanes that strata add to a shared one are those of the columns written out."""

import pytest
import torch

from leakaudit.numerics import logistic
from leakaudit.numerics.strata import Strata, StrataSweep
from leakaudit.numerics.sweeps import Labels, Sweep

ROWS, WIDTH, COUNT = 400, 3, 5


@pytest.fixture
def x() -> torch.Tensor:
    """Noise."""
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def strata() -> Strata:
    """Strata of very different sizes, one of them empty."""
    draw = torch.randint(0, 100, (ROWS,), generator=torch.Generator().manual_seed(1))
    return Strata(torch.tensor([0, 1, 1, 3, 3, 3, 3, 4, 4, 4])[draw // 10], COUNT)


def written(x: torch.Tensor, strata: Strata) -> torch.Tensor:
    """Per stratum the products and the stratum itself, then x."""
    hot = torch.nn.functional.one_hot(strata.of_row, COUNT) * strata.unit
    wide = torch.cat((x, torch.ones_like(x[:, :1])), 1)
    return torch.cat(((hot[:, :, None] * wide[:, None]).flatten(1), x), 1)


def asked(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels, some missing, and weights of three questions."""
    chance = torch.Generator().manual_seed(2)
    labels = torch.randint(-1, classes, (3, ROWS), generator=chance)
    return labels, torch.rand(3, ROWS, generator=chance, dtype=torch.float64)


@pytest.mark.parametrize("classes", [2, 4])
def test_gradients_are_those_of_the_columns_written_out(x: torch.Tensor, strata: Strata, classes: int) -> None:
    """By the additions, by what all share, and by the biases."""
    labels, weights = asked(classes)
    question = Labels(labels, weights, torch.tensor([2, 0, 1, 2]), classes)
    columns = written(x, strata)
    k = logistic.columns(classes)
    at = torch.randn(4, k, columns.shape[1], generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    bias = torch.ones(4, k, dtype=torch.float64)
    ours = StrataSweep(x, question, strata)(at, bias, question.of)
    for one, other in zip(ours, Sweep(columns, question, None)(at, bias, question.of), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("classes", [2, 3])
def test_solutions_are_those_of_the_columns_written_out(x: torch.Tensor, strata: Strata, classes: int) -> None:
    """The same weights, the same logits, in fewer sweeps than the columns need without being told what they are."""
    labels, weights = asked(classes)
    columns = written(x, strata)
    own, shared = torch.full((3, COUNT * (WIDTH + 1)), 0.1), torch.full((3, WIDTH), 0.01)
    penalty = torch.cat((own, shared), 1).double()
    given = labels, weights, penalty, classes
    ours = logistic.fit(x, *given, strata=strata, tolerance=1e-13)
    theirs = logistic.fit(columns, *given, tolerance=1e-13)
    assert ours.converged.all()
    assert ours.iterations < theirs.iterations
    torch.testing.assert_close(ours.weights, theirs.weights, atol=1e-5, rtol=0)
    logits = strata.logits(ours.weights, ours.bias, x, strata.of_row)
    torch.testing.assert_close(logits, theirs.logits(columns), atol=1e-4, rtol=0)


def test_an_infinite_penalty_leaves_one_hyperplane_for_all(x: torch.Tensor, strata: Strata) -> None:
    """Where strata may add nothing the solution is that without strata."""
    labels, weights = asked(2)
    shared = torch.full((3, WIDTH), 0.01, dtype=torch.float64)
    out = torch.full((3, COUNT * (WIDTH + 1)), torch.inf, dtype=torch.float64)
    ours = logistic.fit(x, labels, weights, torch.cat((out, shared), 1), 2, strata=strata, tolerance=1e-12)
    alone = logistic.fit(x, labels, weights, shared, 2, tolerance=1e-12)
    assert not ours.weights[..., :-WIDTH].any()
    torch.testing.assert_close(ours.weights[..., -WIDTH:], alone.weights, atol=1e-5, rtol=0)
