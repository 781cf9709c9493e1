"""LNL's one loss has the gradients of the two steps it replaces."""

from dataclasses import replace

import pytest
import torch
from small import SIZES, batch
from torch import nn
from torch.nn import functional

from leakaudit.debias import Batch, Out, lnl
from leakaudit.errors import InputError

MAPS = replace(SIZES, taps={"features.5": (5, 4, 4), "classifier": (3,), "features.2": (2, 8, 8)})


def network() -> nn.ModuleList:
    """What lies below the layer, and above."""
    torch.manual_seed(0)
    below = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.Tanh())
    return nn.ModuleList([below, nn.Sequential(nn.Flatten(), nn.Linear(80, 3))]).double()


def made(lam: float = 0.3, mu: float = 0.2) -> lnl.Lnl:
    """In float64, the head always the same."""
    torch.manual_seed(1)
    objective = lnl.objective(MAPS, lam=lam, mu=mu).double()
    assert isinstance(objective, lnl.Lnl)
    return objective


def gradients(objective: lnl.Lnl, rows: Batch) -> list[torch.Tensor]:
    """On the network, then on the head, of the one loss."""
    below, above = layers = network()
    features = below(rows.x)
    objective.zero_grad()
    objective(rows, Out(features.flatten(1), above(features), {"features.5": features})).backward()
    return [p.grad for p in (*layers.parameters(), *objective.head.parameters()) if p.grad is not None]


def test_gradients_equal_those_of_the_two_steps() -> None:
    """
    One loss gives every parameter what the original's two steps give it at the same weights.

    Step one, the network alone: CE + lambda mean(sum p log p) of the head's guess. Step two: the head's own CE, of
    which the head gets the gradient and the network minus mu times it.
    """
    rows, objective = batch(), made()
    ours = gradients(objective, rows)

    below, above = layers = network()
    head = objective.head
    features = below(rows.x)
    p = head(features).softmax(1)
    entropy = -(p * p.log()).sum(1).mean()
    step_one = functional.cross_entropy(above(features), rows.y) - 0.3 * entropy
    net_one = torch.autograd.grad(step_one, list(layers.parameters()))
    guess = functional.cross_entropy(head(below(rows.x)), rows.v)
    net_two = torch.autograd.grad(guess, list(layers.parameters()), retain_graph=True, allow_unused=True)
    head_two = torch.autograd.grad(guess, list(head.parameters()))
    turned = [torch.zeros_like(a) if b is None else -0.2 * b for a, b in zip(net_one, net_two, strict=True)]
    theirs = [*(a + b for a, b in zip(net_one, turned, strict=True)), *head_two]

    assert len(ours) == len(theirs) == 4 + 6
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-12)
        assert b.abs().max() > 1e-6
    assert max(float(part.abs().max()) for part in turned) > 1e-6


def test_without_weights_the_network_is_vanilla_and_the_head_learns_all_the_same() -> None:
    """Lambda = mu = 0."""
    rows, objective = batch(), made(0.0, 0.0)
    ours = gradients(objective, rows)
    below, above = layers = network()
    plain = torch.autograd.grad(functional.cross_entropy(above(below(rows.x)), rows.y), list(layers.parameters()))
    assert all(torch.allclose(a, b, atol=1e-14) for a, b in zip(ours[:4], plain, strict=True))
    assert all(part.abs().max() > 1e-6 for part in ours[4:])


def test_rows_without_a_private_label_take_part_in_the_target_alone() -> None:
    """The head's gradient is that of the others; where no row has one, it is 0 and the network's is vanilla's."""
    rows, objective = batch(), made()
    hidden = rows.v.clone()
    hidden[:6] = -1
    some = gradients(objective, replace(rows, v=hidden))
    others = gradients(objective, Batch(rows.x[6:], rows.y[6:], rows.v[6:], rows.rows[6:]))
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(some[4:], others[4:], strict=True))
    none = gradients(objective, replace(rows, v=torch.full_like(rows.v, -1)))
    plain = gradients(made(0.0, 0.0), rows)
    assert all(torch.allclose(a, b, atol=1e-14) for a, b in zip(none[:4], plain[:4], strict=True))
    assert not any(part.any() for part in none[4:])


def test_it_asks_for_the_layer_and_builds_its_head_on_it() -> None:
    """The layer's channels, the private classes."""
    objective = made()
    assert objective.taps == ("features.5",)
    assert objective.head.first.weight.shape == (5, 5, 3, 3)
    assert objective.head(torch.zeros(2, 5, 4, 4, dtype=torch.float64)).shape == (2, 4)


@pytest.mark.parametrize("layer", ["features.55", "classifier", ""])
def test_a_layer_that_is_no_map_is_refused(layer: str) -> None:
    """The message says which there are."""
    with pytest.raises(InputError, match=r"no layer .* with a feature map.* There are: features.2, features.5."):
        lnl.objective(MAPS, layer=layer)


@pytest.mark.parametrize("knob", ["lam", "mu"])
def test_a_negative_weight_is_refused(knob: str) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"lnl: {knob} = -1"):
        lnl.objective(MAPS, **{knob: -1.0})


def test_the_released_head_is_the_biascon_authors() -> None:
    """Of their 32 channels: kernels of 7 to 64 and to 128, batch norms, a linear layer; the loss reaches it all."""
    theirs = nn.Sequential(
        nn.Conv2d(32, 64, 7, padding=3), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 128, 7, padding=3), nn.BatchNorm2d(128), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 4),
    )  # fmt: skip
    ours = lnl.Head("released", 32, 4)
    pairs = [(theirs[0], ours.first), (theirs[3], ours.second), (theirs[8], ours.last)]
    pairs += list(zip((theirs[1], theirs[4]), ours.norms, strict=True))
    for one, other in pairs:
        one.load_state_dict(other.state_dict())
    x = torch.randn(5, 32, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(theirs(x), ours(x), atol=1e-5)
    objective = lnl.objective(MAPS, head="released").double()
    assert isinstance(objective, lnl.Lnl)
    assert all(slope.isfinite().all() and slope.abs().max() > 0 for slope in gradients(objective, batch()))
