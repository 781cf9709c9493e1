"""The preconditioner is the inverse it says it is."""

import numpy as np
import pytest
import torch

from leakaudit.numerics.preconditioner import USUAL, Preconditioner, sampled

CURVATURE = torch.tensor([0.25, 0.1], dtype=torch.float64)


def applied(held: Preconditioner, width: int) -> torch.Tensor:
    """The matrix of each problem, column by column."""
    unit = torch.eye(width, dtype=torch.float64)
    one = torch.ones(2, dtype=torch.float64)
    return torch.stack([held(row.repeat(2, 1), one, 1) for row in unit], 2)


def test_over_strata_it_inverts_the_covariance_of_the_columns_written_out() -> None:
    """Curvature times covariance plus penalties, densely inverted, is the same matrix."""
    share = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    width = 4 * 3
    penalty = torch.cat((torch.full((2, 9), 0.1), torch.full((2, 2), 0.01)), 1).double()
    covariance = torch.zeros(width, width, dtype=torch.float64)
    for component in range(3):
        own, shared = [stratum * 3 + component for stratum in range(3)], 9 + component
        covariance[own, own] = 1.0
        covariance[shared, shared] = 1.0
        covariance[own, shared] = covariance[shared, own] = share.sqrt()
    made = applied(Preconditioner(CURVATURE, penalty, torch.isinf(penalty), share.sqrt()), width)
    padded = torch.nn.functional.pad(penalty, (0, 1))
    for at in range(2):
        dense = torch.linalg.inv(CURVATURE[at] * covariance + torch.diag(padded[at]))
        torch.testing.assert_close(made[at], dense)


@pytest.mark.parametrize("singular", [False, True])
def test_a_gram_is_inverted_beside_the_penalty(singular: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """At the usual curvature it is the inverse; a Gram without full rank and without a penalty still gives numbers."""
    root = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gram = root[:, :2] @ root[:, :2].T if singular else root @ root.T
    penalty = torch.full((2, 4), 0.0 if singular else 0.3, dtype=torch.float64)
    usual = torch.full((2,), USUAL, dtype=torch.float64)
    made = applied(Preconditioner(usual, penalty, torch.isinf(penalty), gram), 5)
    assert torch.isfinite(made).all()
    if not singular:
        dense = torch.linalg.inv(USUAL * gram + 0.3 * torch.eye(4, dtype=torch.float64))
        torch.testing.assert_close(made[0, :4, :4], dense)


def test_a_sample_gives_mean_and_covariance_of_its_rows() -> None:
    """Of every third row here; of all where there are no more than asked for."""
    x = np.random.default_rng(0).normal(2, 3, (300, 5)).astype(np.float32)
    for rows, part in ((100, x[::3]), (1000, x)):
        lens, gram = sampled(x, rows)
        np.testing.assert_allclose(lens.mean, part.mean(0), rtol=1e-5)
        np.testing.assert_allclose(gram, np.cov(part.T, bias=True), rtol=1e-4, atol=1e-4)
