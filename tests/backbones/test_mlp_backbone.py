"""The perceptron: layers, bottleneck and knobs."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from leakaudit.backbones import mlp
from leakaudit.errors import InputError
from leakaudit.numerics.taps import Tapped

X = torch.randn(9, 5, 1, 1, generator=torch.Generator().manual_seed(0))


def bottleneck(**knobs: float | str) -> torch.Tensor:
    """Of nine vectors of five numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tapped = Tapped(mlp.build(3, (5, 1, 1), **knobs), mlp.BOTTLENECK)
    return tapped.eval()(X).z


@pytest.mark.parametrize(("width", "depth"), [(4, 1), (7, 3)])
def test_depth_layers_of_width_numbers_stand_before_the_classifier(width: int, depth: int) -> None:
    """So many weights, and a bottleneck of `width`; images of any size are flattened."""
    network = mlp.build(3, (2, 3, 4), width=width, depth=depth)
    sizes = [24, *[width] * depth, 3]
    expected = sum((before + 1) * after for before, after in pairwise(sizes))
    assert sum(p.numel() for p in network.parameters()) == expected
    assert Tapped(network, mlp.BOTTLENECK)(torch.randn(6, 2, 3, 4)).z.shape == (6, width)


def test_activation_and_normalise_are_those_of_the_bottleneck() -> None:
    """ReLU gives nothing below zero, tanh stays within 1 on both sides, and length is 1 where it is asked for."""
    plain, tanh, unit = bottleneck(), bottleneck(activation="tanh"), bottleneck(normalise=True)
    assert plain.min() >= 0 > tanh.min() >= -1
    assert torch.allclose(unit.norm(dim=1), torch.ones(9))
    assert not torch.allclose(plain.norm(dim=1), torch.ones(9), atol=0.05)


def test_batch_norm_and_dropout_are_there_where_they_are_asked_for() -> None:
    """A norm for each layer; dropout between layers, never in the bottleneck, so that training sees it whole."""
    network = mlp.build(3, (5, 1, 1), depth=3, batch_norm=True, dropout=0.5)
    kinds = [type(layer) for layer in network.features]
    assert (kinds.count(nn.BatchNorm1d), kinds.count(nn.Dropout)) == (3, 2)
    assert kinds[-2:] == [nn.BatchNorm1d, nn.ReLU]
    assert {nn.BatchNorm1d, nn.Dropout}.isdisjoint(map(type, mlp.build(3, (5, 1, 1)).features))


@pytest.mark.parametrize("knobs", [{"width": 0}, {"depth": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_impossible_knobs_are_refused(knobs: dict[str, float]) -> None:
    """The message names the knob and its value."""
    name, value = next(iter(knobs.items()))
    with pytest.raises(InputError, match=f"mlp: {name} = {value}"):
        mlp.build(3, (5, 1, 1), **knobs)
