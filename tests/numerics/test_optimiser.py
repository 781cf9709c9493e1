"""Every optimiser and schedule of torch goes by its name, and what torch does not take is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from leakaudit.errors import InputError
from leakaudit.numerics import state
from leakaudit.numerics.optimiser import advance, optimiser, restore, schedule

OPTIMISERS = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"]
SCHEDULES: list[dict[str, Any]] = [
    {"name": "StepLR", "step_size": 2, "gamma": 0.1},
    {"name": "MultiStepLR", "milestones": [2, 4]},
    {"name": "ExponentialLR", "gamma": 0.5},
    {"name": "CosineAnnealingLR", "T_max": 5},
    {"name": "CosineAnnealingWarmRestarts", "T_0": 2},
    {"name": "LinearLR"},
    {"name": "ConstantLR"},
    {"name": "PolynomialLR"},
    {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 10},
    {"name": "ReduceLROnPlateau", "patience": 0},
]


def moved(mover: torch.optim.Optimizer, rule: Any, network: nn.Module, steps: int) -> list[float]:
    """Rates after each of some epochs of one step each."""
    rates = []
    for _ in range(steps):
        mover.zero_grad()
        network(torch.ones(2, 3)).square().sum().backward()
        mover.step()
        advance(rule, 1.0)
        rates.append(mover.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_step_by_their_names(name: str) -> None:
    """The class of that name moves the parameters; a group without any is left out."""
    network = nn.Linear(3, 2)
    before = network.weight.detach().clone()
    mover = optimiser([network.parameters(), []], {"name": name, "lr": 0.01}, "here")
    assert type(mover) is getattr(torch.optim, name)
    assert len(mover.param_groups) == 1
    moved(mover, None, network, 1)
    assert not torch.equal(before, network.weight)


@pytest.mark.parametrize("settings", SCHEDULES, ids=lambda settings: str(settings["name"]))
def test_schedules_go_on_from_disk_as_they_would_have(settings: dict[str, Any]) -> None:
    """Packed and unpacked in the middle, a schedule gives the rates that it gives in one go."""

    def start() -> tuple[torch.optim.Optimizer, Any, nn.Module]:
        network = nn.Linear(3, 2)
        mover = optimiser([network.parameters()], {"name": "SGD", "lr": 0.01, "momentum": 0.9}, "here")
        return mover, schedule(mover, settings, "here"), network

    whole = moved(*start(), 6)
    mover, rule, network = start()
    part = moved(mover, rule, network, 3)
    tensors: dict[str, Any] = {}
    kept = state.pack({"mover": mover.state_dict(), "rule": rule.state_dict()}, "", tensors)
    again, rule, network = start()
    found = state.unpack(kept, tensors)
    again.load_state_dict(found["mover"])
    rule.load_state_dict(found["rule"])
    assert part + moved(again, rule, network, 3) == whole
    assert len(set(whole)) > 1


def last(settings: dict[str, Any]) -> tuple[torch.optim.Optimizer, nn.Conv2d]:
    """A convolution with channels last, the same each time, and what moves it."""
    layer = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, layer.weight.numel()).view_as(layer.weight))
        layer.bias.zero_()
    layer.to(memory_format=torch.channels_last)
    return optimiser([layer.parameters()], settings, "here"), layer


def steps(mover: torch.optim.Optimizer, layer: nn.Conv2d, count: int) -> None:
    """So many steps on one image."""
    for _ in range(count):
        mover.zero_grad()
        layer(torch.linspace(0, 1, 75).view(1, 3, 5, 5)).square().sum().backward()
        mover.step()


@pytest.mark.parametrize("settings", [{"name": "Adam", "fused": True}, {"name": "SGD", "lr": 0.01, "momentum": 0.9}])
def test_what_comes_from_disk_lies_in_memory_as_the_weights_do(settings: dict[str, Any]) -> None:
    """Weights with channels last go on from disk with the same bits, though a file knows nothing of memory."""
    mover, layer = last(settings)
    steps(mover, layer, 2)
    tensors: dict[str, Any] = {}
    kept = state.unpack(state.pack(mover.state_dict(), "", tensors), tensors)
    again, other = last(settings)
    other.load_state_dict(layer.state_dict())
    restore(again, kept)
    assert all(
        value.stride() == other.weight.stride()
        for value in again.state[other.weight].values()
        if isinstance(value, torch.Tensor) and value.shape == other.weight.shape
    )
    steps(mover, layer, 2)
    steps(again, other, 2)
    assert torch.equal(layer.weight, other.weight)


def test_how_steps_are_taken_is_not_kept() -> None:
    """A run begun with fused steps goes on without them where it is taken up without, and the other way round."""
    for first, second in ((True, False), (False, True)):
        mover, layer = last({"name": "Adam", "fused": first})
        steps(mover, layer, 2)
        again, other = last({"name": "Adam", "fused": second})
        other.load_state_dict(layer.state_dict())
        restore(again, mover.state_dict())
        assert again.param_groups[0]["fused"] is second
        steps(mover, layer, 2)
        steps(again, other, 2)
        torch.testing.assert_close(layer.weight, other.weight)


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_fused_steps_take_gradients_however_they_lie(name: str) -> None:
    """A gradient with channels last, of weights without, moves them as one that lies as they do."""
    found = []
    for fused, form in ((False, torch.contiguous_format), (True, torch.channels_last)):
        weight = nn.Parameter(torch.linspace(-1, 1, 108).view(4, 3, 3, 3))
        weight.grad = torch.linspace(0, 1, 108).view(4, 3, 3, 3).contiguous(memory_format=form)
        optimiser([[weight]], {"name": name, "lr": 0.1, "fused": fused}, "here").step()
        found.append(weight.detach())
        assert weight.grad.stride() == weight.stride()
    torch.testing.assert_close(*found)


def test_steps_on_a_cpu_are_what_torch_takes() -> None:
    """Nothing is fused there unless a recipe says so."""
    weights = [nn.Parameter(torch.zeros(2))]
    assert not optimiser([weights], {"name": "Adam"}, "here").param_groups[0]["fused"]
    assert optimiser([weights], {"name": "Adam", "fused": True}, "here").param_groups[0]["fused"] is True


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "Adm"}, "no optimizer 'Adm'. Did you mean 'Adam'"),
        ({"name": "LBFGS"}, "no optimizer 'LBFGS'"),
        ({"name": "Optimizer"}, "no optimizer 'Optimizer'"),
        ({"name": "Adam", "momentun": 0.9}, "Adam has no argument 'momentun'"),
        ({"name": "SGD", "lr": -1.0}, "SGD: Invalid learning rate"),
        ({"name": "SGD", "params": []}, "no argument 'params'"),
    ],
)
def test_a_wrong_optimiser_is_refused(settings: dict[str, Any], message: str) -> None:
    """The message says what torch has."""
    with pytest.raises(InputError, match=message):
        optimiser([nn.Linear(3, 2).parameters()], settings, "here")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "StepRL"}, "no scheduler 'StepRL'. Did you mean 'StepLR'"),
        ({"name": "StepLR"}, "step_size"),
        ({"name": "StepLR", "step": 3}, "no argument 'step'. Did you mean"),
        ({"name": "LRScheduler"}, "no scheduler"),
    ],
)
def test_a_wrong_schedule_is_refused(settings: dict[str, Any], message: str) -> None:
    """Missing and unknown arguments are named; none at all is no schedule."""
    mover = optimiser([nn.Linear(3, 2).parameters()], {"name": "SGD"}, "here")
    with pytest.raises(InputError, match=message):
        schedule(mover, settings, "here")
    assert schedule(mover, None, "here") is None
