"""
The permutation test of fixed guesses: E against labels that trade places within target classes.

Rows that stand for themselves need no permutation: inside a target class the counts of (guess, label) are those of a
random table with both margins fixed, drawn cell by cell from hypergeometric distributions (Patefield, Applied
Statistics 30, 1981). Groups of one label trade whole labels, all draws at once; others are traded draw by draw.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, Int64

from leakaudit import stats
from leakaudit.stats import Labels, excess, excess_weights, redraw, tabulate

MANY = 40
"""Classes beyond which tables are not drawn cell by cell."""
HELD = 1 << 24
"""Labels of groups held at a time."""

Drawn = Float64[np.ndarray, " draws"]


def permutation_p(
    guess: Labels,
    target: Labels,
    private: Labels,
    group: Labels | None,
    *,
    rng: np.random.Generator,
    draws: int,
    doubled: bool,
) -> float:
    """One-sided p of E against labels permuted within strata, guesses fixed; permuted E times sqrt 2 if `doubled`."""
    sizes = int(target.max(initial=0)) + 1, int(max(private.max(initial=0), guess.max(initial=0))) + 1
    seen = excess(guess, target, private, *sizes)
    if group is not None:
        null = _grouped(guess, target, private, group, sizes, rng, draws)
    elif sizes[1] <= MANY:
        null = _tables(guess, target, private, sizes, rng, draws)
    else:
        null = _redrawn(guess, target, private, None, sizes, rng, draws)
    factor = np.sqrt(2) if doubled else 1.0
    return float((1 + np.sum(null * factor >= seen - 1e-12)) / (draws + 1))


def _redrawn(
    guess: Labels, target: Labels, private: Labels, group: Labels | None, sizes: tuple[int, int],
    rng: np.random.Generator, draws: int,
) -> Drawn:  # fmt: skip
    """E of labels drawn again one by one."""
    return np.array([excess(guess, target, redraw(target, private, group, rng), *sizes) for _ in range(draws)])


def _tables(
    guess: Labels, target: Labels, private: Labels, sizes: tuple[int, int], rng: np.random.Generator, draws: int
) -> Drawn:
    """E of random tables; the cells' sizes, and with them the weights, are those of the labels."""
    table = tabulate(target, private, *sizes)
    weights, stretch = excess_weights(table)
    per_hit = weights / np.maximum(table, 1)
    named = tabulate(target, guess, *sizes)
    share = np.zeros(draws)
    for y in np.flatnonzero(weights.any(axis=1)):
        for c, hits in enumerate(_diagonal(named[y], table[y], rng, draws)):
            share += per_hit[y, c] * hits
    found: Drawn = 1 - stretch * (1 - share)
    return found


def _diagonal(
    rows: Int64[np.ndarray, " c"], columns: Int64[np.ndarray, " c"], rng: np.random.Generator, draws: int
) -> Iterator[Int64[np.ndarray, " draws"]]:
    """The diagonal of random tables with these margins, entry by entry."""
    left = np.tile(columns, (draws, 1))
    for g, count in enumerate(rows):
        wanted = np.full(draws, count)
        behind = left.sum(axis=1)
        hits = np.zeros(draws, np.int64)
        for c in range(len(columns)):
            behind = behind - left[:, c]
            taken = rng.hypergeometric(left[:, c], behind, wanted)
            wanted = wanted - taken
            left[:, c] -= taken
            if c == g:
                hits = taken
        yield hits


def _grouped(
    guess: Labels, target: Labels, private: Labels, group: Labels, sizes: tuple[int, int],
    rng: np.random.Generator, draws: int,
) -> Drawn:  # fmt: skip
    """E where whole groups trade labels; all draws at once where every group has one."""
    _, first, index = np.unique(group, return_index=True, return_inverse=True)
    if (private != private[first][index]).any():
        return _redrawn(guess, target, private, group, sizes, rng, draws)
    strata, classes = sizes
    groups = len(first)
    held = np.bincount(index * strata + target, minlength=groups * strata).reshape(groups, strata)
    named = np.bincount((index * strata + target) * classes + guess, minlength=groups * strata * classes)
    named = named.reshape(groups, strata, classes).astype(np.float64)
    block = max(1, HELD // max(1, groups))
    found = [
        _traded(held, named, private[first], rng, min(block, draws - start), sizes) for start in range(0, draws, block)
    ]
    return np.concatenate(found)


def _traded(
    held: Int64[np.ndarray, "groups strata"], named: Float64[np.ndarray, "groups strata classes"],
    labels: Int64[np.ndarray, " groups"], rng: np.random.Generator, draws: int, sizes: tuple[int, int],
) -> Drawn:  # fmt: skip
    """E of draws in which groups of one commonest target trade labels."""
    commonest = held.argmax(axis=1)
    drawn = np.empty((draws, len(labels)), np.int64)
    for y in np.unique(commonest):
        mine = np.flatnonzero(commonest == y)
        drawn[:, mine] = rng.permuted(np.tile(labels[mine], (draws, 1)), axis=1)
    rows, hits = np.empty((draws, *sizes)), np.empty((draws, *sizes))
    for c in range(sizes[1]):
        has = (drawn == c).astype(np.float64)
        rows[:, :, c], hits[:, :, c] = has @ held, has @ named[:, :, c]
    present = rows > 0
    several = present.sum(axis=2, keepdims=True)
    several = np.where(several >= stats.TWO, several, 0)
    recall = np.divide(hits, rows, out=np.zeros_like(hits), where=present).sum(axis=2, keepdims=True)
    above = np.divide(recall - 1, several - 1, out=np.zeros_like(recall), where=several > 0)
    weight = np.where(several > 0, rows.sum(axis=2, keepdims=True), 0.0)
    found: Drawn = (weight * above).sum(axis=(1, 2)) / np.maximum(weight.sum(axis=(1, 2)), 1)
    return found
