"""One forward pass that proves a stranger's network: it takes the images, and its classifier gives the logits."""

from typing import Any

import torch
from torch import Tensor, nn

from leakaudit.errors import InputError


def proven(network: nn.Module, classifier: str, shape: tuple[int, int, int], where: str) -> nn.Module:
    """
    The network itself, once a pass in evaluation mode over one black image has shown that it does as a backbone must.

    Raises:
        InputError: it does not take images of that shape, or `classifier` is not the one layer that logits come out of.
    """
    given: list[Tensor] = []
    layer = network.get_submodule(classifier)
    hook = layer.register_forward_hook(lambda _, __, output: given.append(output))
    training = network.training
    try:
        with torch.no_grad():
            logits: Any = network.eval()(torch.zeros(1, *shape))
    except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
        raise InputError(f"{where} does not take images of {'x'.join(map(str, shape))} ({one_line(error)})") from error
    finally:
        hook.remove()
        network.train(training)
    one = isinstance(logits, Tensor) and len(given) == 1 and isinstance(given[0], Tensor)
    if not one or not torch.equal(given[0].flatten(1), logits):
        raise InputError(
            f"{where}: its logits are not what one layer gives ({classifier}, run {len(given)} times), so that it "
            f"has no bottleneck"
        )
    return network


def one_line(error: BaseException) -> str:
    """What an error says first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
