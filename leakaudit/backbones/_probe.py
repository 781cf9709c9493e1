"""One forward pass that proves a stranger's network: it takes the images, and its classifier gives the logits."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.errors import InputError


def proven(
    network: nn.Module, classifier: str, shape: tuple[int, int, int], where: str, made: tuple[int, ...]
) -> nn.Module:
    """
    The network itself, once a pass in evaluation mode over an image of waves has shown that it is fit.

    `made` is height and width of the images that it was published for. A network without numbers is believed.

    Raises:
        InputError: it does not take images of that shape, or `classifier` is not the one layer that logits come out of.
    """
    if any(each.is_meta for each in network.parameters()):
        return network
    given: list[tuple[Any, Any]] = []
    hook = network.get_submodule(classifier).register_forward_hook(
        lambda _, z, named, out: given.append((next(iter((*z, *named.values())), None), out)), with_kwargs=True
    )
    training = network.training
    try:
        with torch.no_grad():
            logits: Any = network.eval()(torch.arange(math.prod(shape)).sin().view(1, *shape))
    except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
        raise InputError(unfit(where, shape, made, error)) from error
    finally:
        hook.remove()
        network.train(training)
    if not isinstance(logits, Tensor) or len(given) != 1 or not _same(*given[0], logits):
        raise InputError(
            f"{where}: its logits are not what one layer makes of one vector ({classifier}, run {len(given)} times), "
            f"so that it has no bottleneck"
        )
    return network


def unfit(where: str, shape: tuple[int, ...], made: tuple[int, ...], error: BaseException) -> str:
    """That a network does not take images of a shape, and which it would."""
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    size = "x".join(map(str, shape))
    return f"{where} does not take images of {size} ({why}); it was made for {'x'.join(map(str, made))}"


def _same(z: Any, out: Any, logits: Tensor) -> bool:
    """Whether a layer's output is the logits, and its input a vector: a map would be as wide as the image is large."""
    tensors = isinstance(z, Tensor) and isinstance(out, Tensor)
    return tensors and z.flatten(1).shape[1] == z.shape[1] and torch.equal(out.flatten(1), logits)
