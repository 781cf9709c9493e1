"""
How rows are divided and weighted before any attacker sees them, and the constants of the suite.

Rows are dealt by group, stratified by (target, private), from a hash of fingerprint and seed: five folds below 20,000
rows (cross-fit), 50/20/30 from there on (split). An auxiliary distribution is a weighting of the attacker's rows.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from leakaudit import store
from leakaudit.errors import InputError
from leakaudit.stats import Table, tabulate

SUITE = "1"
"""Version of the attackers and rules that decide; a change of either is a new suite."""
DECIDERS = ("linear", "linear-per-target", "quadratic", "mlp", "nearest")
"""The attackers of the suite, with their default knobs: absence is concluded only where all of them were run."""
SUITES = {
    "standard": (*DECIDERS, "gaussian-pca"),
    "full": (*DECIDERS, "mlp:inits=3,decays=2", "trees", "gaussian-pca"),
}
"""What `--suite` names: attackers as they are typed."""
IN_PART = " in part"
"""What follows the version where attackers of the suite were left out."""
AUXILIARIES = ("balanced", "matched", "paper")
DECIDING = "balanced"
FOLDS = 5
SPLIT_FROM = 20_000
"""Rows from which one split 50/20/30 replaces cross-fitting."""
TARGET_BINS = 10
PRIVATE_BINS = 5
GROUPS, GROUPS_PER_CELL = 200, 10
"""Fewer groups than these, in all or in a scored cell, bound nothing: the permutation p stands alone."""
LARGEST_MDE = 0.2
SHARE_H, SHARE_I = 0.8, 0.2
"""How the 5 % of a detection are divided: the permutation test that refits (H), the nested winner (I)."""
SHUFFLES, SHUFFLES_FAIL = 5, 2
PLANTS, PLANTS_FOUND = 3, 2
LADDER = (0.1, 0.2, 0.4, 0.8)

Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Fold:
    """Row numbers of the three parts of one fold, each in ascending order."""

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    """Chooses the winner among attackers, and the sign of anti-correlated guesses."""
    test: Int64[np.ndarray, " test"]
    """Scored once."""

    @property
    def seen(self) -> Codes:
        """Train and then validation, on which the scored attackers are refitted."""
        return np.concatenate([self.train, self.validation])


def chance(fingerprint: str, seed: int, purpose: str) -> np.random.Generator:
    """A generator derived from a hash of the data, the seed and what it is for."""
    return np.random.default_rng(int(store.digest(fingerprint, str(seed), purpose)[:16], 16))


def scheme(rows: int) -> str:
    """`cross-fit 5` or `split 50/20/30`."""
    return "cross-fit 5" if rows < SPLIT_FROM else "split 50/20/30"


def folds(
    target: Codes, private: Int64[np.ndarray, "attributes n"], group: Codes, rng: np.random.Generator
) -> tuple[Fold, ...]:
    """
    The folds of these rows: five or one; every row of a group in the same part, every (y, v) cell dealt evenly.

    Several attributes share the folds, stratified by the one with the rarest class first; -1 is a missing label.
    """
    cells = strata(target, private, rng)
    rows = np.arange(len(cells))
    if scheme(len(rows)) != "cross-fit 5":
        part = deal(cells, group, 10, rng)
        letter = np.array(list("tvststtvst"))[part]  # 5 train, 2 validation, 3 scored of each ten, interleaved
        return (Fold(rows[letter == "t"], rows[letter == "v"], rows[letter == "s"]),)
    part = deal(cells, group, FOLDS, rng)
    made = []
    for fold in range(FOLDS):
        seen = rows[part != fold]
        held = deal(cells[seen], group[seen], 4, rng) == 0
        made.append(Fold(seen[~held], seen[held], rows[part == fold]))
    return tuple(made)


def strata(target: Codes, private: Int64[np.ndarray, "attributes n"], rng: np.random.Generator) -> Codes:
    """
    Rows numbered by target class, and inside it by private classes, the attribute with the rarest class first.

    Classes are numbered in random order: where attributes are so many that hardly two rows are alike, rows are dealt
    along that order, and it is another for each seed.
    """
    counts = [np.bincount(codes[codes >= 0]) for codes in private]
    rarest = np.argsort([min((n for n in each if n), default=0) for each in counts], kind="stable")
    keys = [rng.permutation(int(codes.max()) + 2)[codes + 1] for codes in (target, *private[rarest])]
    order = np.lexsort(keys[::-1])
    change = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    cells = np.empty(len(target), np.int64)
    cells[order] = np.concatenate([[0], np.cumsum(change)])
    return cells


def combined(refitted: float, nested: float) -> float:
    """P of the two tests together: H at .04 and I at .01 of a detection's .05."""
    return min(1.0, refitted / SHARE_H, nested / SHARE_I)


