"""
Worlds of which the truth is known, for the simulation in `validity.py`.

z = N(0, I) in d components of variance i^-1/2, the target in the first. Nulls hold nothing beyond the target. A leak of
Bayes E lies in components 3 to 10: the planted shapes, and `radial`, eight components whose deviations are
1 + s in one private class and 1 / (1 + s) in the other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.optimize import brentq
from scipy.stats import chi2

from leakaudit import stats
from leakaudit.numerics import plants

NULLS = ("plain", "skewed", "confounded", "clustered", "clustered-confounded")
LEAKS = (*plants.SHAPES, "radial")
CLUSTER = 10
"""Rows per group where there are groups."""
FIRST, RADIAL = 2, 8
"""The first component of a leak, and how many it may take."""


@dataclass(frozen=True)
class World:
    """Rows."""

    z: Float32[np.ndarray, "n d"]
    target: Int64[np.ndarray, " n"]
    private: Int64[np.ndarray, " n"]
    group: Int64[np.ndarray, " n"] | None


def draw(name: str, rows: int, width: int, size: float, rng: np.random.Generator) -> World:
    """Rows of a null, or of a leak of this Bayes E."""
    x = rng.standard_normal((rows, width))
    target, private, group = rng.integers(0, 2, rows), rng.integers(0, 2, rows), None
    if name == "skewed":
        private = (rng.random(rows) < 0.2).astype(np.int64)
    if name == "confounded":
        private = np.where(rng.random(rows) < 0.9, target, 1 - target)
    if name.startswith("clustered"):
        group = np.arange(rows) // CLUSTER
        units = int(group[-1]) + 1
        x = (x + rng.standard_normal((units, width))[group]) / np.sqrt(2)
        own, label = rng.integers(0, 2, units), rng.integers(0, 2, units)
        if name.endswith("confounded"):
            target, label = own[group], np.where(rng.random(units) < 0.9, own, 1 - own)
        private = label[group]
    if name in plants.SHAPES:
        plant = plants.plant(name, size, stats.tabulate(target, private, 2, 2), rng)
        at = FIRST + rng.permutation(RADIAL)[: plants.WIDTH[name]]
        x[:, at] = plant.columns(target, private, rng)
    if name == "radial":
        x[:, FIRST : FIRST + RADIAL] *= np.where(private == 1, stretch(size), 1 / stretch(size))[:, None]
    z = x * np.arange(1, width + 1) ** -0.25
    z[:, 0] += 2 * target
    return World(z.astype(np.float32), target, private, group)


def stretch(size: float) -> float:
    """The factor a with E = P(chi2 < t / a^-2) - P(chi2 < t / a^2), where t is the radius at which densities cross."""

    def excess(a: float) -> float:
        cross = 2 * RADIAL * np.log(a**2) / (a**2 - a**-2)
        return float(chi2.cdf(cross * a**2, RADIAL) - chi2.cdf(cross / a**2, RADIAL)) - size

    return float(brentq(excess, 1 + 1e-6, 10))


def excess(guess: Int64[np.ndarray, " n"], world: World) -> Float64[np.ndarray, ""]:
    """E of guesses about a world's rows."""
    return np.asarray(stats.excess(guess, world.target, world.private, 2, 2))
