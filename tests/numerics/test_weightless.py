"""A network without numbers has the names and shapes of one with them."""

import torch
import torchvision
from torch import nn

from leakaudit.numerics.weightless import Weightless


def test_names_and_shapes_are_those_of_the_network() -> None:
    """Of a network that counts its widths with tensors, too; no parameter holds a number, and none is drawn."""
    before = torch.get_rng_state()
    with Weightless():
        sketch = torchvision.models.regnet_y_400mf(num_classes=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(each.is_meta for each in sketch.parameters())
    real = torchvision.models.regnet_y_400mf(num_classes=3)
    shapes = {name: each.shape for name, each in real.state_dict().items()}
    assert {name: each.shape for name, each in sketch.state_dict().items()} == shapes


def test_nothing_lasts_beyond_it() -> None:
    """A layer that is built afterwards has numbers."""
    with Weightless():
        assert nn.Linear(2, 3).weight.is_meta
    assert not nn.Linear(2, 3).weight.is_meta
