"""Forms tried along directions held fast rank as leaks demand."""

import numpy as np
import torch

from leakaudit.numerics.inputs import Inputs, Side, learned
from leakaudit.numerics.moments import moments
from leakaudit.numerics.perceptron import Plan
from leakaudit.numerics.pilots import Spent, Trial, losses

ROWS, WIDTH, STRATA = 6000, 20, 4
WAYS = [(True, 0), (True, 1), (False, 0), (False, 1)]


def tried() -> tuple[torch.Tensor, torch.Tensor]:
    """Losses of two questions, and again where the held-out labels of the second are turned over."""
    chance = np.random.default_rng(0)
    target = chance.integers(0, STRATA, ROWS)
    z = chance.standard_normal((ROWS, WIDTH)).astype(np.float32)
    turned = np.array([1, -1, 1, -1])[target]
    shared, own = (np.int64(z[:, k] * sign > 0) for k, sign in ((0, 1), (1, turned)))
    side, x = Side(z, target), moments(z).basis.components(z)
    made = Inputs(side, side, STRATA, learned(z, 0, "cpu")[0], 0, "cpu", lambda: (x, x))
    labels, inside = torch.from_numpy(np.stack((shared, own))), (torch.arange(ROWS) % 3 > 0).float().repeat(2, 1)
    lies = labels.clone()
    lies[1] = torch.where(inside[1] > 0, labels[1], 1 - labels[1])
    spent = Spent(Plan(16, 4, 128, 0.04, 0.6, (8, 10)), 4, 4)
    first, second = (
        losses(made, Trial(each, inside, 1 - inside, None, 2), WAYS, spent, seed=0) for each in (labels, lies)
    )
    return first, second


def test_a_form_that_fits_the_leak_has_the_lower_loss() -> None:
    """Where target classes turn a leak over only the conditioned form reads it; what they share both read."""
    first, _ = tried()
    assert (first[:, 0] < 0.3).all()
    assert (first[:2, 1] < 0.4).all()
    assert (first[2:, 1] > 0.6).all()


def test_a_loss_is_that_of_held_out_rows() -> None:
    """Held-out labels turned over make a form that reads the leak the worse one, and leave other questions alone."""
    first, second = tried()
    assert (second[:2, 1] > first[:2, 1] + 0.3).all()
    torch.testing.assert_close(first[:, 0], second[:, 0])
