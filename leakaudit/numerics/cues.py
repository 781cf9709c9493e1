"""
What the permutation test looks at: linear and quadratic features inside target classes, and weights on them.

Linear features are whitened components, freed of the target's means and made white inside target classes: with overall
covariance 1 that inside is 1 - M, M the covariance of the means, of rank classes - 1, so that (1 - M)^(-1/2) costs next
to nothing. The square root is the symmetric one: components keep their order. Quadratic features are the products of
the leading 16 of them, freed of their means inside each target class and made white in the same way.

A ridge cross-fitted with each unit left out is sum_{i != j} e_i e_j u_i' W u_j = |W^(1/2) c|^2 - sum_i e_i^2 h_i with
c = sum_i e_i u_i and h_i = u_i' W u_i, for labels e less their mean inside the target class. W is diagonal: 1 for the
ridge on whitened components, s / (s + r) for that on raw ones, s a component's variance and r the mean of all.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from leakaudit.numerics.stream import Leading

MOST = 1024
"""Leading components that are looked at."""
QUADRATIC = 16
"""Leading components whose products are."""
LEADING = (16, 64)
"""Families of the leading components alone."""
FEW = 8
"""Leading components of the second quadratic family."""
BLOCK = 8192
"""Rows held at a time."""


@dataclass(frozen=True)
class Cues:
    """Features of rows."""

    x: Float32[np.ndarray, "n r"] | Leading
    target: Int64[np.ndarray, " n"]
    means: Float32[np.ndarray, "strata r"]
    lift: Float32[np.ndarray, "r k"]
    """(1 - M)^(-1/2) = 1 + lift @ across."""
    across: Float32[np.ndarray, "k r"]
    products: Float32[np.ndarray, "strata q"]
    """Means of the products inside target classes."""
    root: Float32[np.ndarray, "q q"]
    """Symmetric inverse root of their covariance."""
    families: tuple[str, ...]
    weights: Float32[np.ndarray, "f p"]
    """Of each family on the squared features."""

    @property
    def count(self) -> int:
        """Features of a row, without what `of` adds."""
        return int(self.weights.shape[1])

    def linear(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m r"]:
        """The linear features of some rows."""
        centred = self.x[rows, : self.means.shape[1]] - self.means[self.target[rows]]
        linear: Float32[np.ndarray, "m r"] = centred + (centred @ self.lift) @ self.across
        return linear

    def of(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m all"]:
        """All features of some rows; behind them h of each family, and a one."""
        linear = self.linear(rows)
        quadratic = (_products(linear) - self.products[self.target[rows]]) @ self.root
        features = np.concatenate([linear, quadratic], axis=1)
        return self.complete(features, np.ones(len(rows), np.float32))

    def complete(
        self, features: Float32[np.ndarray, "m p"], size: Float32[np.ndarray, " m"]
    ) -> Float32[np.ndarray, "m all"]:
        """The features of units, h of each family, and the units' sizes."""
        return np.concatenate([features, features**2 @ self.weights.T, size[:, None]], axis=1)


def cues(
    x: Float32[np.ndarray, "n r"],
    variance: Float64[np.ndarray, " r"],
    target: Int64[np.ndarray, " n"],
    strata: int,
) -> Cues:
    """The features of these whitened components, largest variance first; `variance` is theirs in z."""
    width = min(x.shape[1], MOST)
    n, blocks = len(x), range(0, len(x), BLOCK)
    rows = np.maximum(np.bincount(target, minlength=strata), 1).astype(np.float64)[:, None]
    means = np.zeros((strata, width))
    for start in blocks:
        _add(means, target[start : start + BLOCK], x[start : start + BLOCK, :width])
    means /= rows
    centre = (means * rows).sum(axis=0) / max(n, 1)
    _, values, across = np.linalg.svd(np.sqrt(rows / max(n, 1)) * (means - centre), full_matrices=False)
    inside = np.maximum(1 - values**2, 1e-6)
    lift = (across.T * (inside**-0.5 - 1)).astype(np.float32)
    narrow, first = min(width, QUADRATIC), np.zeros((strata, 0), np.float32)
    draft = Cues(
        x, target, means.astype(np.float32), lift, across.astype(np.float32), first, first[:0, :0], (), first[:0]
    )
    products = np.zeros((strata, narrow * (narrow + 1) // 2))
    second = np.zeros((products.shape[1], products.shape[1]))
    for start in blocks:
        product = _products(draft.linear(np.arange(start, min(start + BLOCK, n))))
        _add(products, target[start : start + BLOCK], product)
        second += product.T @ product
    products /= rows
    # the covariance inside target classes: second moments less those of the means
    second = second / max(n, 1) - (products * rows).T @ products / max(n, 1)
    spread, vectors = np.linalg.eigh(second)
    floor = max(1e-3 * float(spread.sum()) / max(len(spread), 1), 1e-30)
    root = (vectors * np.maximum(spread, floor) ** -0.5) @ vectors.T
    families, weights = _families(variance[:width], narrow)
    return Cues(
        x,
        target,
        draft.means,
        lift,
        draft.across,
        products.astype(np.float32),
        root.astype(np.float32),
        families,
        weights,
    )


def _families(variance: Float64[np.ndarray, " r"], narrow: int) -> tuple[tuple[str, ...], Float32[np.ndarray, "f p"]]:
    width = len(variance)
    low, high = np.triu_indices(narrow)
    empty, every = np.zeros(len(low)), np.ones(width)
    made = {
        "linear raw": np.concatenate([variance / (variance + max(variance.sum() / max(width, 1), 1e-12)), empty]),
        "linear": np.concatenate([every, empty]),
        **{f"linear {count}": np.concatenate([np.arange(width) < count, empty]) for count in LEADING if count < width},
        "quadratic": np.concatenate([0 * every, empty + 1]),
        f"quadratic {FEW}": np.concatenate([0 * every, (low < FEW) & (high < FEW)]),
    }
    return tuple(made), np.stack(list(made.values())).astype(np.float32)


def _products(linear: Float32[np.ndarray, "m r"]) -> Float32[np.ndarray, "m q"]:
    """Products of the leading components, each pair once."""
    low, high = np.triu_indices(min(linear.shape[1], QUADRATIC))
    made: Float32[np.ndarray, "m q"] = linear[:, low] * linear[:, high]
    return made


def _add(
    sums: Float64[np.ndarray, "strata p"], target: Int64[np.ndarray, " m"], values: Float32[np.ndarray, "m p"]
) -> None:
    """Add the values of rows to their target class's."""
    for y in np.unique(target):
        sums[y] += values[target == y].sum(axis=0, dtype=np.float64)
