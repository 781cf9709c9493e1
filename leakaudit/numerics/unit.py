"""
The unit of a target of numbers: training happens in standard deviations, and the trained network speaks years.

Standardised by the mean and the deviation of the training rows, a learning rate means the same for years and for
months. The last layer is linear, so the way back is folded into its weights: m + s (W z + b) = (s W) z + (s b + m).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor


class Unit(NamedTuple):
    """Mean and deviation of a target among the training rows."""

    mean: float
    deviation: float

    def inward(self, y: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Numbers in deviations from the mean."""
        return ((y.double() - self.mean) / self.deviation).float()

    def outward(self, y: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Deviations from the mean in the target's own unit."""
        return (y.double() * self.deviation + self.mean).float()

    def folded(self, weights: Mapping[str, np.ndarray], layer: str) -> dict[str, np.ndarray]:
        """The weights of a network that speaks deviations as those of one that speaks the target's own unit."""
        weight, bias = (weights[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        return _replaced(weights, layer, self.deviation * weight, self.deviation * bias + self.mean)

    def unfolded(self, weights: Mapping[str, np.ndarray], layer: str) -> dict[str, np.ndarray]:
        """The other way round."""
        weight, bias = (weights[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        return _replaced(weights, layer, weight / self.deviation, (bias - self.mean) / self.deviation)


def of(values: Float32[np.ndarray, " n"]) -> Unit:
    """Mean and deviation of numbers, of which at least two differ."""
    exact = values.astype(np.float64)
    return Unit(float(exact.mean()), float(exact.std()))


def _replaced(
    weights: Mapping[str, np.ndarray], layer: str, weight: np.ndarray, bias: np.ndarray
) -> dict[str, np.ndarray]:
    last = {f"{layer}.weight": weight.astype(np.float32), f"{layer}.bias": bias.astype(np.float32)}
    return {**weights, **last}
