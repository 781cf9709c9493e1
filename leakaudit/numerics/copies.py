"""
Rows that are copies of one another: the same numbers and the same labels.

Where copies of a row stand on both sides of a split, remembering it passes for reading it. Rows of a bottleneck that
knows few states are alike without being copies: there half of the columns does not tell what the others hold, or the
rows are many times as many as the states.
"""

import numpy as np
from jaxtyping import Float32, Int64, UInt64

MANY = 10
"""Rows for each different one from which z is taken for a code of few states."""
ALIKE = 0.9
"""Share of different rows that differ in either half of the columns, where rows do not coincide by chance."""
BLOCK = 8192


def together(z: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, "k n"]) -> Int64[np.ndarray, " n"]:
    """A number for each row, the same for copies; rows alike in z whose labels differ are no copies."""
    alone = np.arange(len(z))
    if z.shape[1] == 1:
        return alone
    left, right = hashed(z[:, ::2]), hashed(z[:, 1::2])
    _, first, same = np.unique(left * np.uint64(0x9E3779B97F4A7C15) + right, return_index=True, return_inverse=True)
    if len(first) == len(z) or len(first) * MANY < len(z):
        return alone
    if min(len(np.unique(left)), len(np.unique(right))) < ALIKE * len(first):
        return alone
    differ = (labels != labels[:, first[same]]).any(axis=0)
    torn = np.bincount(same, differ, minlength=len(first)) > 0
    found: Int64[np.ndarray, " n"] = np.where(torn[same], alone, first[same])
    return found


def hashed(z: Float32[np.ndarray, "n d"]) -> UInt64[np.ndarray, " n"]:
    """64 bits for each row, equal where all its numbers are."""
    factor = np.random.default_rng(0).integers(1, 2**63, size=z.shape[1], dtype=np.uint64) | np.uint64(1)
    out = np.empty(len(z), np.uint64)
    for start in range(0, len(z), BLOCK):
        bits = np.ascontiguousarray(z[start : start + BLOCK]).view(np.uint32).astype(np.uint64)
        bits ^= bits >> np.uint64(15)
        out[start : start + BLOCK] = (bits * factor).sum(axis=1, dtype=np.uint64)
    return out
