"""
Everything that is asked about the private attributes, before a verdict is spoken.

The attackers with each auxiliary distribution, the papers' own attacker, the permutation test, the baselines, the
controls, and how many labels it takes. All attributes are asked together: they are so many more questions.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64, Int64

from leakaudit import protocol
from leakaudit.attackers import Question
from leakaudit.finding import Baseline, Control, Figures, Finding, Learned, Regression, Sensitivity
from leakaudit.inquest import baselines, controls, detection, learning
from leakaudit.inquest.arena import Case, Codes
from leakaudit.inquest.baselines import KINDS, Reached
from leakaudit.inquest.contest import Answer, Nested, compete, nested
from leakaudit.inquest.numbers import regress
from leakaudit.inquest.questions import Paper, Plan, feasible
from leakaudit.inquest.repeats import repeats
from leakaudit.numerics.permutation import Permuted
from leakaudit.protocol import DECIDING
from leakaudit.scoring import Answers


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What was found about one private attribute."""

    case: Case
    tolerance: float
    answers: Answers
    guess: Codes
    """Of the nested winner, on the scored rows."""
    figures: Figures
    p: float
    """Of both tests together, before Holm's correction over attributes."""
    nested: float
    """p of the nested winner (I)."""
    refitted: Permuted | None
    """The permutation test (H); None where nothing was asked."""
    upper: float
    """UCB*."""
    winner: str
    winners: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    controls: tuple[Control, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    learning: tuple[Learned, ...] = ()
    numbers: tuple[Regression, ...] = ()
    """Of a continuous attribute."""
    seeds: tuple[float, ...] = ()
    """E of the nested winner with further attack seeds."""
    gains: Float64[np.ndarray, " scored"] | None = None
    """What the nested winner tells of each scored row, in bits; None where nothing was asked."""
    guesses: Mapping[str, Codes] = field(default_factory=dict)
    """Of every finding, on the scored rows."""
    beside: Mapping[str, Codes] = field(default_factory=dict)
    """Of every baseline that was contested, on the scored rows."""

    @property
    def unconverged(self) -> tuple[str, ...]:
        """Deciding attackers that did not converge."""
        return tuple(each.attacker for each in self.findings if each.decides and not each.converged)

    @property
    def failed(self) -> tuple[str, ...]:
        """Controls that failed, in words; attackers that did not converge stand in `unconverged`."""
        broken = [each for each in self.controls if each.passed is False and each.control != "converged"]
        words = [spell(each) for each in broken]
        if not any(each.size is not None and each.passed is not None for each in self.controls):
            words.append("no leak could be planted")
        return tuple(words)

    @property
    def alarm(self) -> str:
        """The shuffled control in words, where it failed."""
        return next((spell(each) for each in self.controls if each.control == "shuffled" and not each.passed), "")


def spell(control: Control) -> str:
    """A control that failed, in words."""
    return f"control {control.control} failed ({control.note})"


def inquire(plan: Plan) -> Generator[str, None, dict[str, Inquiry]]:
    """Ask everything of `plan`; yields a word for each finished part."""
    found = {case.name: _unasked(case, plan) for case in plan.cases if not feasible(case)}
    cases, arena = plan.feasible, plan.arena
    if not cases:
        yield "too few rows to attack"
        return found
    asks, shuffles = plan.asks(), controls.shuffles(plan.hardest)
    answered = yield from compete(arena, plan.attackers, [*asks, *shuffles])
    every = len(plan.asked)
    own = [dict(zip(plan.asked, answered[i * every : (i + 1) * every], strict=True)) for i in range(len(cases))]
    permuted = detection.detected(arena, cases, protocol.refits(len(plan.cases)))
    yield "permutations refitted"
    best = [nested({each.name: answer[DECIDING][each.name] for each in plan.deciding}, arena.folds) for answer in own]
    others = yield from _others(plan, cases)
    control = [controls.shuffled(plan.hardest, shuffles, answered[len(asks) :])]
    grown, sensitivity = yield from controls.planted(plan.hardest, plan.deciding, plan.tolerance)
    control = _named([*control, *grown], plan)
    made = []
    for i, case in enumerate(cases):
        asked = _asked(case, plan, own[i], best[i], permuted[i])
        checks = (*control, _converged(asked.findings))
        reached = [each[i] for each in others]
        floor = (*baselines.constants(case), *(each.baseline for each in reached))
        beside = {each.baseline.baseline: each.guess for each in reached if each.guess is not None}
        made.append(replace(asked, controls=checks, sensitivity=sensitivity, baselines=floor, beside=beside))
        if case.name in plan.papers:
            yield f"{case.name}: the papers' own protocol"
    numbers = yield from regress(arena, cases, plan.readers)
    scatter = yield from repeats(cases, plan.deciding, plan.again)
    by_name = {each.name: each for each in plan.deciding}
    learned = yield from learning.curves(
        arena, cases, [by_name[each.winner] for each in made], [each.figures for each in made]
    )
    for each, curve, points in zip(made, learned, scatter, strict=True):
        named = numbers.get(each.case.name, ())
        found[each.case.name] = replace(each, learning=curve, numbers=named, seeds=points)
    return found


def _others(plan: Plan, cases: Sequence[Case]) -> Generator[str, None, list[list[Reached]]]:
    """Every kind of baseline that is contested, each for all cases."""
    arena, features = plan.arena, plan.features
    made = {}
    for kind in KINDS:
        made[kind] = yield from baselines.contested(arena, cases, kind, features[kind], plan.readers)
    made[baselines.ERASED] = yield from baselines.erased(arena, cases, plan.after)
    return list(made.values())


def _named(made: Sequence[Control], plan: Plan) -> list[Control]:
    """Controls that say of which attribute they were asked, where there are several."""
    words = "" if len(plan.cases) == 1 else f"; asked of {plan.hardest.name}, whose rows tell least"
    if plan.hardest.classes not in {case.classes for case in plan.cases}:
        words += f"; its classes merged to {plan.hardest.classes}"
    return [replace(each, note=each.note + words) for each in made]


def _unasked(case: Case, plan: Plan) -> Inquiry:
    """Too few rows: nothing was asked, and nothing is bounded."""
    answers = case.answers()
    guess = answers.majority[answers.target]
    figures = replace(answers.figures(guess), upper=1.0, private_upper=1.0)
    return Inquiry(
        case=case, tolerance=plan.tolerance, answers=answers, guess=guess, figures=figures, p=1.0, nested=1.0,
        refitted=None, upper=1.0, winner="none", winners=(), baselines=baselines.constants(case),
    )  # fmt: skip


def _asked(case: Case, plan: Plan, own: Mapping[str, dict[str, Answer]], best: Nested, permuted: Permuted) -> Inquiry:
    """One case's findings, the nested winner's figures, and both tests."""
    answers = case.answers()
    chances = best.chances[case.scored]
    guess = answers.guess(chances)
    figures = replace(answers.figures(guess, chances), tpr=answers.operating(chances, case.names))
    findings, guesses = _findings(case, plan, answers, own)
    if case.name in plan.papers:
        findings.append(_paper(case, plan.papers[case.name]))
    alone = answers.p(guess, case.chance("p"), case.draws)
    return Inquiry(
        case=case,
        tolerance=plan.tolerance,
        answers=answers,
        guess=guess,
        figures=figures,
        p=protocol.combined(permuted.p, alone),
        nested=alone,
        refitted=permuted,
        upper=max(figures.upper, *(each.figures.upper for each in findings if each.decides)),
        winner=best.winner,
        winners=best.winners,
        findings=tuple(findings),
        gains=answers.gains(chances),
        guesses=guesses,
    )


def _findings(
    case: Case, plan: Plan, answers: Answers, own: Mapping[str, dict[str, Answer]]
) -> tuple[list[Finding], dict[str, Codes]]:
    findings, guesses = [], {}
    unknown = ("no training table is known: rows as they came",)
    for name, answer in own.items():
        as_came = unknown if name == "matched" and case.name not in plan.tables else ()
        for each in plan.attackers:
            chances = answer[each.name].chances[case.scored]
            guess = answers.guess(chances)
            guesses[f"{each.name}/{name}"] = guess
            decides = each.decides and name == DECIDING
            notes = (*as_came, *answer[each.name].notes)
            # Bits bring guesses back from rows weighted evenly inside a target class; others carry a prior already.
            figures = answers.figures(guess, chances if name == DECIDING else None)
            findings.append(Finding(each.name, name, decides, answer[each.name].converged, figures, notes))
    return findings, guesses


def _paper(case: Case, paper: Paper) -> Finding:
    """The papers' attacker, trained on training rows as they come and scored on all attack rows; never decides."""
    arena = case.arena
    rows: Int64[np.ndarray, " m"] = np.flatnonzero(case.known)
    question = Question(paper.labels, np.ones(len(paper.labels), np.float32), case.classes)
    guesses = paper.attacker.attack(
        paper.rows, arena.rows(rows), (question,), seed=arena.seed, device=arena.device
    )[0]  # fmt: skip
    answers = Answers(
        arena.target[rows], case.private[rows], arena.strata, case.classes, arena.group[rows] if case.grouped else None,
        doubled=False, seed=arena.seed, usual=case.usual,
    )  # fmt: skip
    guess = answers.guess(guesses.probabilities, restricted=False)
    notes = (f"trained on {len(paper.rows):,} training rows, scored on all attack rows", *guesses.notes)
    return Finding(paper.attacker.name, "paper", False, guesses.converged, answers.figures(guess), notes)


def _converged(findings: Sequence[Finding]) -> Control:
    deciding = [each for each in findings if each.decides]
    loose = [each.attacker for each in deciding if not each.converged]
    note = f"{len(deciding) - len(loose)} of {len(deciding)} deciding attackers converged"
    return Control("converged", not loose, None, (), 0, f"{note}; not: {', '.join(loose)}" if loose else note)
