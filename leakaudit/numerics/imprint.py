"""What a network says of a few images of waves, in coarse steps: equal weights may compute otherwise."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Int16
from torch import Tensor, nn

from leakaudit.numerics import classifier
from leakaudit.numerics.returned import matrices

STEPS = 256
"""Steps between nothing and the power of two below the largest number: far more than the order of sums moves."""


def imprint(network: nn.Module, bottleneck: str, shape: tuple[int, ...]) -> list[Int16[np.ndarray, "n _"]]:
    """
    The matrices that a network returns of images of `shape` (c, h, w), and what enters `bottleneck` where one is named.

    Each in steps of its own size; of no value where the network fails. Equal for equal networks on one machine.
    """
    seen: list[Tensor] = []
    hook = None
    if bottleneck:

        def look(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            seen.extend(value for value in (*inputs, *named.values()) if isinstance(value, Tensor))

        hook = network.get_submodule(bottleneck).register_forward_pre_hook(look, with_kwargs=True)
    try:
        with classifier.still(network):
            returned = network(classifier.waves(shape))
    except classifier.UNFIT:
        return []
    finally:
        if hook is not None:
            hook.remove()
    found = [*(matrix for _, matrix in matrices(returned)), *(part.flatten(1) for part in seen)]
    return [_steps(part) for part in found if part.is_floating_point()]


def _steps(values: Tensor) -> Int16[np.ndarray, "n _"]:
    plain = torch.nan_to_num(values.detach().double().cpu(), posinf=0, neginf=0).numpy()
    most = float(np.abs(plain).max(initial=0.0))
    scale = 2.0 ** math.floor(math.log2(most)) if most else 1.0
    return np.round(plain / scale * STEPS).astype(np.int16)
