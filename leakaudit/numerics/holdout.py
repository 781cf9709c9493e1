"""Parts of labelled rows that keep groups whole and hold every stratum in its share."""

import numpy as np
from jaxtyping import Int64


def parts(
    strata: Int64[np.ndarray, " n"], group: Int64[np.ndarray, " n"], count: int, seed: int
) -> Int64[np.ndarray, " n"]:
    """
    Which of `count` parts each row is in: rows of one group share a part, and each stratum is dealt out evenly.

    A group counts as being of the stratum of its first row.
    """
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    draw = np.random.default_rng(seed).permutation(len(first))
    order = draw[np.argsort(strata[first][draw], kind="stable")]
    part = np.empty(len(first), np.int64)
    part[order] = np.arange(len(first)) % count
    return part[inverse]
