"""The generalised cross-entropy lies between cross-entropy and mean absolute error, and pulls where it is right."""

import math

import pytest
import torch
from torch.nn import functional

from leakaudit.numerics.ambition import generalised


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits and classes."""
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(9, 4, generator=random, dtype=torch.float64)
    return logits.requires_grad_(), torch.randint(4, (9,), generator=random)


@pytest.mark.parametrize("q", [0.1, 0.7, 1.0])
def test_it_is_the_formula(q: float) -> None:
    """The mean of (1 - p^q) / q, row by row."""
    logits, y = example()
    terms = []
    for row, right in zip(logits.tolist(), y.tolist(), strict=True):
        p = math.exp(row[right]) / sum(map(math.exp, row))
        terms.append((1 - p**q) / q)
    assert float(generalised(logits.detach(), y, q)) == pytest.approx(sum(terms) / 9)


def test_towards_0_it_is_cross_entropy() -> None:
    """The limit of (1 - p^q) / q, without loss of digits."""
    logits, y = example()
    logits = logits.detach()
    assert float(generalised(logits, y, 1e-9)) == pytest.approx(float(functional.cross_entropy(logits, y)), rel=1e-6)


@pytest.mark.parametrize("q", [0.3, 0.7])
def test_its_gradient_is_that_of_cross_entropy_times_p_to_the_q(q: float) -> None:
    """Nam et al., equation 2: each row's gradient, so that rows that are guessed right count most."""
    logits, y = example()
    (ours,) = torch.autograd.grad(generalised(logits, y, q), logits)
    (plain,) = torch.autograd.grad(functional.cross_entropy(logits, y), logits)
    p = logits.softmax(1).gather(1, y[:, None])
    assert torch.allclose(ours, p**q * plain)
    assert torch.autograd.gradcheck(lambda x: generalised(x, y, q), logits)


def test_sure_errors_and_sure_hits_stay_finite() -> None:
    """Logits of a thousand: 1 / q at worst, 0 at best, and no NaN in the gradient."""
    y = torch.tensor([0, 1])
    logits = torch.tensor([[-1000.0, 1000.0], [-1000.0, 1000.0]]).requires_grad_()
    loss = generalised(logits, y, 0.5)
    assert float(loss.detach()) == pytest.approx((2 + 0) / 2)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
