"""
Families of leaks whose Bayes rate, given the target class, is known: what an attacker can reach, and where it stops.

Rows look like a bottleneck: Gaussian components whose deviations fall as j^-0.72, rotated, and by default made
non-negative by softplus (which can be undone, so that the Bayes rate stays). Ten target classes sit at places of their
own. A leak lies along random directions of the whitened components, with squared weights j^-1/2 on the j-th: 46 % of
it within the first 32 of 128. The private attribute is binary, and even within each target class unless said.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t

TARGETS = 10
FALL = 0.72
SEPARATION = 3.0
"""Distance of each target class from the mean of all, in deviations."""
RADIAL = 8
"""Directions whose size tells the attribute."""
COLUMNS = 3
"""Columns that carry the sparse leak."""
PROTOTYPES = 6
"""Per private class, in as many directions."""
FREEDOM = 3.0
"""Degrees of freedom of the heavy tails."""
SKEW = 0.8
"""P(private = parity of the target) in the anti-correlated family."""
DRAWS = 200_000
"""Behind the Bayes rate of the mixture."""


@dataclass(frozen=True)
class Leak:
    """Made-up embeddings and what can be read from them."""

    z: np.ndarray
    target: np.ndarray
    private: np.ndarray
    bayes: float
    """Share guessed right by Bayes' rule that knows the target, rows weighted so that the attribute is even."""


@dataclass
class _Draw:
    """Rows in whitened components, on the way to z."""

    u: np.ndarray
    target: np.ndarray
    sign: np.ndarray
    """Private class as -1 or 1."""
    chance: np.random.Generator
    bayes: float

    def directions(self, count: int, weights: np.ndarray | None = None) -> np.ndarray:
        """Orthonormal directions as columns; `weights` on the components, j^-1/4 where not given."""
        width = self.u.shape[1]
        weights = np.arange(1, width + 1) ** -0.25 if weights is None else weights
        return np.linalg.qr(self.chance.normal(size=(width, count)) * weights[:, None])[0]

    def write(self, directions: np.ndarray, values: np.ndarray) -> None:
        """Put values, (n, k), in place of what stood along the directions."""
        self.u += ((values - self.u @ directions) @ directions.T).astype(np.float32)

    def noise(self, count: int) -> np.ndarray:
        """Standard normal values."""
        return self.chance.normal(size=(len(self.u), count))

    @property
    def half(self) -> float:
        """Half the distance at which two unit Gaussians are told apart at the Bayes rate."""
        return float(norm.ppf(self.bayes))


def make(name: str, rows: int, width: int, seed: int, *, bayes: float = 0.9, positive: bool = True) -> Leak:
    """One family; `positive` sends z through a softplus."""
    chance = np.random.default_rng(seed)
    width = WIDE if name == "high-dimensional" else width
    u = chance.standard_normal((rows, width), dtype=np.float32)
    target = chance.integers(0, TARGETS, rows)
    even = chance.integers(0, 2, rows)
    private = np.where(chance.random(rows) < SKEW, target % 2, 1 - target % 2) if name == "anti-correlated" else even
    draw = _Draw(u, target, 2 * private - 1, chance, bayes)
    columns = FAMILIES[name](draw)
    places = chance.normal(size=(TARGETS, width)) * np.arange(1, width + 1) ** -0.25
    places *= SEPARATION / np.linalg.norm(places, axis=1, keepdims=True)
    if name != "only-in-logits":
        draw.u += places[target].astype(np.float32)
    turn = np.linalg.qr(chance.normal(size=(width, width)))[0]
    spread = (np.arange(1, width + 1) ** -FALL)[:, None] * turn
    z = draw.u @ spread.astype(np.float32)
    if columns is not None:
        z[:, chance.permutation(width)[: columns.shape[1]]] = z.std() * columns
    z = np.logaddexp(0, 4 * z, dtype=np.float32) if positive else z
    return Leak(z, target, private, bayes)


def _linear(draw: _Draw) -> None:
    draw.write(draw.directions(1), draw.half * draw.sign[:, None] + draw.noise(1))


def _xor(draw: _Draw) -> None:
    """Two directions, each reading a hidden bit and that bit times the sign; both right or both wrong is right."""
    each = norm.ppf((1 + (2 * draw.bayes - 1) ** 0.5) / 2)
    bit = draw.chance.integers(0, 2, len(draw.u)) * 2 - 1
    values = each * np.stack((bit, bit * draw.sign), axis=1) + draw.noise(2)
    draw.write(draw.directions(2), values / (1 + each**2) ** 0.5)


