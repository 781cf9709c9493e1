"""Mean, scale, covariance and eigenvectors of a set of vectors, computed once and shared by all that need them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64

BLOCK = 8192
"""Rows centred in float64 at a time."""
ROUNDING = 32 * float(np.finfo(np.float32).eps)
"""A deviation below this share of a column's size is rounding of float32, not data."""

WILD = 1e4
"""Deviations of columns further apart than this are taken for different units."""


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
    def basis(self) -> Whitening:
        """
        All eigenvectors of the covariance that rise above rounding, scaled to unit variance, largest variance first.

        Where the columns' deviations lie more than `WILD` apart they count in other units: then of the correlations.
        """
        varying = np.sqrt(np.diag(self.covariance))
        varying = varying[varying > 0]
        if len(varying) and varying.max() > WILD * varying.min():
            return self.whitening
        return self.leading(len(self.scale))

    def leading(self, count: int) -> Whitening:
        """At most `count` leading eigenvectors of the covariance that rise above rounding, scaled to unit variance."""
        values, vectors = self.eigen
        return self._whitening(values[:count], vectors[:, :count], np.ones_like(self.scale))

    @cached_property
    def whitening(self) -> Whitening:
        """All eigenvectors of the standardised columns that rise above rounding, scaled to unit variance."""
        values, vectors = np.linalg.eigh(self.covariance / np.outer(self.scale, self.scale))
        return self._whitening(np.maximum(values[::-1], 0.0), vectors[:, ::-1], self.scale)

    def _whitening(
        self, values: Float64[np.ndarray, " k"], vectors: Float64[np.ndarray, "d k"], unit: Float64[np.ndarray, " d"]
    ) -> Whitening:
        size = (self.mean**2 + np.diag(self.covariance)) / unit**2
        top = float(values.max(initial=0.0))
        floor = max(top * 1e-12, ROUNDING**2 * float((vectors[:, :1] ** 2).T.dot(size).max(initial=0.0)))
        keep = (values > floor) & (values > 0) & (np.arange(len(values)) < self.rows - 1)
        matrix = vectors[:, keep] / np.sqrt(values[keep]) / unit[:, None]
        return Whitening(self.mean, matrix, values[keep] / (top or 1.0))


def moments(z: Float32[np.ndarray, "n d"]) -> Moments:
    """The moments of the rows of z, accumulated in float64."""
    mean = z.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((z.shape[1], z.shape[1]))
    for start in range(0, len(z), BLOCK):
        centred = z[start : start + BLOCK] - mean
        covariance += centred.T @ centred
    return gathered(mean, covariance / max(len(z), 1), len(z))


def gathered(mean: Float64[np.ndarray, " d"], covariance: Float64[np.ndarray, "d d"], rows: int) -> Moments:
    """These moments of float32 columns; a column that varies no more than by rounding is constant."""
    covariance = covariance.copy()
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    constant = deviation <= ROUNDING * np.abs(mean)
    covariance[constant] = 0.0
    covariance[:, constant] = 0.0
    return Moments(mean, np.where(constant | (deviation == 0), 1.0, deviation), covariance, rows)
