"""
Planted leaks: whitened components that tell a made-up attribute, with a Bayes E given the target that is known.

Three shapes, each in Gaussian noise of unit variance. `linear`: the classes sit at equal steps on one component.
`class-dependent`: the same, mirrored in half of the target classes, which blinds what ignores the target. `xor`: on
two components class k sits at +-a (cos t, sin t), t = pi (k + 1/2) / C, the sign hidden, so that all class means are
zero; with two classes that is z_u += a e, z_w += a v e.

Bayes' rule with equal chances of the classes inside a target class names the nearest mean, or the nearest angle modulo
pi. With steps of size g it reaches E = 2 Phi(g / 2) - 1 for any count of classes; the angle's density is that of the
phase of a shifted Gaussian (Rice, Bell System Technical Journal 23, 1944), integrated here by quadrature.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import brentq
from scipy.special import erf, ndtr

from leakaudit.stats import Table, covered

Shape = Literal["linear", "class-dependent", "xor"]
SHAPES: tuple[Shape, ...] = ("linear", "class-dependent", "xor")
WIDTH = {"linear": 1, "class-dependent": 1, "xor": 2}
"""Components that each takes."""
LEADING = 16
"""Plants go into this many leading components."""
GRID = np.linspace(0, np.pi / 2, 1001)


@dataclass(frozen=True)
class Plant:
    """One planted leak."""

    shape: Shape
    amplitude: float
    place: Int64[np.ndarray, " classes"]
    """Which step, or angle, each private class takes."""
    mirrored: Int64[np.ndarray, " strata"]
    """1 or -1 per target class."""

    def columns(
        self, target: Int64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"], rng: np.random.Generator
    ) -> Float64[np.ndarray, "n width"]:
        """The leak with its noise, of mean 0 and covariance 1 in these rows: it takes the place of components of z."""
        n, classes = len(labels), len(self.place)
        if self.shape == "xor":
            angle = np.pi * (self.place[labels] + 0.5) / classes
            signal = rng.choice([-1.0, 1.0], n)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        else:
            step = self.place[labels] - (classes - 1) / 2
            signal = (step * (self.mirrored[target] if self.shape == "class-dependent" else 1))[:, None]
        x = self.amplitude * signal + rng.standard_normal((n, WIDTH[self.shape]))
        x -= x.mean(axis=0)
        whitened: Float64[np.ndarray, "n width"] = np.linalg.solve(np.linalg.cholesky(x.T @ x / n), x.T).T
        return whitened


def plant(shape: Shape, size: float, table: Table, rng: np.random.Generator) -> Plant:
    """
    A plant of this Bayes E for an attribute with this (target, private) table; classes take random places.

    Where no target class has two private classes there is nothing to tell, and nothing is planted.
    """
    strata, classes = table.shape
    place = rng.permutation(classes)
    mirrored = np.empty(strata, np.int64)
    mirrored[rng.permutation(strata)] = np.where(np.arange(strata) % 2, -1, 1)
    if not covered(table).any():
        return Plant(shape, 0.0, place, mirrored)
    high = 1.0
    while bayes(shape, high, place, table) < size:
        high *= 2
    amplitude = brentq(lambda a: bayes(shape, a, place, table) - size, 0, high)
    return Plant(shape, float(amplitude), place, mirrored)


def bayes(shape: Shape, amplitude: float, place: Int64[np.ndarray, " classes"], table: Table) -> float:
    """E of Bayes' rule that knows the target: sum over target classes of pi_y E_y, over the private classes present."""
    cells = covered(table)
    rows = np.where(cells, table, 0).sum(axis=1)
    reached = np.zeros(len(table))
    inside = _phase(amplitude) if shape == "xor" else np.empty(0)
    for y in np.flatnonzero(rows):
        sites = np.sort(place[cells[y]])
        gaps = np.diff(sites)
        if shape != "xor":
            reached[y] = (2 * ndtr(amplitude * gaps / 2) - 1).mean()
            continue
        half = np.append(gaps, len(place) - sites[-1] + sites[0]) * np.pi / len(place) / 2
        recall = 2 * np.interp(half, GRID, inside).sum() / len(sites)
        reached[y] = (recall - 1 / len(sites)) / (1 - 1 / len(sites))
    return float(rows @ reached / max(rows.sum(), 1))


def _phase(amplitude: float) -> Float64[np.ndarray, " grid"]:
    """P(0 <= angle <= t) for t on the grid; the angle, modulo pi, of a unit Gaussian about (amplitude, 0)."""
    along = amplitude * np.cos(GRID)
    lift = np.sqrt(2 * np.pi) * along * np.exp(-((amplitude * np.sin(GRID)) ** 2) / 2) * erf(along / np.sqrt(2))
    density = (2 * np.exp(-(amplitude**2) / 2) + lift) / (2 * np.pi)
    steps = (density[1:] + density[:-1]) / 2 * np.diff(GRID)
    return np.concatenate([[0.0], np.cumsum(steps)])
