"""CIFAR's residual networks are those of section 4.2."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from leakaudit.backbones import cifar_resnet
from leakaudit.errors import InputError

PAPER = {20: 0.27e6, 32: 0.46e6, 44: 0.66e6, 56: 0.85e6, 110: 1.7e6}
"""Parameters by depth: He et al., CVPR 2016, table 6."""


@pytest.mark.parametrize("depth", PAPER)
def test_depths_have_the_papers_layers_and_parameters(depth: int) -> None:
    """6n + 2 layers with weights, and as many parameters as table 6 says, to its two digits."""
    with torch.device("meta"):
        network = cifar_resnet.build(10, (3, 32, 32), depth=depth)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth
    found = sum(each.numel() for each in network.parameters())
    assert found == pytest.approx(PAPER[depth], rel=0.03)


def test_shortcuts_have_no_parameters() -> None:
    """A block whose convolutions give nothing is the identity, subsampled and padded with zeros (option A)."""
    block = cifar_resnet.Block(4, 8, 2).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 6, 6)
    expected = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
    assert torch.equal(block(x), expected)
    assert all(not name.startswith(("shortcut", "downsample")) for name in block.state_dict())


@pytest.mark.parametrize("depth", [0, 2, 18, 21])
def test_a_depth_that_is_not_6n_plus_2_is_said(depth: int) -> None:
    """There is no such network."""
    with pytest.raises(InputError, match=r"6n \+ 2 expected, such as 20"):
        cifar_resnet.build(10, (3, 32, 32), depth=depth)
