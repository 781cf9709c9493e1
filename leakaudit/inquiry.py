"""
Everything that is asked about one private attribute, before a verdict is spoken.

The attackers with each auxiliary distribution, the papers' own attacker, the baselines, the controls.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int64

from leakaudit import baselines, controls, protocol
from leakaudit.attackers import Question, Rows
from leakaudit.baselines import KINDS
from leakaudit.contest import Answer, Ask, Case, Codes, Entrant, compete, nested
from leakaudit.finding import Baseline, Control, Figures, Finding, Sensitivity
from leakaudit.numerics.moments import moments
from leakaudit.protocol import DECIDING
from leakaudit.scoring import Answers
from leakaudit.stats import Table

FEWEST = 20
"""Rows below which no attacker is asked."""


@dataclass(frozen=True)
class Paper:
    """Training rows under the papers' colouring, and the papers' attacker."""

    rows: Rows
    labels: Codes
    attacker: Entrant


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked."""

    case: Case
    attackers: tuple[Entrant, ...]
    readers: tuple[Entrant, ...]
    """Attackers of the baselines."""
    auxiliaries: tuple[str, ...]
    table: Table | None
    """Training (y, v) counts for `matched`; None: rows as they came."""
    paper: Paper | None
    features: Mapping[str, Float32[np.ndarray, "n p"] | str]
    """For each of `baselines.KINDS` the features of the same rows, or why there are none."""
    tolerance: float

    @property
    def deciding(self) -> tuple[Entrant, ...]:
        """Attackers whose findings may decide."""
        return tuple(each for each in self.attackers if each.decides)

    @property
    def feasible(self) -> bool:
        """Whether every attacker would see two private classes."""
        case = self.case
        return len(case.private) >= FEWEST and all(
            len(np.unique(case.private[fold.train])) > 1 and len(fold.validation) and len(fold.test)
            for fold in case.arena.folds
        )

    def steps(self) -> int:
        """The most words that `inquire` yields."""
        if not self.feasible:
            return 1
        folds, known = len(self.case.arena.folds), moments(self.case.arena.z)
        read = sum(not isinstance(self.features[kind], str) for kind in KINDS)
        own = folds * (len(self.attackers) + read * len(self.readers)) + (self.paper is not None)
        return own + controls.steps(self.case, known, self.deciding, self.tolerance)


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What was found about one private attribute."""

    plan: Plan
    answers: Answers
    guess: Codes
    """Of the nested winner, on the scored rows."""
    figures: Figures
    p: float
    upper: float
    """UCB*."""
    winner: str
    winners: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    controls: tuple[Control, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    guesses: Mapping[str, Codes] = field(default_factory=dict)
    """`attacker/auxiliary` to guesses on the scored rows."""

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


def inquire(plan: Plan) -> Generator[str, None, Inquiry]:
    """Ask everything of `plan`; yields a word for each finished part."""
    case, answers = plan.case, plan.case.answers()
    floor = baselines.constants(case)
    if not plan.feasible:
        guess = answers.majority[answers.target]
        yield "too few rows to attack"
        figures = answers.figures(guess)
        return Inquiry(
            plan=plan, answers=answers, guess=guess, figures=replace(figures, upper=1.0, private_upper=1.0),
            p=1.0, upper=1.0, winner="none", winners=(), baselines=floor,
        )  # fmt: skip
    shuffles = controls.shuffles(case)
    asked = [name for name in protocol.AUXILIARIES if name != "paper" and name in {DECIDING, *plan.auxiliaries}]
    asks = [Ask(case.private, case.classes, name, plan.table) for name in asked]
    answered = yield from compete(case.arena, plan.attackers, [*asks, *shuffles])
    findings, guesses = _findings(plan, answers, asked, answered)
    deciding = {each.name: answered[asked.index(DECIDING)][each.name] for each in plan.deciding}
    best = nested(deciding, case.arena.folds)
    chances = best.chances[case.scored]
    guess = answers.guess(chances)
    figures = answers.figures(guess, chances)
    if plan.paper is not None:
        findings.append(_paper(plan, plan.paper))
        yield "the papers' own protocol"
    others = []
    for kind in KINDS:
        found = yield from baselines.contested(case, kind, plan.features[kind], plan.readers)
        others.append(found)
    control = [controls.shuffled(case, shuffles, answered[len(asked) :])]
    grown, sensitivity = yield from controls.planted(case, moments(case.arena.z), plan.deciding, plan.tolerance)
    return Inquiry(
        plan=plan,
        answers=answers,
        guess=guess,
        figures=figures,
        p=answers.p(guess, case.chance("p"), case.draws),
        upper=max(figures.upper, *(each.figures.upper for each in findings if each.decides)),
        winner=best.winner,
        winners=best.winners,
        findings=tuple(findings),
        baselines=(*floor, *others),
        controls=(*control, *grown, _converged(findings)),
        sensitivity=sensitivity,
        guesses=guesses,
    )


def _findings(
    plan: Plan, answers: Answers, asked: Sequence[str], answered: Sequence[dict[str, Answer]]
) -> tuple[list[Finding], dict[str, Codes]]:
    findings, guesses = [], {}
    for name, answer in zip(asked, answered, strict=False):
        as_came = ("no training table is known: rows as they came",) if name == "matched" and plan.table is None else ()
        for each in plan.attackers:
            chances = answer[each.name].chances[plan.case.scored]
            guess = answers.guess(chances)
            guesses[f"{each.name}/{name}"] = guess
            decides = each.decides and name == DECIDING
            notes = (*as_came, *answer[each.name].notes)
            # Bits bring guesses back from rows weighted evenly inside a target class; others carry a prior already.
            figures = answers.figures(guess, chances if name == DECIDING else None)
            findings.append(Finding(each.name, name, decides, answer[each.name].converged, figures, notes))
    return findings, guesses


def _paper(plan: Plan, paper: Paper) -> Finding:
    """The papers' attacker, trained on training rows as they come and scored on all attack rows; never decides."""
    case = plan.case
    everything: Int64[np.ndarray, " n"] = np.arange(len(case.private))
    question = Question(paper.labels, np.ones(len(paper.labels), np.float32), case.classes)
    unseen = case.arena.rows(everything)
    guesses = paper.attacker.attack(paper.rows, unseen, (question,), seed=case.arena.seed, device=case.arena.device)[0]
    group = case.arena.group if case.grouped else None
    answers = Answers(
        case.arena.target, case.private, case.arena.strata, case.classes, group, doubled=False, seed=case.arena.seed,
        usual=case.usual,
    )  # fmt: skip
    guess = answers.guess(guesses.probabilities, restricted=False)
    notes = (f"trained on {len(paper.rows):,} training rows, scored on all attack rows", *guesses.notes)
    return Finding(paper.attacker.name, "paper", False, guesses.converged, answers.figures(guess), notes)


def _converged(findings: Sequence[Finding]) -> Control:
    deciding = [each for each in findings if each.decides]
    loose = [each.attacker for each in deciding if not each.converged]
    note = f"{len(deciding) - len(loose)} of {len(deciding)} deciding attackers converged"
    return Control("converged", not loose, None, (), 0, f"{note}; not: {', '.join(loose)}" if loose else note)
