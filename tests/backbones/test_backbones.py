"""What every backbone promises; a new one is tested unasked."""

from types import ModuleType

import pytest
import torch
from torch import nn

from leakaudit import catalog
from leakaudit.numerics.taps import Tapped


@pytest.fixture(params=catalog.names("backbones"))
def backbone(request: pytest.FixtureRequest) -> ModuleType:
    """Each backbone in turn."""
    return catalog.thing("backbones", request.param)


def make(backbone: ModuleType, seed: int = 0) -> nn.Module:
    """Three classes, 16x16 images."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: nn.Module = backbone.build(3, (3, 16, 16))
    return network


def test_the_bottleneck_is_a_vector_before_the_classifier(backbone: ModuleType) -> None:
    """Logits have a column for each class, and the layer named BOTTLENECK turns z into them."""
    tapped = Tapped(make(backbone), backbone.BOTTLENECK).eval()
    out = tapped(torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert out.logits.shape == (5, 3)
    assert out.z.shape[0] == 5
    assert torch.allclose(dict(tapped.network.named_modules())[backbone.BOTTLENECK](out.z), out.logits)


def test_weights_are_a_function_of_the_generator(backbone: ModuleType) -> None:
    """The same seed gives the same weights and another seed others."""
    once, again, other = (make(backbone, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


def test_every_parameter_learns(backbone: ModuleType) -> None:
    """A gradient reaches each parameter."""
    network = make(backbone)
    x = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    network(x).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
