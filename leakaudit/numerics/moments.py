"""Mean, scale, covariance and eigenvectors of a set of vectors, computed once and shared by all that need them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True)
class Moments:
    """First and second moments of z."""

    mean: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]
    """Standard deviation of each column; 1 where the column is constant."""
    covariance: Float64[np.ndarray, "d d"]

    @cached_property
    def eigen(self) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]]:
        """Eigenvalues of the covariance, largest first, none below zero, and the eigenvectors as columns."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1])


def moments(z: Float32[np.ndarray, "n d"]) -> Moments:
    """The moments of the rows of z."""
    mean = z.mean(axis=0, dtype=np.float64)
    centred = (z - mean).astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / len(z)
    scale = np.sqrt(np.diag(covariance))
    constant = scale <= 1e-7 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return Moments(mean, np.where(constant, 1.0, scale), covariance)
