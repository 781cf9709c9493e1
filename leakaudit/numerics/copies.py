"""
Rows that are copies of one another: the same numbers, or the same source.

Where copies of a row stand on both sides of a split, remembering it passes for reading it. Few rows of the same numbers
are copies whatever their labels: were labels to say so, a split would know them. Rows of a bottleneck that knows few
states are alike without being copies: there half of the columns does not tell what the others hold, or the rows are
many times as many as the states. So are many rows of the same numbers, such as those of a dead unit, where they differ
in every private label.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MANY = 10
"""Rows for each different one from which z is taken for a code of few states; more rows alike may be a state."""
ALIKE = 0.9
"""Share of different rows that differ in either half of the columns, where rows do not coincide by chance."""
BLOCK = 8192


def together(z: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, "k n"]) -> Int64[np.ndarray, " n"]:
    """A number for each row, the same for copies; `labels` are of private attributes, -1 for missing."""
    alone = np.arange(len(z))
    if z.shape[1] == 1:
        return alone
    left, right = hashed(z[:, ::2]), hashed(z[:, 1::2])
    _, first, same = np.unique(left * np.uint64(0x9E3779B97F4A7C15) + right, return_index=True, return_inverse=True)
    if len(first) == len(z) or len(first) * MANY < len(z):
        return alone
    if min(len(np.unique(left)), len(np.unique(right))) < ALIKE * len(first):
        return alone
    torn = np.bincount(same) > MANY
    for each in labels:
        torn &= _differ(each, same, len(first))
    found: Int64[np.ndarray, " n"] = np.where(torn[same], alone, first[same])
    return found


def joined(group: Int64[np.ndarray, " n"], ids: UInt64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The groups, those that share a source joined: each is numbered by its first row."""
    (_, left), (sources, right) = (np.unique(each, return_inverse=True) for each in (group, ids))
    if len(sources) == len(ids):
        return group
    size = len(group)
    ties = coo_array((np.ones(size, bool), (left, size + right)), shape=(2 * size, 2 * size))
    part = connected_components(ties, directed=False)[1][left]
    _, first, same = np.unique(part, return_index=True, return_inverse=True)
    found: Int64[np.ndarray, " n"] = first[same]
    return found


def doubles(group: Int64[np.ndarray, " n"]) -> int:
    """Pairs of rows of one group."""
    rows = np.unique(group, return_counts=True)[1]
    return int((rows * (rows - 1) // 2).sum())


def _differ(labels: Int64[np.ndarray, " n"], same: Int64[np.ndarray, " n"], count: int) -> Bool[np.ndarray, " count"]:
    """Of which rows alike a label differs, missing ones aside."""
    known = labels >= 0
    one = np.full(count, -1)
    one[same[known]] = labels[known]
    found: Bool[np.ndarray, " count"] = np.bincount(same, known & (labels != one[same]), minlength=count) > 0
    return found


def hashed(z: Float32[np.ndarray, "n d"]) -> UInt64[np.ndarray, " n"]:
    """64 bits for each row, equal where all its numbers are; a zero has no sign."""
    factor = np.random.default_rng(0).integers(1, 2**63, size=z.shape[1], dtype=np.uint64) | np.uint64(1)
    out = np.empty(len(z), np.uint64)
    for start in range(0, len(z), BLOCK):
        bits = np.ascontiguousarray(z[start : start + BLOCK] + np.float32(0)).view(np.uint32).astype(np.uint64)
        bits ^= bits >> np.uint64(15)
        out[start : start + BLOCK] = (bits * factor).sum(axis=1, dtype=np.uint64)
    return out
