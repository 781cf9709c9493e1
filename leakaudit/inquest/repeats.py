"""
The question asked again: with other attack seeds, and on rows that the model was trained on.

Attack seeds: other folds and other chance in the attackers. What scatters there is the attack, not the data and not
the training: the points are shown as they are, and never mixed into an interval. Memorisation: the same attack on rows
trained on and on as many attack rows, in the same (target, private) counts. Neither enters a verdict.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from leakaudit import protocol, stats
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.finding import Figures, Memorisation
from leakaudit.inquest.arena import Arena, Ask, Case, Codes
from leakaudit.inquest.contest import Entrant, compete, nested, saying
from leakaudit.inquest.exhibits import together
from leakaudit.labels import Column, Labelled, recoded
from leakaudit.stats import Interval, Table

MOST = 10_000
"""Rows of each kind that are attacked for the memorisation gap."""
FEWEST = 40
"""Rows of each kind below which there is no memorisation gap."""

Trained = Int64[np.ndarray, " t"]
Gap = Memorisation | str
"""The memorisation gap, or why there is none."""


def repeats(
    cases: Sequence[Case], attackers: Sequence[Entrant], folds: Sequence[tuple[protocol.Fold, ...]]
) -> Generator[str, None, list[tuple[float, ...]]]:
    """E of each case's nested winner with each of these divisions of the rows, the seed counted up with them."""
    points: list[list[float]] = [[] for _ in cases]
    for number, dealt in enumerate(folds, start=1):
        first = cases[0].arena
        arena = replace(first, folds=dealt, seed=first.seed + number, known=first.moments, given=first.x)
        asks = [Ask(case.private, case.classes) for case in cases]
        answered = yield from saying(f"attack seed {arena.seed}", compete(arena, attackers, asks))
        for case, answer, found in zip(cases, answered, points, strict=True):
            again = replace(case, arena=arena)
            answers = again.answers()
            found.append(answers.excess(answers.guess(nested(answer, dealt).chances[again.scored])))
    return [tuple(found) for found in points]


def memorised(
    attacked: Embeddings, trained: Embeddings, chosen: Mapping[str, Labelled], target: str | None,
    attacker: Entrant, *, seed: int, device: str,
) -> Generator[str, None, dict[str, Gap]]:  # fmt: skip
    """Per attribute what this attacker reads from rows trained on, beside as many attack rows of the same cells."""
    found: dict[str, Gap] = {}
    for name, rows in chosen.items():
        rng = protocol.chance(attacked.origin.fingerprint, seed, f"{name}: memorisation")
        pairs = _cells(attacked, trained, rows, name, target)
        shape = len(rows.target.classes), len(rows.private.classes)
        usable = [np.where((y >= 0) & (v >= 0), y * shape[1] + v, -1) for y, v in pairs]
        table = shared(usable[0], usable[1], shape)
        count = int(table.sum())
        sides: list[tuple[Figures, bool]] = []
        if count >= FEWEST:
            parts = (attacked.take(rows.rows), trained)
            for part, codes, (y, v) in zip(parts, usable, pairs, strict=True):
                some = _drawn(codes, table.ravel(), rng)
                side = yield from _attack(part.take(some), y[some], v[some], rows, name, attacker, seed, device)
                sides += [side] if side else []
        if len(sides) < len(pairs):
            kinds = f"of the {name} only {count} rows trained on have attack rows of their target and class beside them"
            found[name] = f"{kinds}: too few to compare"
            continue
        (unseen, first), (seen, second) = sides
        ends = [_ends(figures, bounded) for figures, bounded in ((seen, second), (unseen, first))]
        notes: tuple[str, ...] = () if first and second else ("too few groups for bounds",)
        if attacked.origin.data != trained.origin.data:
            notes += (f"trained on {trained.origin.data}, attacked on {attacked.origin.data}: the gap holds that too",)
        found[name] = Memorisation(attacker.name, count, seen, unseen, difference(*ends), notes)
    return found


