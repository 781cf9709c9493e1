"""A reversal changes nothing forward, and backward the sign and the scale."""

import pytest
import torch

from leakaudit.numerics.reversal import reverse


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 3.0])
def test_the_gradient_is_minus_scale_times_what_it_would_be(scale: float) -> None:
    """The same numbers forward; the gradient of any function behind it, turned round and scaled."""
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    passed = reverse(x, scale)
    assert torch.equal(passed, x)
    (turned,) = torch.autograd.grad(passed.sin().sum(), x)
    (plain,) = torch.autograd.grad(x.sin().sum(), x)
    assert torch.allclose(turned, -scale * plain)
    assert plain.abs().min() > 1e-3


def test_two_reversals_are_none() -> None:
    """Minus times minus, with the scales multiplied."""
    x = torch.randn(4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (twice,) = torch.autograd.grad(reverse(reverse(x, 2.0), 0.5).square().sum(), x)
    assert torch.allclose(twice, 2 * x)
