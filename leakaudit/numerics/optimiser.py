"""
Optimisers and schedules of torch by name, their arguments checked against torch's own signatures.

On CUDA a step of Adam, AdamW or SGD is one fused kernel, unless the recipe says how it is to be taken.
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from leakaudit import catalog
from leakaudit.errors import InputError

FUSED = ("Adam", "AdamW", "SGD")
WAYS = ("fused", "foreach", "capturable", "differentiable")
"""Arguments by which a recipe says how a step is taken."""


def optimiser(groups: Iterable[Iterable[nn.Parameter]], settings: Mapping[str, Any], where: str) -> Optimizer:
    """
    The optimiser `settings["name"]` of `torch.optim` over the groups that hold parameters.

    Raises:
        InputError: torch has no such optimiser, or not with these arguments.
    """
    kinds = _kinds(torch.optim, Optimizer, {"LBFGS", "SparseAdam"})
    parts = [part for part in map(list, groups) if part]
    held = [{"params": part} for part in parts]
    if settings["name"] in FUSED and not set(WAYS) & set(settings) and all(p.is_cuda for part in parts for p in part):
        settings = {**settings, "fused": True}
    made: Optimizer = _make(kinds, "optimizer", held, settings, f"{where}: optimizer")
    if settings.get("fused"):
        made.register_step_pre_hook(_align)
    return made


def restore(optimizer: Optimizer, kept: Mapping[str, Any]) -> None:
    """
    Stand where another of the same making stood, on whatever device.

    Whether steps are fused stays as it is here, and the state lies in memory as the parameters do: fused kernels ask
    it, and what comes from disk has forgotten.
    """
    both = zip(kept["param_groups"], optimizer.param_groups, strict=True)
    groups = [{**theirs, **({"fused": own["fused"]} if "fused" in own else {})} for theirs, own in both]
    optimizer.load_state_dict({**kept, "param_groups": groups})
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = _laid(value, parameter)


def _align(optimizer: Optimizer, *_: Any) -> None:
    """
    Before a fused step: gradients lie in memory as their parameters do.

    Compiled passes may leave those of 1x1 convolutions otherwise, which fused kernels refuse on CUDA (torch issue
    126585) and misread on a CPU.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                parameter.grad = _laid(parameter.grad, parameter)


def _laid(value: Tensor, parameter: Tensor) -> Tensor:
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def schedule(optimizer: Optimizer, settings: Mapping[str, Any] | None, where: str) -> LRScheduler | None:
    """
    The schedule `settings["name"]` of `torch.optim.lr_scheduler`, to be stepped once per epoch.

    Raises:
        InputError: torch has no such schedule, or not with these arguments.
    """
    if settings is None:
        return None
    made: LRScheduler = _make(
        _kinds(lr_scheduler, LRScheduler, set()), "scheduler", optimizer, settings, f"{where}: scheduler"
    )
    return made


def advance(scheduler: LRScheduler | None, loss: float) -> None:
    """One epoch is over; a schedule that waits for a plateau looks at the mean training loss."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(loss)
    elif scheduler is not None:
        scheduler.step()


def _kinds(module: Any, parent: type, left_out: set[str]) -> dict[str, Any]:
    """The classes of a module below `parent`, but those that need more than one gradient step."""
    found = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind) and issubclass(kind, parent)}
    return {
        name: kind for name, kind in found.items() if kind is not parent and name[0] != "_" and name not in left_out
    }


def _make(kinds: Mapping[str, Any], word: str, subject: Any, settings: Mapping[str, Any], where: str) -> Any:
    name = settings["name"]
    if name not in kinds:
        raise InputError(f"{where}: no {word} {name!r}. {catalog.suggest(name, kinds)}")
    arguments = {key: value for key, value in settings.items() if key != "name"}
    _, *known = inspect.signature(kinds[name]).parameters
    for key in arguments:
        if key not in known:
            raise InputError(f"{where}: {name} has no argument {key!r}. {catalog.suggest(key, known)}")
    try:
        return kinds[name](subject, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{where}: {name}: {str(error).splitlines()[0]}") from error
