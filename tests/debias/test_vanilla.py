"""Vanilla is cross-entropy."""

import math

import torch

from leakaudit.debias import Batch, Out, Sizes, vanilla


def test_a_uniform_guess_costs_the_logarithm_of_the_classes() -> None:
    """Equal logits over k classes cost ln k, whatever the label; a sure right guess costs nothing."""
    loss = vanilla.objective(Sizes(5, 2, 3, 8, torch.ones(5, 2, dtype=torch.int64), (3, 8, 8), {}))
    y = torch.arange(8) % 5
    batch = Batch(torch.zeros(8, 3, 8, 8), y, torch.zeros_like(y), torch.arange(8))
    z = torch.zeros(8, 3)
    assert math.isclose(float(loss(batch, Out(z, torch.zeros(8, 5), {}))), math.log(5), rel_tol=1e-6)
    sure = 100 * torch.nn.functional.one_hot(y, 5).float()
    assert float(loss(batch, Out(z, sure, {}))) < 1e-6
