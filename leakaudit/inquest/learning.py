"""
Labels needed: what the strongest attacker reads from ever more labelled rows.

Rows are added in an order of chance that keeps groups whole; the curve doubles them up to half of what the attacker
saw, and ends with all of it. Every point is scored on the same rows.
"""

from collections.abc import Generator, Sequence

import numpy as np
from jaxtyping import Int64

from leakaudit import protocol, stats
from leakaudit.finding import Figures, Learned
from leakaudit.inquest.arena import Arena, Ask, Case, Chances, Codes
from leakaudit.inquest.contest import Entrant
from leakaudit.stats import LEVEL

FEWEST, MOST = 32, 8192
"""Labelled rows of the first point, and of the last before all."""
MANY, COARSE = 8, 512
"""Attributes from which points are four times apart, and end here."""


def points(rows: int, attributes: int = 1, classes: int = 2) -> list[int]:
    """
    Counts of labelled rows: doubled from 32 (times four with many attributes), to half of `rows` at most.

    With more classes than 32 they begin at one row a class.
    """
    few = attributes < MANY
    most = min(rows // 2, MOST if few else COARSE)
    found, count = [], max(FEWEST, classes)
    while count <= most:
        found.append(count)
        count *= 2 if few else 4
    return found


def curves(
    arena: Arena, cases: Sequence[Case], winners: Sequence[Entrant], figures: Sequence[Figures]
) -> Generator[str, None, list[tuple[Learned, ...]]]:
    """Per case its winner's E on the scored rows from so many labelled rows; ends with what it reached from all."""
    made: list[tuple[Learned, ...]] = [()] * len(cases)
    for name in sorted({winner.name for winner in winners}):
        mine = [i for i, winner in enumerate(winners) if winner.name == name]
        found = _curves(arena, [cases[i] for i in mine], winners[mine[0]], len(cases))
        for i, learned in zip(mine, found, strict=True):
            most = int(np.mean([cases[i].known[fold.seen].sum() for fold in arena.folds]))
            made[i] = (*learned, Learned(most, figures[i].excess, figures[i].lower))
        yield f"{name}, from ever more labels"
    return made


def needed(curve: Sequence[Learned]) -> int | None:
    """The fewest labelled rows from which on every lower bound is above 0."""
    found = None
    for point in reversed(curve):
        if point.lower <= 0:
            break
        found = point.labels
    return found


def _curves(arena: Arena, cases: Sequence[Case], winner: Entrant, attributes: int) -> list[list[Learned]]:
    """The points before the last of each case, all asked of one attacker."""
    sizes = points(min(len(fold.seen) for fold in arena.folds), attributes, max(case.classes for case in cases))
    if not sizes:
        return [[] for _ in cases]
    shape = len(cases), len(sizes)
    chances = [np.zeros((len(sizes), len(arena.z), case.classes), np.float32) for case in cases]
    shown = np.zeros(shape)
    for number, fold in enumerate(arena.folds):
        order = _order(arena, fold.seen, number)
        most = np.sort(order[: sizes[-1]])
        parts = [np.sort(order[:size]) for size in sizes]
        asks = [Ask(case.private, case.classes).hidden(part, arena.target, most) for case in cases for part in parts]
        said = winner.attack(arena.rows(most), arena.rows(fold.test), tuple(asks), seed=arena.seed, device=arena.device)
        for at, (question, guesses) in enumerate(zip(asks, said, strict=True)):
            chances[at // len(sizes)][at % len(sizes), fold.test] = guesses.probabilities
            shown[np.unravel_index(at, shape)] += (question.labels >= 0).sum() / len(arena.folds)
    return [
        [_point(case, chance, int(labels)) for chance, labels in zip(chances[i], shown[i], strict=True)]
        for i, case in enumerate(cases)
    ]


def _point(case: Case, chances: Chances, labels: int) -> Learned:
    answers = case.answers()
    part, stretch = answers.advantage(answers.guess(chances[case.scored]))
    lower = 1 - stretch * (1 - part.bounds(LEVEL)[0]) if answers.bounded else 1 - stretch
    return Learned(labels, stats.stretched(part, stretch), lower)


def _order(arena: Arena, seen: Codes, fold: int) -> Int64[np.ndarray, " m"]:
    """The rows of a fold, group by group in an order of chance that mixes target classes."""
    group = arena.group[seen]
    rng = protocol.chance("learning", arena.seed, f"fold {fold}")
    part = protocol.deal(arena.target[seen], group, max(len(np.unique(group)) // 8, 1), rng)
    order: Int64[np.ndarray, " m"] = seen[np.lexsort((rng.permutation(int(group.max()) + 1)[group], part))]
    return order
