"""HSIC is Song's U-statistic: unbiased, blind to shifts and turns, and 0 where nothing depends on anything."""

from itertools import permutations, product

import numpy as np
import pytest
import torch

from leakaudit.numerics import hsic


def rows(n: int, d: int, seed: int) -> torch.Tensor:
    """Random vectors."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def estimate(one: torch.Tensor, other: torch.Tensor, sigma: float = 1.0) -> torch.Tensor:
    """As the methods call it."""
    return hsic.unbiased(hsic.gaussian(one, sigma), hsic.gaussian(other, sigma))


def kernel(a: np.ndarray, b: np.ndarray, sigma: float) -> float:
    """The Gaussian kernel of two vectors."""
    return float(np.exp(-((a - b) ** 2).sum() / (2 * sigma**2)))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_it_is_the_mean_over_all_quadruples_of_different_rows(sigma: float) -> None:
    """Song et al., equation 3: k(i, j) (l(i, j) + l(q, r) - 2 l(i, q)), over every i, j, q, r."""
    one, other = rows(6, 3, 0), rows(6, 2, 1)
    k, m = ([[kernel(a, b, sigma) for b in z.numpy()] for a in z.numpy()] for z in (one, other))
    terms = [k[i][j] * (m[i][j] + m[q][r] - 2 * m[i][q]) for i, j, q, r in permutations(range(6), 4)]
    assert float(estimate(one, other, sigma)) == pytest.approx(np.mean(terms), abs=1e-12)


def test_its_expectation_is_the_population_value() -> None:
    """Over every sample of four from a joint distribution on three points, weighted by its probability."""
    points, chances = ((0.0, 0.3), (1.0, 1.5), (2.5, 0.1)), np.array([0.5, 0.3, 0.2])
    x, y = (np.array(column)[:, None] for column in zip(*points, strict=True))
    k, m = (np.exp(-((z - z.T) ** 2) / 2) for z in (x, y))
    together = chances @ (k * m) @ chances
    apart = (chances @ k @ chances) * (chances @ m @ chances)
    crossed = (chances * (k @ chances) * (m @ chances)).sum()
    population = together + apart - 2 * crossed
    expected = 0.0
    for drawn in product(range(3), repeat=4):
        sample = list(drawn)
        value = estimate(torch.from_numpy(x[sample]), torch.from_numpy(y[sample]))
        expected += float(value) * chances[sample].prod()
    assert population > 0.01
    assert expected == pytest.approx(population, abs=1e-12)


def test_over_all_ways_to_pair_the_rows_it_is_0_on_average() -> None:
    """Independence exactly: each row of the one meets each row of the other equally often."""
    one, other = rows(6, 3, 0), rows(6, 2, 1)
    values = [float(estimate(one, other[list(order)])) for order in permutations(range(6))]
    assert np.mean(values) == pytest.approx(0, abs=1e-12)
    assert np.std(values) > 1e-3


def test_nothing_depends_on_a_constant_and_all_on_itself() -> None:
    """One vector for all rows gives exactly 0; the rows themselves give far more than unrelated ones."""
    one = rows(40, 2, 0)
    assert float(estimate(one, torch.ones(40, 3, dtype=torch.float64))) == pytest.approx(0, abs=1e-12)
    assert float(estimate(one, one)) > 10 * abs(float(estimate(one, rows(40, 2, 1))))


def test_order_shift_turn_and_roles_mean_nothing() -> None:
    """Rows shuffled together, vectors moved or turned, the two exchanged: the same estimate."""
    one, other = rows(12, 3, 0), rows(12, 3, 1)
    value = float(estimate(one, other))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    turn = torch.linalg.qr(rows(3, 3, 3))[0]
    for a, b in ((one[order], other[order]), (one + 7, other - 3), (one @ turn, other), (other, one)):
        assert float(estimate(a, b)) == pytest.approx(value, abs=1e-12)


def test_rows_far_from_the_origin_lose_no_digits() -> None:
    """In float32 a shift by a thousand changes nothing that matters."""
    one, other = rows(12, 3, 0).float(), rows(12, 3, 1).float()
    assert float(estimate(one + 1000, other)) == pytest.approx(float(estimate(one, other)), abs=1e-4)


def test_its_gradient_is_that_of_finite_differences() -> None:
    """With respect to both sets of vectors."""
    one, other = (rows(6, 2, seed).requires_grad_() for seed in (0, 1))
    assert torch.autograd.gradcheck(estimate, (one, other))


def test_rows_that_coincide_have_a_finite_gradient() -> None:
    """Two rows alike, as views of a flat image are, give no NaN."""
    one = rows(6, 2, 0)[[0, 0, 1, 2, 3, 4]].requires_grad_()
    estimate(one, rows(6, 2, 1)).backward()
    assert one.grad is not None
    assert torch.isfinite(one.grad).all()
    assert one.grad.abs().max() > 1e-5


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_than_four_rows_give_0_and_no_gradient(n: int) -> None:
    """There the estimator does not exist."""
    one = rows(n, 2, 0).requires_grad_()
    value = estimate(one, rows(n, 2, 1))
    assert float(value.detach()) == 0
    value.backward()
    assert one.grad is not None
    assert not one.grad.any()
