"""
Attack seeds: the nested question asked again with other folds and other chance in the attackers.

What scatters here is the attack, not the data and not the training: the points are shown as they are, and never mixed
into an interval.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

from leakaudit import protocol
from leakaudit.arena import Ask, Case
from leakaudit.contest import Entrant, compete, nested, saying


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
