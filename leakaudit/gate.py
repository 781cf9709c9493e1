"""
Gates: what CI asked for, and how it ended.

A gate on private-class accuracy fails when the nested winner's lower bound lies above the limit, passes when the
largest upper bound of any attacker under any auxiliary lies at or under it and the controls hold, and is open
otherwise. Gating on the point or on the lower bound would reward small test sets. A gate on the increase against a
baseline is judged in `judging`, which knows how two audits are compared.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from leakaudit import catalog
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.errors import InputError, spelt
from leakaudit.finding import Figures
from leakaudit.outcomes import Outcomes
from leakaudit.protocol import IN_PART, LARGEST_MDE
from leakaudit.verdict import HOPELESS, needed

Kind = Literal["max-private-accuracy", "max-excess", "max-increase"]


MOST = 9
"""Digits beyond which nothing is told apart."""
TOLERANCE = 0.10
"""Tau where nobody says one; smaller plants are asked of no gate."""
CLOSE = 1e-9


class Past(NamedTuple):
    """The audit that `--baseline` names, as it was when the command began."""

    typed: str
    audit: Audit
    rows: Mapping[str, Outcomes] | None

    def attribute(self, private: str) -> Attribute | None:
        """What it holds of that name."""
        return next((part for part in self.audit.attributes if part.private == private), None)


class Ask(NamedTuple):
    """One gate as it was asked for."""

    kind: Kind
    private: str | None
    """None: every private attribute."""
    limit: float
    past: Past | None = None
    """What an increase is measured against; None for the other kinds."""

    def __str__(self) -> str:
        """The way it is typed."""
        against = f" --baseline {self.past.typed}" if self.past else ""
        return f"--{self.kind} {f'{self.private}=' if self.private else ''}{self.limit:g}{against}"

    def speaks_of(self, private: str) -> bool:
        """Whether it is about that attribute."""
        return self.private in (None, private)


def parse(kind: Kind, text: str, past: Past | None = None) -> Ask:
    """
    `T` or `NAME=T` as a gate; `past` is what an increase is measured against.

    Raises:
        InputError: T is no number from 0 to below 1, which nothing exceeds.
    """
    name, equals, number = text.rpartition("=")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < 1 or (equals and not name):
        raise InputError(f"--{kind} {text}: T or NAME=T expected, with T between 0 and 1 (nothing exceeds 1)")
    return Ask(kind, name or None, abs(limit), past)


def check(asks: Sequence[Ask], classes: Mapping[str, int]) -> None:
    """
    Refuse a gate that can decide nothing, before anything is computed; `classes` is how many each attribute has.

    Raises:
        InputError: the gate names an attribute that is not attacked, or its limit is at or under guessing.
    """
    for ask in asks:
        if ask.private is not None and ask.private not in classes:
            raise InputError(f"{ask}: {ask.private!r} is not attacked. {catalog.suggest(ask.private, classes)}")
        for name, count in classes.items():
            if ask.kind == "max-private-accuracy" and ask.speaks_of(name) and ask.limit <= 1 / count:
                guessing = f"guessing already names {100 / count:.1f} % of {count} classes"
                raise InputError(f"{ask}: {name}: a limit above {1 / count:g} expected, because {guessing}")


def check_past(asks: Sequence[Ask], classes: Mapping[str, tuple[str, ...]], target: str | None) -> None:
    """
    Refuse a baseline that speaks of something else; `classes` are those of each attribute, none where not yet known.

    Raises:
        InputError: it lacks an attribute, or has it with another target or other classes.
    """
    for ask in asks:
        if ask.past is None:
            continue
        held = [part.private for part in ask.past.audit.attributes]
        for name in filter(ask.speaks_of, classes):
            part = ask.past.attribute(name)
            if part is None:
                raise InputError(f"{ask}: the baseline has no attribute {name!r}. {catalog.suggest(name, held)}")
            if part.target != target:
                raise InputError(f"{ask}: {name}: the baseline's target is {part.target!r}, here it is {target!r}")
            if classes[name] and part.classes != classes[name]:
                there, here = (spelt(", ".join(names)) for names in (part.classes, classes[name]))
                raise InputError(f"{ask}: {name}: the baseline's classes are {there}; here they are {here}")


def exit_status(gates: Sequence[Gate], *, open_passes: bool) -> int:
    """1 where a gate failed, else 3 where one stayed open (unless that is let pass), else 0."""
    outcomes = {gate.outcome for gate in gates}
    if "failed" in outcomes:
        return 1
    return 3 if "open" in outcomes and not open_passes else 0


def summarise(gates: Sequence[Gate], *, open_passes: bool = False, audits: int = 1) -> str:
    """The reason of the worst gate, in words, for the last line, and how many others ended as it did."""
    let = "inconclusive, let pass" if open_passes else "inconclusive"
    for outcome, words in (("failed", "gate failed"), ("open", let), ("passed", "gate passed")):
        alike = [gate.reason for gate in gates if gate.outcome == outcome]
        if alike:
            more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
            return f"{words}: {alike[0]}{more}"
    return f"{f'{audits} audits side by side' if audits > 1 else 'measured'}; no gate asked"


def judge(ask: Ask, attribute: Attribute, audit: Audit) -> Gate:
    """How a gate on what is read ended, for one attribute."""
    assert ask.kind != "max-increase", "an increase is judged where two audits are compared"
    accuracy = ask.kind == "max-private-accuracy"
    lower, upper = _bounds(attribute, accuracy=accuracy)
    more = None
    known = _known(attribute) if accuracy else 0.0
    doubts = doubt(attribute, audit.suite) or _coarse(ask, attribute)

    def show(figure: float) -> str:
        return f"{apart(100 * figure, 100 * ask.limit, 1)} %" if accuracy else f"E {apart(figure, ask.limit, 3)}"

    if lower > ask.limit and known > ask.limit:
        outcome, reason = "open", f"{attribute.private}: the target alone names {show(known)} on these rows"
    elif lower > ask.limit:
        outcome, reason = "failed", f"{attribute.private} is read at {show(lower)} or more (95 %)"
    elif upper <= ask.limit and not doubts:
        outcome, reason = "passed", f"{attribute.private} is read at {show(upper)} at most (95 %)"
    elif upper <= ask.limit:
        outcome, reason = "open", f"{attribute.private}: no absence can be concluded, because {doubts}"
    else:
        outcome, more = "open", _more(attribute, ask.limit, lower, upper, accuracy=accuracy)
        reason = f"{attribute.private} is read at {show(lower)} to {show(upper)} (95 %)"
    reason += f", the limit is {show(ask.limit)}"
    if more:
        reason += f"; about {more:,} rows would decide"
    if outcome == "passed":
        reason += beware(audit)
    return Gate(str(ask), attribute.private, ask.limit, outcome, reason)


def _bounds(attribute: Attribute, *, accuracy: bool) -> tuple[float, float]:
    """The nested winner's lower bound, and the largest upper bound of any attacker, a decoder among them."""
    winners, everyone = [attribute.figures], [finding.figures for finding in attribute.findings]
    if attribute.reconstruction is not None:
        winners.append(attribute.reconstruction.private)
    everyone += winners

    def low(figures: Figures) -> float:
        return figures.private_lower if accuracy else figures.lower

    def high(figures: Figures) -> float:
        return figures.private_upper if accuracy else figures.upper

    upper = max(map(high, everyone))
    return max(map(low, winners)), upper if accuracy else max(upper, attribute.upper)


