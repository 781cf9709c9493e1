"""
Is there anything at all? The two tests of one question, and their p together.

H: v permuted within target strata, and all refitted: finds weak leaks. I: the nested winner on rows that served for
nothing: finds what H's families cannot express. Each at its own share of the 5 % (`protocol.combined`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leakaudit import protocol, stats
from leakaudit.inquest.arena import Arena, Case, Codes
from leakaudit.inquest.contest import Answer, nested
from leakaudit.numerics import permutation
from leakaudit.numerics.cues import cues
from leakaudit.numerics.permutation import Permuted
from leakaudit.numerics.stream import Leading
from leakaudit.stats import LEVEL, Interval


@dataclass(frozen=True)
class Trial:
    """A question with made-up labels."""

    excess: Interval | None
    """Of the nested winner; None where H had found it already."""
    detected: bool
    """At 5 %, by both tests together."""


def refitted(
    arena: Arena, labels: Sequence[Codes], classes: Sequence[int], permutations: int, *, grouped: bool
) -> list[Permuted]:
    """H of each of these labels, -1 for missing, with so many permutations, the identity among them."""
    return permutation.test(
        arena.x,
        arena.moments.basis.variance,
        arena.target,
        arena.strata,
        np.stack(labels),
        tuple(classes),
        arena.group if grouped else None,
        draws=permutations - 1,
        seed=arena.seed,
    )


def detected(arena: Arena, cases: Sequence[Case], permutations: int) -> list[Permuted]:
    """H of these cases, on all rows of the file where the arena holds a sample of it."""
    beyond, classes = arena.beyond, [case.classes for case in cases]
    if beyond is None:
        labels = [case.private for case in cases]
        return refitted(arena, labels, classes, permutations, grouped=cases[0].grouped)
    # what is looked at is learned from the sample, and then looked at in every row
    seen = cues(arena.x, arena.moments.basis.variance, arena.target, arena.strata)
    every = replace(seen, x=Leading(beyond.stream, arena.moments.basis), target=np.maximum(beyond.target, 0))
    told = [np.where(beyond.target < 0, -1, each) for each in (case.everywhere for case in cases) if each is not None]
    return permutation.among(
        every, np.stack(told), tuple(classes), beyond.group, draws=permutations - 1, seed=arena.seed
    )


def trial(case: Case, answered: dict[str, Answer], labels: Codes, found: Permuted, purpose: str) -> Trial:
    """E of the nested winner on made-up labels, and whether they are detected."""
    answers = case.answers(labels)
    if not answers.scored.any():
        return Trial(Interval(0.0, -1.0, 1.0), detected=False)
    guess = answers.guess(nested(answered, case.arena.folds).chances[case.scored])
    p = answers.p(guess, case.chance(purpose), min(case.draws, 199))
    excess = stats.stretched(*answers.advantage(guess))
    return Trial(excess, detected=protocol.combined(found.p, p) <= LEVEL)
