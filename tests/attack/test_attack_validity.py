"""
The fast form of the validity simulation: false alarms, bounds and power of both tests together.

The attackers are a centroid rule and a pooled coin, so that hundreds of replicates take seconds;
`tests/benchmarks/validity.py` runs the suite's own.
"""

from typing import NamedTuple

import numpy as np
import pytest

from leakaudit import protocol
from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.inquest import detection
from leakaudit.inquest.arena import Arena, Ask, Case
from leakaudit.inquest.contest import Entrant, compete, nested

REPLICATES = 120
SPREAD = 2 * np.sqrt(0.05 * 0.95 / REPLICATES)
"""Two standard errors of a rate of 5 %."""


def centroid(
    seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str, per_target: bool = False
) -> list[Guesses]:
    """Two classes by the nearer weighted mean, of all rows or inside each target class."""
    del seed, device
    said = []
    for question in questions:
        second = np.zeros(len(unseen), bool)
        for y in range(seen.strata):
            inside = seen.target == y if per_target else np.ones(len(seen), bool)
            parts = [inside & (question.labels == c) for c in (0, 1)]
            if not all(part.any() for part in parts):
                continue
            low, high = (np.average(seen.z[part], axis=0, weights=question.weights[part]) for part in parts)
            here = unseen.target == y
            second[here] = (unseen.z[here] - (low + high) / 2) @ (high - low) > 0
        said.append(Guesses(np.stack([~second, second], axis=1).astype(np.float32), True, ()))
    return said


def per_target(seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str) -> list[Guesses]:
    """The centroid rule of each target class."""
    return centroid(seen, unseen, questions, seed=seed, device=device, per_target=True)


ATTACKERS = [Entrant("centroid", centroid, True), Entrant("per-target", per_target, True)]


class Found(NamedTuple):
    """One replicate: p, whether the two-sided interval holds the truth 0, LCB and UCB*."""

    p: float
    covers: bool
    lower: float
    upper: float


def replicate(world: str, seed: int, leak: float = 0.0, rows: int = 400) -> Found:
    """Eight Gaussian components, the target in the first, the leak in the second."""
    rng = np.random.default_rng(seed)
    units = 200 if world == "clustered" else rows
    unit = np.arange(rows) % units
    target = rng.integers(0, 2, units)
    private = (rng.random(units) < (0.2 if world == "skewed" else 0.5)).astype(np.int64)
    if world == "confounded":
        private = np.where(rng.random(units) < 0.85, target, 1 - target)
    z = rng.standard_normal((units, 8))[unit] + (rng.standard_normal((rows, 8)) if world == "clustered" else 0)
    target, private = target[unit], private[unit]
    z[:, 0] += 3 * target
    z[:, 1] += leak * private
    group = unit if world == "clustered" else np.arange(rows)
    folds = protocol.folds(target, private[None], group, protocol.chance(world, seed, "folds"))
    arena = Arena(z.astype(np.float32), target, 2, group, folds, seed, "cpu")
    case = Case("v", arena, private, 2, grouped=world == "clustered", usual=None, fingerprint=f"{seed}", draws=199)
    contest = compete(arena, ATTACKERS, [Ask(private, 2)])
    while True:
        try:
            next(contest)
        except StopIteration as end:
            (answered,) = end.value
            break
    answers = case.answers()
    guess = answers.guess(nested(answered, folds).chances[case.scored])
    figures = answers.figures(guess)
    upper = [answers.figures(answers.guess(each.chances[case.scored])).upper for each in answered.values()]
    covers = figures.excess.low <= 0 <= figures.excess.high
    (permuted,) = detection.refitted(arena, [private], [2], 200, grouped=case.grouped)
    p = protocol.combined(permuted.p, answers.p(guess, case.chance("p"), case.draws))
    return Found(p, covers, figures.lower, max(upper))


@pytest.mark.parametrize(
    "world",
    ["plain", "skewed", *(pytest.param(world, marks=pytest.mark.slow) for world in ("confounded", "clustered"))],
)
def test_nothing_is_rarely_taken_for_something(world: str) -> None:
    """Detected in at most 7 % of nulls, LEAK at .05 in at most 2 %, the interval covers 0 in 93 %: each + 2 SE."""
    found = [replicate(world, seed) for seed in range(REPLICATES)]
    assert np.mean([each.p <= 0.05 for each in found]) <= 0.07 + SPREAD
    assert np.mean([each.p <= 0.05 and each.lower > 0.05 for each in found]) <= 0.02 + SPREAD
    assert np.mean([each.covers for each in found]) >= 0.93 - SPREAD
    assert np.mean([each.upper < 0 for each in found]) <= 0.08 + SPREAD


@pytest.mark.parametrize("world", ["plain", "confounded"])
def test_something_is_found(world: str) -> None:
    """One deviation between the classes, E = .38 by Bayes, is detected in 9 of 10 replicates of 400 rows."""
    assert np.mean([replicate(world, seed, leak=1.0).p <= 0.05 for seed in range(30)]) >= 0.9


def test_from_20000_rows_one_split_is_scored_by_permutation() -> None:
    """The split finds E = .12 with the smallest p that 200 permutations allow, and nothing where there is nothing."""
    leaky = replicate("confounded", 0, leak=0.3, rows=20_000)
    assert leaky.p <= 1 / 200 / protocol.SHARE_H
    assert leaky.lower > 0.03
    nothing = [replicate("confounded", seed, rows=20_000) for seed in range(4)]
    assert sum(each.p <= 0.01 for each in nothing) == 0
    # MDE of 6,000 scored rows of which 15 % disagree: .064
    assert all(-0.07 < each.lower <= 0.03 for each in nothing)