def _known(attribute: Attribute) -> float:
    """Private-class accuracy of knowing the target alone: above guessing where (target, private) cells are empty."""
    figures = [each.figures for each in attribute.baselines if each.baseline == "target-only"]
    return max((each.private_accuracy.value for each in figures if each is not None), default=0.0)


def beware(audit: Audit) -> str:
    """What must be read before an absence is believed: the model hardly does its own task, or has seen the rows."""
    return f"; beware: {audit.warnings[0]}" if audit.warnings else ""


def _more(attribute: Attribute, limit: float, lower: float, upper: float, *, accuracy: bool) -> int | None:
    """Rows at which the bound on the limit's side would have shrunk to it; None where that is out of reach."""
    value = (attribute.figures.private_accuracy if accuracy else attribute.figures.excess).value
    return would_decide(attribute, value, limit, lower, upper)


def would_decide(attribute: Attribute, value: float, limit: float, lower: float, upper: float) -> int | None:
    """About how many rows would bring the bound of a value down to the limit; None where that is out of reach."""
    reach = max(value - lower, 0.0) if value > limit else max(upper - value, 0.0)
    steps = reach / max(abs(value - limit), 1e-9)
    doubled = attribute.rows.scheme.startswith("cross-fit")
    return needed(attribute.rows.rows, steps, doubled=doubled) if 1 <= steps**2 <= HOPELESS else None


def doubt(attribute: Attribute, suite: str) -> str:
    """Why a low bound is no absence; the papers' attacker, which stops where its schedule ends, raises no doubt."""
    failed = [control.control for control in attribute.controls if control.passed is False]
    planted = any(control.passed for control in attribute.controls if control.control.startswith("planted"))
    loose = [
        f"{finding.attacker}/{finding.auxiliary}"
        for finding in attribute.findings
        if not finding.converged and finding.auxiliary != "paper"
    ]
    if not attribute.findings:
        return "no attacker of the suite was run"
    if suite.endswith(IN_PART):
        return f"suite v{suite.removesuffix(IN_PART)} was run only in part"
    if failed:
        return f"the control {', '.join(failed)} failed"
    if not planted:
        return "no leak could be planted"
    if attribute.mde > LARGEST_MDE:
        return f"the rows are too few: the smallest detectable E is {attribute.mde:.2f}"
    return f"{', '.join(loose)} did not converge" if loose else ""


def _coarse(ask: Ask, attribute: Attribute) -> str:
    """Why plants that were found say little of this limit: a loose `--tolerance` made them larger than twice it."""
    chance = 1 / len(attribute.classes) if ask.kind == "max-private-accuracy" else 0.0
    wanted = 2 * max((ask.limit - chance) / (1 - chance), TOLERANCE)
    largest = max((each.size for each in attribute.controls if each.size is not None), default=0.0)
    if largest <= wanted + CLOSE:
        return ""
    return (
        f"the planted leaks that were found have E {largest:.2f}; a --tolerance of {wanted / 2:.2f} plants smaller ones"
    )


def apart(figure: float, limit: float, digits: int) -> str:
    """A figure with digits enough not to be taken for a limit that it is not; the limit itself with all it has."""
    wanted = next((more for more in range(digits, MOST + 1) if _differ(figure, limit, more)), digits)
    return f"{figure:.{wanted}f}"


def _differ(figure: float, limit: float, digits: int) -> bool:
    if figure == limit:
        return abs(round(figure, digits) - figure) <= 10.0**-MOST / 2
    return round(figure, digits) != round(limit, digits)
