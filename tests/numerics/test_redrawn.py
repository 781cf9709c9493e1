"""What another seed leaves as it is, is drawn anew, or named."""

import torch
from torch import nn

from leakaudit.numerics.redrawn import redraw


def made(seed: int) -> nn.Module:
    """A fresh head on a body, a norm and a place that no seed draws."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        body, norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
        norm.running_mean = torch.randn(3)
        norm.place = nn.Parameter(torch.randn(3))
        torch.manual_seed(seed)
        return nn.Sequential(body, norm, nn.Linear(3, 2))


def test_a_body_is_drawn_anew_and_a_drawn_head_is_left() -> None:
    """Only what two seeds share is drawn again; statistics start over; what no layer draws is named."""
    network = made(0)
    body, head = network[0].weight.clone(), network[2].weight.clone()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert redraw(network, made(1)) == ["1.place"]
    assert not torch.equal(network[0].weight, body)
    assert torch.equal(network[2].weight, head)
    assert torch.equal(network[1].running_mean, torch.zeros(3))
