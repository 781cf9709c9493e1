"""Mean, scale, covariance and eigenvectors of a set of vectors, computed once and shared by all that need them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64

BLOCK = 8192
"""Rows centred in float64 at a time."""
SPREAD = 1e3
"""Columns whose deviations differ by more than this factor are standardised before their eigenvectors are taken."""
ROUNDING = 32 * float(np.finfo(np.float32).eps)
"""A deviation below this share of a column's size is rounding of float32, not data."""


@dataclass(frozen=True)
class Whitening:
    """Uncorrelated directions of unit variance, largest first: components = (z - mean) @ matrix."""

    mean: Float64[np.ndarray, " d"]
    matrix: Float64[np.ndarray, "d r"]
    variance: Float64[np.ndarray, " r"]
    """Variance along each direction before whitening, over the largest."""

    def components(self, z: Float32[np.ndarray, "n d"], count: int | None = None) -> Float32[np.ndarray, "n r"]:
        """The leading `count` components of the rows of z."""
        matrix = self.matrix[:, :count]
        fine = np.abs(matrix).max(initial=0.0) > 1e5 * np.abs(self.matrix[:, :1]).max(initial=0.0)
        wide = np.float64 if fine or z.size < BLOCK * 64 else np.float32
        out = np.empty((len(z), matrix.shape[1]), np.float32)
        for start in range(0, len(z), BLOCK):
            centred = (z[start : start + BLOCK] - self.mean).astype(wide)
            out[start : start + BLOCK] = centred @ matrix.astype(wide)
        return out


@dataclass(frozen=True)
class Moments:
    """First and second moments of z."""

    mean: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]
    """Standard deviation of each column; 1 where the column is constant."""
    covariance: Float64[np.ndarray, "d d"]
    rows: int

    @cached_property
    def eigen(self) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]]:
        """Eigenvalues of the covariance, largest first, none below zero, and the eigenvectors as columns."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1])

    @cached_property
    def whitening(self) -> Whitening:
        """
        The eigenvectors that rise above rounding, scaled to unit variance.

        Of z as it is; where the columns' deviations differ by more than `SPREAD`, of z with standardised columns.
        """
        moving = np.diag(self.covariance) > 0
        deviation = np.sqrt(np.diag(self.covariance)[moving])
        if not len(deviation):
            return Whitening(self.mean, np.zeros((len(self.mean), 0)), np.zeros(0))
        if deviation.max() / deviation.min() > SPREAD:
            unit = np.where(moving, self.scale, 1.0)
            values, vectors = np.linalg.eigh(self.covariance / np.outer(unit, unit))
            values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        else:
            unit = np.ones_like(self.scale)
            values, vectors = self.eigen
        size = (self.mean / unit) ** 2 + np.diag(self.covariance) / unit**2
        floor = max(values[0] * 1e-12, ROUNDING**2 * float(size[moving].mean()))
        keep = (values > floor) & (np.arange(len(values)) < self.rows - 1)
        matrix = vectors[:, keep] / np.sqrt(values[keep]) / unit[:, None]
        return Whitening(self.mean, matrix, values[keep] / values[0])


def moments(z: Float32[np.ndarray, "n d"]) -> Moments:
    """The moments of the rows of z, accumulated in float64."""
    mean = z.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((z.shape[1], z.shape[1]))
    for start in range(0, len(z), BLOCK):
        centred = z[start : start + BLOCK] - mean
        covariance += centred.T @ centred
    covariance /= max(len(z), 1)
    deviation = np.sqrt(np.diag(covariance))
    constant = deviation <= ROUNDING * np.abs(mean)
    covariance[constant] = 0.0
    covariance[:, constant] = 0.0
    return Moments(mean, np.where(constant | (deviation == 0), 1.0, deviation), covariance, len(z))
