"""A private attribute against the target in one split: the counts, and what an audit of these rows can decide."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Shaped

from leakaudit import protocol, stats
from leakaudit.description import Cross, Reach
from leakaudit.embeddings import Embeddings
from leakaudit.inquest.exhibits import together
from leakaudit.labels import Labelled
from leakaudit.numerics import association
from leakaudit.scoring import Answers
from leakaudit.stats import Table
from leakaudit.verdict import needed

HANDFUL = 10
"""Rows up to which a cell is a handful."""
BARS = 40
"""The most bars of a histogram."""

Codes = Int64[np.ndarray, " n"]


class Pair(NamedTuple):
    """Classes of target and private attribute, by name."""

    target: tuple[str, ...]
    private: tuple[str, ...]


def cross(split: str, y: Codes, v: Codes, names: Pair, group: Codes | None, seed: int) -> Cross:
    """The counts of one split; labels are codes of `names`, -1 for missing."""
    known = (y >= 0) & (v >= 0)
    table = stats.tabulate(y[known], v[known], len(names.target), len(names.private))
    there = table[table.any(axis=1)][:, table.any(axis=0)]
    held = np.where(table > 0, table, table.sum() + 1)
    least = np.unravel_index(held.argmin(), table.shape)
    told = association.told(table)
    cells = y[known] * len(names.private) + v[known]
    return Cross(
        split=split,
        table=tuple(map(tuple, table.tolist())),
        rows=int(known.sum()),
        missing=int((v < 0).sum()),
        empty=int((there == 0).sum()),
        few=int(((there > 0) & (there <= HANDFUL)).sum()),
        smallest=int(table[least]),
        smallest_cell=(names.target[least[0]], names.private[least[1]]),
        cramers_v=association.cramers_v(table),
        association=association.association(cells, table, None if group is None else group[known], seed),
        majority=None if told is None else told.majority,
        accuracy=None if told is None else told.accuracy,
        balanced_accuracy=None if told is None else told.balanced_accuracy,
        chance=None if told is None else told.chance,
        reach=None,
    )


def reach(rows: Embeddings, chosen: Mapping[str, Labelled], name: str, tolerance: float, seed: int) -> Reach | str:
    """What an audit of the `chosen` rows of a split can decide about one of them, or why it would be refused."""
    mine = chosen[name]
    part, y = rows.take(mine.rows), mine.target.codes
    private = np.stack([each.private.codes for each in chosen.values()])
    group, grouped = together(part, np.concatenate([private, y[None]]))
    folds = protocol.folds(y, private, group, protocol.chance(rows.origin.fingerprint, seed, "folds"))
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    scored = tested[mine.known[tested]]
    strata, classes = len(mine.target.classes), len(mine.private.classes)
    answers = Answers(
        y[scored], mine.private.codes[scored], strata, classes, group[scored] if grouped else None,
        doubled=len(folds) > 1, seed=seed,
    )  # fmt: skip
    covered = stats.covered(answers.table)
    if not covered.any():
        return f"{rows.origin.name}: in the {len(scored)} scored rows the target determines {name!r}"
    mde, least = answers.mde(), min(tolerance, protocol.LARGEST_MDE)
    hits, stretch = answers.advantage(answers.private)
    lowest = 1 - stretch * (1 - hits.bounds(stats.LEVEL)[0])
    decides = answers.bounded and mde <= protocol.LARGEST_MDE
    return Reach(
        rows=int(mine.known.sum()),
        scored=int(answers.table[covered].sum()),
        scheme=protocol.scheme(len(y)),
        mde=mde,
        mde_grouped=None if answers.group is None else stats.detectable(_groups(answers), doubled=answers.doubled),
        bounded=answers.bounded,
        leak=decides and lowest > tolerance,
        absence=decides and mde <= tolerance,
        rows_of_this_mix=needed(int(mine.known.sum()), mde / least, doubled=answers.doubled),
        rows_balanced=needed(stats.balanced_rows(least, classes, doubled=True), 1.0, doubled=True),
    )


def _groups(answers: Answers) -> Table:
    """Groups with a row in each cell."""
    assert answers.group is not None
    pairs = np.unique(np.stack([answers.group, answers.target, answers.private]), axis=1)
    return stats.tabulate(pairs[1], pairs[2], answers.strata, answers.classes)


def bars(values: Shaped[np.ndarray, " n"]) -> tuple[float, ...]:
    """Round edges of a histogram that holds all values but those that are missing, of at most `BARS` bars."""
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    power = 10.0 ** np.floor(np.log10(max(high - low, 1e-9) / BARS))
    step = next(times * power for times in (1, 2, 5, 10, 20) if times * power * (BARS - 1) >= high - low)
    first, last = int(np.floor(low / step)), int(np.floor(high / step)) + 1
    return tuple(float(number * step) for number in range(first, last + 1))


def histogram(
    values: Shaped[np.ndarray, " n"], codes: Codes, classes: int, edges: tuple[float, ...]
) -> tuple[tuple[int, ...], ...]:
    """Rows with both labels in each bar, by the class of the other label."""
    known = (codes >= 0) & np.isfinite(values)
    bar = np.searchsorted(edges, values[known], side="right") - 1
    found = stats.tabulate(codes[known], bar.astype(np.int64), classes, len(edges) - 1)
    return tuple(map(tuple, found.tolist()))
