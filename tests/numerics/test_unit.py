"""A network that learned in deviations speaks years, and learns the same from months."""

import numpy as np
import pytest
import torch

from leakaudit.backbones import simple_convnet
from leakaudit.numerics import unit
from leakaudit.numerics.unit import Unit

AGES = np.random.default_rng(0).uniform(1, 90, 200).astype(np.float32)


def test_numbers_go_in_and_come_out_again() -> None:
    """Inside they have mean 0 and deviation 1; outside they are what they were."""
    years = unit.of(AGES)
    inside = years.inward(torch.from_numpy(AGES))
    assert float(inside.mean()) == pytest.approx(0, abs=1e-6)
    assert float(inside.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(years.outward(inside), torch.from_numpy(AGES))


def test_months_are_years_inside() -> None:
    """Another unit, or another zero, gives the same numbers to learn from."""
    first = unit.of(AGES).inward(torch.from_numpy(AGES))
    for other in (12 * AGES, 2026 - AGES):
        inside = unit.of(other).inward(torch.from_numpy(other))
        assert torch.allclose(inside.abs(), first.abs(), atol=1e-4)


@pytest.mark.parametrize("scale", [Unit(33.0, 20.0), Unit(1.2e9, 3e6), Unit(-0.001, 1e-5)])
def test_folded_weights_speak_the_targets_own_unit(scale: Unit) -> None:
    """The folded network's output is the other's, times the deviation, plus the mean; z is the same; and back again."""
    torch.manual_seed(0)
    network = simple_convnet.build(1, (3, 8, 8), kernel=3, width=2).eval()
    x = torch.randn(5, 3, 8, 8)
    before = network(x).detach()
    weights = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    folded = scale.folded(weights, simple_convnet.BOTTLENECK)
    network.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in folded.items()})
    assert torch.allclose(network(x)[:, 0], scale.outward(before[:, 0]), rtol=1e-6, atol=1e-5 * scale.deviation)
    assert [name for name in weights if not np.array_equal(weights[name], folded[name])] == [
        "classifier.weight",
        "classifier.bias",
    ]
    again = scale.unfolded(folded, simple_convnet.BOTTLENECK)
    np.testing.assert_allclose(again["classifier.weight"], weights["classifier.weight"], rtol=1e-6)
    lost = abs(scale.mean) * np.finfo(np.float32).eps / scale.deviation
    np.testing.assert_allclose(again["classifier.bias"], weights["classifier.bias"], atol=1e-6 + lost)
