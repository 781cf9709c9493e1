"""SimpleConvNet is the papers' network."""

import pytest
import torch

from leakaudit.backbones import simple_convnet
from leakaudit.errors import InputError
from leakaudit.numerics.taps import Tapped


def test_it_has_as_many_parameters_as_the_papers_network() -> None:
    """531,210 at its defaults with ten classes, and 12,810 with kernel 1: the papers' f and g."""
    for kernel, count in ((7, 531_210), (1, 12_810)):
        network = simple_convnet.build(10, (3, 28, 28), kernel=kernel)
        assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("width", [4, 16])
def test_the_bottleneck_is_eight_widths_wide(width: int) -> None:
    """128 numbers at the papers' width."""
    tapped = Tapped(simple_convnet.build(10, (1, 9, 9), kernel=3, width=width), simple_convnet.BOTTLENECK)
    assert tapped(torch.randn(2, 1, 9, 9)).z.shape == (2, 8 * width)


def test_normalise_puts_the_bottleneck_on_the_unit_sphere() -> None:
    """Length 1 with it, other lengths without."""
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    lengths = {}
    for normalise in (True, False):
        network = simple_convnet.build(10, (3, 8, 8), kernel=3, width=4, normalise=normalise)
        lengths[normalise] = Tapped(network, simple_convnet.BOTTLENECK)(x).z.norm(dim=1)
    assert torch.allclose(lengths[True], torch.ones(4))
    assert not torch.allclose(lengths[False], torch.ones(4), atol=0.05)


def test_tanh_replaces_the_last_activation_alone() -> None:
    """With tanh the bottleneck takes both signs, with ReLU it takes none below zero; there are three ReLUs left."""
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    least = {}
    for activation in ("relu", "tanh"):
        network = simple_convnet.build(10, (3, 8, 8), kernel=3, width=4, activation=activation)
        least[activation] = Tapped(network, simple_convnet.BOTTLENECK)(x).z.min()
        relus = sum(isinstance(layer, torch.nn.ReLU) for layer in network.modules())
        assert relus == (4 if activation == "relu" else 3)
    assert least["relu"] >= 0 > least["tanh"]


def test_nothing_is_pooled_before_the_last_layer() -> None:
    """The papers' network keeps the full resolution up to the mean."""
    network = simple_convnet.build(10, (3, 28, 28), kernel=3, width=2)
    assert network.features(torch.randn(1, 3, 28, 28)).shape == (1, 16, 28, 28)


def test_a_stride_shrinks_the_two_inner_maps() -> None:
    """The second and third convolution step by it; parameters are as many."""
    plain, strided = (simple_convnet.build(10, (3, 14, 14), kernel=5, stride=stride) for stride in (1, 2))
    assert strided.features(torch.zeros(1, 3, 14, 14)).shape[2:] == (4, 4)
    assert plain.features(torch.zeros(1, 3, 14, 14)).shape[2:] == (14, 14)
    assert [p.shape for p in plain.parameters()] == [p.shape for p in strided.parameters()]


@pytest.mark.parametrize("knobs", [{"kernel": 4}, {"kernel": 0}, {"width": 0}, {"stride": 0}])
def test_impossible_knobs_are_refused(knobs: dict[str, int]) -> None:
    """The message names the knob and its value."""
    name, value = next(iter(knobs.items()))
    with pytest.raises(InputError, match=f"{name} = {value}"):
        simple_convnet.build(10, (3, 8, 8), **knobs)