def _radial(draw: _Draw) -> None:
    """Variances 1 - e and 1 + e in all of a few directions: the squared distance is a scaled chi-square."""

    def rate(e: float) -> float:
        edge = RADIAL * np.log((1 + e) / (1 - e)) / (1 / (1 - e) - 1 / (1 + e))
        return float((chi2.cdf(edge / (1 - e), RADIAL) + chi2.sf(edge / (1 + e), RADIAL)) / 2)

    e = brentq(lambda value: rate(value) - draw.bayes, 1e-3, 1 - 1e-6)
    draw.write(draw.directions(RADIAL), draw.noise(RADIAL) * np.sqrt(1 + e * draw.sign)[:, None])


def _class_direction(draw: _Draw) -> None:
    own = draw.directions(TARGETS)
    along = (draw.u * own.T[draw.target].astype(np.float32)).sum(1)
    draw.u += ((draw.half * draw.sign + draw.noise(1)[:, 0] - along)[:, None] * own.T[draw.target]).astype(np.float32)


def _sparse(draw: _Draw) -> np.ndarray:
    return np.asarray(draw.half / COLUMNS**0.5 * draw.sign[:, None] + draw.noise(COLUMNS))


def _low_variance(draw: _Draw) -> None:
    width = draw.u.shape[1]
    last = np.arange(width) >= width - max(1, width // 8)
    draw.write(draw.directions(1, last.astype(float)), draw.half * draw.sign[:, None] + draw.noise(1))


def _anti_correlated(draw: _Draw) -> None:
    """Odd targets have the attribute mostly, and lie on the side to which it does not pull."""
    pull = draw.half * (draw.sign - 2 * (2 * (draw.target % 2) - 1))
    draw.write(draw.directions(1), pull[:, None] + draw.noise(1))


def _mixture(draw: _Draw) -> None:
    """Several prototypes per class; the Bayes rate is that of the true densities, over many draws."""
    sites = draw.chance.normal(size=(2, PROTOTYPES, PROTOTYPES))
    which = draw.chance.integers(0, PROTOTYPES, DRAWS)
    truth, noise = draw.chance.integers(0, 2, DRAWS), draw.chance.normal(size=(DRAWS, PROTOTYPES))

    def rate(radius: float) -> float:
        points = radius * sites[truth, which] + noise
        far = (points**2).sum(1)[:, None] - 2 * radius * points @ sites.reshape(-1, PROTOTYPES).T
        far = (far + radius**2 * (sites**2).sum(2).reshape(-1)).reshape(DRAWS, 2, PROTOTYPES)
        return float((np.logaddexp.reduce(-far / 2, axis=2).argmax(1) == truth).mean())

    radius = brentq(lambda value: rate(value) - draw.bayes, 0.1, 6.0, xtol=1e-4)
    mine = sites[(draw.sign + 1) // 2, draw.chance.integers(0, PROTOTYPES, len(draw.u))]
    draw.write(draw.directions(PROTOTYPES), (radius * mine + draw.noise(PROTOTYPES)) / (1 + radius**2) ** 0.5)


def _only_in_logits(draw: _Draw) -> None:
    """Each target class has a direction of its own, as of a classifier's row; the attribute is how far along it."""
    own = draw.directions(TARGETS).T[draw.target]
    draw.u += (((SEPARATION + draw.half * draw.sign)[:, None]) * own).astype(np.float32)


def _heavy_tailed(draw: _Draw) -> None:
    """A multivariate t; along the line of the two centres it is a t, and Bayes' rule halves their distance."""
    half = t.ppf(draw.bayes, FREEDOM)
    draw.u *= np.sqrt(FREEDOM / draw.chance.chisquare(FREEDOM, len(draw.u)))[:, None].astype(np.float32)
    draw.u += (half * draw.sign[:, None] * draw.directions(1).T).astype(np.float32)


def _high_dimensional(draw: _Draw) -> None:
    draw.write(draw.directions(1, np.ones(draw.u.shape[1])), draw.half * draw.sign[:, None] + draw.noise(1))


WIDE = 2048
"""Columns of the high-dimensional family, whatever the width asked for: linear, evenly over all components."""
FAMILIES: dict[str, Callable[[_Draw], np.ndarray | None]] = {
    "linear": _linear,
    "xor": _xor,
    "radial": _radial,
    "class-direction": _class_direction,
    "sparse": _sparse,
    "low-variance": _low_variance,
    "anti-correlated": _anti_correlated,
    "mixture": _mixture,
    "only-in-logits": _only_in_logits,
    "heavy-tailed": _heavy_tailed,
    "high-dimensional": _high_dimensional,
}
