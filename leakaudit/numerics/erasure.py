"""
LEACE: the smallest affine change of z after which no linear classifier of the labels beats a constant.

Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff and Biderman, "LEACE: Perfect linear concept erasure in closed
form", NeurIPS 2023, theorem 4.3: r(z) = z - W+ Q W (z - E z), with W = (cov(z)^1/2)+ and Q the orthogonal projection
onto the columns of W cov(z, labels). Of all affine maps with cov(r(z), labels) = 0 it changes z least, in mean squared
length under any inner product; and that covariance is zero exactly where no linear predictor gains anything under any
convex loss (theorems 3.1 and 3.2 there).

Which labels. The audit's E counts what goes beyond the target, and its attackers weigh rows so that v is independent
of y. The baseline `leace` therefore erases `within(...)`: one-hot(v) less its weighted mean among the rows of the same
target class, with the attackers' own weights. The gradient of any convex loss, at the predictor that knows the target
alone, is then zero in every column of z, so that one hyperplane with an intercept per target class is blind on the rows
of the fit. With `each` it is also erased inside each target class by itself, which blinds one hyperplane per target
class too, and changes z by (target classes) times (private classes - 1) directions instead of (private classes - 1).

Which rows. The map is fitted on the rows that an attacker is trained on, fold by fold, and applied to the rows it
guesses. Fitted on all rows at once the labels of the scored rows would be in it: a cross-covariance of zero over all is
a negative one on the scored rows wherever it is positive on the others, which a linear attacker reads backwards.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from leakaudit.numerics.moments import Moments, gathered

BLOCK = 1024
"""Rows held in float64 at a time: few enough that their memory is used again."""
ROUNDING = 1e-10
"""Eigenvalues of the covariance, and squared cosines with the labels, below this share of the largest are rounding."""


@dataclass(frozen=True)
class Eraser:
    """Z less what is linearly in it: r(z) = z - left (right (z - mean))."""

    mean: Float64[np.ndarray, " d"]
    left: Float64[np.ndarray, "d k"]
    """Directions that are taken out of z."""
    right: Float64[np.ndarray, "k d"]
    """How much of each, in z."""
    emptied: Bool[np.ndarray, " d"]
    """Columns in which nothing but rounding is left: they become their mean."""

    @property
    def rank(self) -> int:
        """Directions erased: fewer than the classes, and none where nothing was linearly there."""
        return int(self.left.shape[1])

    def apply(self, z: Shaped[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
        """The rows of z without them."""
        erased = np.empty(z.shape, np.float32)
        for start in range(0, len(z), BLOCK):
            part = z[start : start + BLOCK].astype(np.float64)
            part -= ((part - self.mean) @ self.right.T) @ self.left.T
            part[:, self.emptied] = self.mean[self.emptied]
            erased[start : start + BLOCK] = part
        return erased

    def moments(self, known: Moments) -> Moments:
        """The moments of rows without them, of those of the rows as they were."""
        kept = np.eye(len(self.mean)) - self.left @ self.right
        covariance = kept @ known.covariance @ kept.T
        mean = known.mean - self.left @ (self.right @ (known.mean - self.mean))
        covariance[self.emptied], covariance[:, self.emptied] = 0.0, 0.0
        return gathered(np.where(self.emptied, self.mean, mean), (covariance + covariance.T) / 2, known.rows)


def erase(
    z: Shaped[np.ndarray, "n d"],
    labels: Float64[np.ndarray, "n k"],
    weights: Shaped[np.ndarray, " n"] | None = None,
) -> Eraser:
    """
    The eraser of these columns of labels, by the weighted moments of the rows of z; rows of weight 0 do not count.

    Columns of z are taken in units of their own deviation while it is computed, which changes nothing but rounding: the
    solution does not depend on the inner product. Constant columns and missing ranks of z stay as they are.
    """
    share = np.ones(len(z)) if weights is None else np.asarray(weights, np.float64)
    share = share / share.sum()
    size = np.maximum(np.abs(z).max(axis=0, initial=0.0).astype(np.float64), np.finfo(np.float64).tiny)
    mean = np.zeros(z.shape[1])
    for rows, part in _blocks(share):
        mean += part @ (z[rows] / size)
    centred = labels - share @ labels
    covariance, crossed = np.zeros((len(mean), len(mean))), np.zeros((len(mean), labels.shape[1]))
    for rows, part in _blocks(share):
        root = np.sqrt(part)[:, None]
        x = z[rows] / size
        x -= mean
        x *= root
        covariance += x.T @ x
        crossed += x.T @ (root * centred[rows])
    deviation = np.sqrt(np.diag(covariance))
    unit = np.where(deviation > ROUNDING, deviation, 0.0)
    inverse = np.divide(1.0, unit, out=np.zeros_like(unit), where=unit > 0)
    values, vectors = np.linalg.eigh(covariance * np.outer(inverse, inverse))
    kept = values > ROUNDING * max(float(values[-1]), np.finfo(np.float64).tiny) if len(values) else values > 0
    roots, basis = np.sqrt(values[kept]), vectors[:, kept]
    whitened = (basis.T @ (inverse[:, None] * crossed)) / roots[:, None]
    directions, cosines, _ = np.linalg.svd(whitened, full_matrices=False)
    spread = float(np.sqrt(np.max(share @ centred**2, initial=0.0)))
    directions = directions[:, cosines > np.sqrt(ROUNDING) * spread]
    gone = basis @ (roots[:, None] * directions)
    return Eraser(
        mean * size,
        (unit * size)[:, None] * gone,
        ((directions / roots[:, None]).T @ basis.T) * (inverse / size),
        (unit > 0) & ((gone**2).sum(axis=1) > 1 - ROUNDING),
    )


def within(
    private: Int64[np.ndarray, " n"],
    target: Int64[np.ndarray, " n"],
    classes: int,
    strata: int,
    weights: Shaped[np.ndarray, " n"] | None = None,
    *,
    each: bool = False,
) -> Float64[np.ndarray, "n k"]:
    """
    What the private class says beyond the target: one-hot(v) less its weighted mean inside the target class.

    With `each` those columns once per target class, zero on the rows of the others. Rows with label -1 are zero: give
    them weight 0.
    """
    known = private >= 0
    share = np.where(known, 1.0 if weights is None else np.asarray(weights, np.float64), 0.0)
    shown = np.zeros((len(private), classes))
    shown[np.flatnonzero(known), private[known]] = 1.0
    mass = np.bincount(target, share, minlength=strata)
    table = np.bincount(target[known] * classes + private[known], share[known], minlength=strata * classes)
    means = table.reshape(strata, classes) / np.maximum(mass, np.finfo(np.float64).tiny)[:, None]
    beyond = np.where(known[:, None], shown - means[target], 0.0)
    if not each:
        return beyond
    parted = np.zeros((len(private), strata, classes))
    parted[np.arange(len(private)), target] = beyond
    return parted.reshape(len(private), -1)


def _blocks(share: Float64[np.ndarray, " n"]) -> list[tuple[slice, Float64[np.ndarray, " m"]]]:
    """Rows a block at a time, and their weights."""
    return [(slice(i, i + BLOCK), share[i : i + BLOCK]) for i in range(0, len(share), BLOCK)]
