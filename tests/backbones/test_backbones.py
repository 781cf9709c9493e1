"""What every backbone promises; a new one is tested unasked."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from leakaudit import catalog
from leakaudit.backbones import bottleneck
from leakaudit.numerics.taps import Tapped

KNOBS: dict[str, dict[str, Any]] = {"timm": {"model": "test_convnext"}, "torchvision": {"model": "shufflenet_v2_x0_5"}}
"""Without a model, a shelf of models is no network."""
SHAPE = (3, 32, 32)


@pytest.fixture(params=catalog.names("backbones"))
def backbone(request: pytest.FixtureRequest) -> ModuleType:
    """Each backbone in turn."""
    return catalog.thing("backbones", request.param)


def knobs(backbone: ModuleType) -> dict[str, Any]:
    """What a backbone cannot do without."""
    return KNOBS.get(backbone.__name__.rpartition(".")[2], {})


def make(backbone: ModuleType, seed: int = 0) -> nn.Module:
    """Three classes, 32x32 images."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: nn.Module = backbone.build(3, SHAPE, **knobs(backbone))
    return network


def images(count: int) -> torch.Tensor:
    """Noise."""
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_the_bottleneck_is_a_vector_before_the_classifier(backbone: ModuleType) -> None:
    """Logits have a column for each class, and the layer that the backbone names turns z into them."""
    network = make(backbone)
    layer = bottleneck(backbone, network)
    out = Tapped(network, layer).eval()(images(5))
    assert out.logits.shape == (5, 3)
    assert out.z.ndim == 2
    assert torch.allclose(network.get_submodule(layer)(out.z), out.logits)


def test_the_classifier_is_known_before_the_network_is_built(backbone: ModuleType) -> None:
    """By a constant, or by `layer` of the same knobs, which draws no number."""
    if not hasattr(backbone, "BOTTLENECK"):
        before = torch.get_rng_state()
        assert backbone.layer(SHAPE, **knobs(backbone)) == bottleneck(backbone, make(backbone))
        assert torch.equal(torch.get_rng_state(), before)
    assert f"{bottleneck(backbone, make(backbone))}.weight" in make(backbone).state_dict()


def test_weights_are_a_function_of_the_generator(backbone: ModuleType) -> None:
    """The same seed gives the same weights and another seed others."""
    once, again, other = (make(backbone, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


def test_every_parameter_learns(backbone: ModuleType) -> None:
    """A gradient reaches each parameter."""
    network = make(backbone).train()
    network(images(6)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_grey_images_are_taken(backbone: ModuleType) -> None:
    """One channel is a shape like another."""
    network = backbone.build(2, (1, *SHAPE[1:]), **knobs(backbone))
    assert network.eval()(images(2)[:, :1]).shape == (2, 2)