def shared(attacked: Codes, trained: Trained, shape: tuple[int, int]) -> Table:
    """
    Rows that both have in each (target, private) cell, in target classes with two private classes; at most `MOST`.

    Cells are numbered `target * classes + private`, with -1 for rows that have no place.
    """
    size = shape[0] * shape[1]
    both = [np.bincount(codes[codes >= 0], minlength=size).reshape(shape) for codes in (attacked, trained)]
    table: Table = np.minimum(*both)
    table = np.where(stats.covered(table), table, 0)
    if (total := int(table.sum())) > MOST:
        table = np.where(table > 0, np.maximum(table * MOST // total, 1), 0)
    return table


def difference(one: Interval, other: Interval) -> Interval:
    """One less the other, on different rows: by squared distances to the bounds (Newcombe 1998)."""
    value = one.value - other.value
    low = value - float(np.hypot(one.value - one.low, other.high - other.value))
    return Interval(value, low, value + float(np.hypot(one.high - one.value, other.value - other.low)))


def _ends(figures: Figures, bounded: bool) -> Interval:  # noqa: FBT001 (inside this file)
    """E's interval; where groups are too few for one, from the least that E can be to 1."""
    return figures.excess if bounded else Interval(figures.excess.value, figures.lower, figures.upper)


def _cells(
    attacked: Embeddings, trained: Embeddings, rows: Labelled, name: str, target: str | None
) -> tuple[tuple[Codes, Codes], tuple[Trained, Trained]]:
    """Target strata and private classes of the attack rows and of the rows trained on; -1 for no such class."""
    v = _coded(trained.column(name), attacked.column(name).take(rows.rows), rows.private)
    if target is None:
        y = np.zeros(len(trained), np.int64)
    else:
        y = _coded(trained.column(target), attacked.column(target).take(rows.rows), rows.target)
    return (rows.target.codes, rows.private.codes), (y, v)


def _coded(labels: Labels, own: Labels, column: Column) -> Codes:
    """Labels of other rows in the classes of `column`; numbers in its bins, each of which begins at its least."""
    if labels.classes or own.classes:
        return recoded(labels, column)
    edges: Float64[np.ndarray, " bins"] = np.array(
        [own.values[column.codes == code].min() for code in range(1, len(column.classes))]
    )
    codes: Codes = np.where(labels.known, np.searchsorted(edges, labels.values, side="right"), -1)
    return codes


def _drawn(cells: Codes, counts: Int64[np.ndarray, " cells"], rng: np.random.Generator) -> Int64[np.ndarray, " drawn"]:
    """So many rows of each cell, in ascending order."""
    order = rng.permutation(len(cells))
    order = order[np.argsort(cells[order], kind="stable")]
    order = order[cells[order] >= 0]
    first = np.searchsorted(cells[order], np.arange(len(counts)))
    some: Int64[np.ndarray, " drawn"] = np.sort(
        order[np.arange(len(order)) - first[cells[order]] < counts[cells[order]]]
    )
    return some


def _attack(
    part: Embeddings, y: Codes, v: Codes, rows: Labelled, name: str, attacker: Entrant, seed: int, device: str
) -> Generator[str, None, tuple[Figures, bool] | None]:
    """This attacker's figures on these rows, and whether they are bounded; None where a fold has no question."""
    fingerprint, classes = part.origin.fingerprint, len(rows.private.classes)
    group, grouped = together(part, np.stack([v, y]))
    folds = protocol.folds(y, v[None], group, protocol.chance(fingerprint, seed, "folds"))
    if not all(len(np.unique(v[fold.train])) > 1 and len(fold.validation) and len(fold.test) for fold in folds):
        return None
    arena = Arena(part.z, y, len(rows.target.classes), group, folds, seed, device)
    case = Case(name, arena, v, classes, grouped, None, fingerprint, draws=0)
    (answer,) = yield from saying(f"{name}, memorisation", compete(arena, [attacker], [Ask(v, classes)]))
    answers = case.answers()
    if not answers.scored.any():
        return None
    return answers.figures(answers.guess(answer[attacker.name].chances[case.scored])), answers.bounded
