"""Every optimiser and schedule of torch goes by its name, and what torch does not take is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from leakaudit.errors import InputError
from leakaudit.numerics import state
from leakaudit.numerics.optimiser import advance, optimiser, schedule

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
