"""The layers of a network as one pass runs them: what each puts out, and how many numbers it has learnt."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.dossier import Anatomy, Layer
from leakaudit.errors import InputError


def seen(built: nn.Module, classifier: str, shape: tuple[int, ...]) -> Anatomy:
    """
    Every layer that one pass over an image of zeros runs, in the order in which they end.

    Raises:
        InputError: the network does not take images of `shape` (c, h, w).
    """
    found: dict[str, Layer] = {}
    width = [0, 0]

    def watch(name: str, part: nn.Module) -> Any:
        def note(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            first = next((each for each in _tensors(output)), None)
            parameters = sum(each.numel() for each in part.parameters())
            size = tuple(first.shape[1:]) if first is not None else ()
            found.pop(name, None)
            found[name] = Layer(name, type(part).__name__, size, parameters, name.count("."), name == classifier)
            if name == classifier:
                entered = next(iter(_tensors(inputs)), None)
                width[:] = [0 if entered is None else entered[0].numel(), math.prod(size)]

        return part.register_forward_hook(note)

    hooks = [watch(name, part) for name, part in built.named_modules() if name]
    try:
        with torch.no_grad():
            built.eval()(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise InputError(f"the network does not take images of {'x'.join(map(str, shape))} ({why})") from error
    finally:
        for hook in hooks:
            hook.remove()
    return Anatomy(shape, tuple(found.values()), classifier, *width)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