def refits(attributes: int) -> int:
    """Permutations of H, the identity among them."""
    return max(400, 25 * attributes)


def deal(strata: Codes, group: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Which of `count` parts each row is in; groups stay whole and count as being of their first row's stratum."""
    _, first, index = np.unique(group, return_index=True, return_inverse=True)
    order = np.lexsort((rng.random(len(first)), strata[first]))
    part = np.empty(len(first), np.int64)
    part[order] = (np.arange(len(first)) + rng.integers(count)) % count
    return part[index]


def weights(auxiliary: str, target: Codes, private: Codes, table: Table | None = None) -> Float32[np.ndarray, " n"]:
    """
    How much each row counts under an auxiliary distribution; the mean is 1.

    `balanced` is #y / #(y, v): v independent of y, y as it is. `matched` is the `table` recorded with the checkpoint
    over the table of these rows, or rows as they came where there is none; so is `paper`. A row with label -1 counts 0.
    """
    known = private >= 0
    if not known.all():
        scattered = np.zeros(len(target), np.float32)
        scattered[known] = weights(auxiliary, target[known], private[known], table)
        return scattered
    size = int(target.max(initial=0)) + 1, int(private.max(initial=0)) + 1
    here = tabulate(target, private, *(size if table is None else table.shape)).astype(np.float64)
    if auxiliary == DECIDING:
        cell = here.sum(axis=1, keepdims=True) / np.maximum(here, 1)
    elif auxiliary == "matched" and table is not None:
        cell = table / np.maximum(here, 1)
    else:
        return np.ones(len(target), np.float32)
    row = cell[target, private]
    scaled: Float32[np.ndarray, " n"] = (row / max(row.mean(), np.finfo(float).tiny)).astype(np.float32)
    return scaled


def bins(values: Shaped[np.ndarray, " n"], count: int, name: str) -> tuple[Codes, tuple[str, ...]]:
    """
    Quantile bins of numbers, and their names.

    Raises:
        InputError: all numbers are the same.
    """
    return cut(values, edges(values, count, name))


def edges(values: Shaped[np.ndarray, " n"], count: int, name: str) -> Shaped[np.ndarray, " edges"]:
    """
    Where quantile bins of numbers meet: below `count`, where many numbers are the same.

    Raises:
        InputError: all numbers are the same.
    """
    ends: np.ndarray = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    ends = ends[(ends > values.min()) & (ends <= values.max())]
    if not len(ends):
        raise InputError(f"{name}: every row has the same value, {values[0]:g}: there is nothing to tell apart")
    return ends


def cut(values: Shaped[np.ndarray, " n"], ends: Shaped[np.ndarray, " edges"]) -> tuple[Codes, tuple[str, ...]]:
    """Numbers in the bins that meet at `ends`, and the names of the bins."""
    codes = np.searchsorted(ends, values, side="right").astype(np.int64)
    words = [f"{edge:.4g}" for edge in ends]
    return codes, (f"< {words[0]}", *(f"{a} to {b}" for a, b in pairwise(words)), f">= {words[-1]}")


def bounded(table: Table, target: Codes, private: Codes, group: Codes) -> bool:
    """Whether there are groups enough for bounds: 200 in all, and 10 in every scored cell."""
    pairs = np.unique(np.stack([group, target, private]), axis=1)
    groups = tabulate(pairs[1], pairs[2], *table.shape)
    return len(np.unique(group)) >= GROUPS and bool((groups[table > 0] >= GROUPS_PER_CELL).all())
