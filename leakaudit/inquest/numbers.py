"""
Continuous private attributes guessed as numbers, beside the quantile bins that decide.

By ridge regression, and by the perceptron's distribution over twenty bins, read as a mean and as a median.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from leakaudit import stats
from leakaudit.finding import Regression
from leakaudit.inquest.arena import Arena, Ask, Case, Chances
from leakaudit.inquest.contest import Entrant, compete, saying
from leakaudit.numerics import regression

BINS = 20
BY = "mlp"
"""The attacker whose distribution over bins is read."""


def regress(
    arena: Arena, cases: Sequence[Case], readers: Sequence[Entrant]
) -> Generator[str, None, dict[str, tuple[Regression, ...]]]:
    """Per continuous attribute how near the guesses come, by each attacker that names numbers."""
    found = {}
    for case in cases:
        if case.values is None:
            continue
        asked = [each for each in readers if each.name == BY]
        codes, middles = regression.quantiles(case.values[case.known], BINS)
        labels = np.full(len(case.values), -1)
        labels[case.known] = codes
        ask = Ask(labels, len(middles))
        answered = yield from saying(f"{case.name} as a number", compete(arena, asked, [ask]))
        chances = {name: answer.chances for name, answer in answered[0].items()}
        found[case.name] = _figures(case, labels, middles, chances)
    return found


def _figures(
    case: Case, labels: np.ndarray, middles: np.ndarray, chances: dict[str, Chances]
) -> tuple[Regression, ...]:
    arena, values = case.arena, case.values
    assert values is not None
    said = {name: np.zeros((2, len(values))) for name in ("ridge", *chances)}
    usual = np.zeros((2, len(values)))
    for fold in arena.folds:
        seen, test = (part[case.known[part]] for part in (fold.seen, fold.test))
        known = arena.target[seen], values[seen]
        own = regression.usual(*known, arena.strata)
        usual[:, test] = own.mean[arena.target[test]], own.median[arena.target[test]]
        said["ridge"][:, test] = regression.predict(
            arena.x[seen], *known, arena.group[seen], arena.x[test], arena.target[test],
            strata=arena.strata, seed=arena.seed, variance=arena.moments.basis.variance,
        )  # fmt: skip
        table = stats.tabulate(arena.target[seen], labels[seen], arena.strata, len(middles))
        for name, chance in chances.items():
            said[name][:, test] = regression.read(chance[test], middles, arena.target[test], table)
    rows = case.scored
    if np.ptp(values[rows] - usual[0][rows]) == 0:
        return ()
    answers = replace(case.answers(labels), classes=len(middles), usual=None)
    bits = {name: answers.bits(chance[rows]) for name, chance in chances.items()}
    truth = values[rows], usual[0][rows], usual[1][rows], answers.group
    return tuple(
        regression.score(
            name, mean[rows], median[rows], *truth, seed=arena.seed, doubled=answers.doubled, bits=bits.get(name)
        )
        for name, (mean, median) in said.items()
    )
