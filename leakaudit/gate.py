"""
Gates: what CI asked for, and how it ended.

A gate on private-class accuracy fails when the nested winner's lower bound lies above the limit, passes when the
largest upper bound of any attacker under any auxiliary lies at or under it and the controls hold, and is open
otherwise. Gating on the point or on the lower bound would reward small test sets.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from leakaudit import catalog
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.errors import InputError
from leakaudit.finding import Figures
from leakaudit.protocol import IN_PART
from leakaudit.verdict import HOPELESS, needed

Kind = Literal["max-private-accuracy", "max-excess"]


class Ask(NamedTuple):
    """One gate as it was asked for."""

    kind: Kind
    private: str | None
    """None: every private attribute."""
    limit: float

    def __str__(self) -> str:
        """The way it is typed."""
        return f"--{self.kind} {f'{self.private}=' if self.private else ''}{self.limit:g}"


def parse(kind: Kind, text: str) -> Ask:
    """
    `T` or `NAME=T` as a gate.

    Raises:
        InputError: T is not a number between 0 and 1.
    """
    name, equals, number = text.rpartition("=")
    try:
        limit = float(number)
    except ValueError as error:
        raise InputError(f"--{kind} {text}: T or NAME=T expected, with T between 0 and 1") from error
    if not 0 <= limit <= 1 or (equals and not name):
        raise InputError(f"--{kind} {text}: T or NAME=T expected, with T between 0 and 1")
    return Ask(kind, name or None, limit)


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
            if ask.kind == "max-private-accuracy" and ask.private in (None, name) and ask.limit <= 1 / count:
                guessing = f"guessing already names {100 / count:.1f} % of {count} classes"
                raise InputError(f"{ask}: {name}: a limit above {1 / count:g} expected, because {guessing}")


def judge(asks: Sequence[Ask], audits: Iterable[Audit]) -> tuple[Gate, ...]:
    """
    Every gate on every attribute that it speaks of.

    Raises:
        InputError: a gate speaks of no attribute, or its limit is at or under guessing.
    """
    audits = list(audits)
    attributes = [attribute for audit in audits for attribute in audit.attributes]
    check(asks, {attribute.private: len(attribute.classes) for attribute in attributes})
    return tuple(
        _judge(ask, attribute, audit.suite)
        for ask in asks
        for audit in audits
        for attribute in audit.attributes
        if ask.private in (None, attribute.private)
    )


def exit_status(gates: Sequence[Gate], *, open_passes: bool) -> int:
    """1 where a gate failed, else 3 where one stayed open (unless that is let pass), else 0."""
    outcomes = {gate.outcome for gate in gates}
    if "failed" in outcomes:
        return 1
    return 3 if "open" in outcomes and not open_passes else 0


def summarise(gates: Sequence[Gate]) -> str:
    """The reason of the worst gate, in words, for the last line."""
    for outcome, words in (("failed", "gate failed"), ("open", "inconclusive"), ("passed", "gate passed")):
        for gate in gates:
            if gate.outcome == outcome:
                return f"{words}: {gate.reason}"
    return "measured; no gate asked"


def _judge(ask: Ask, attribute: Attribute, suite: str) -> Gate:
    accuracy = ask.kind == "max-private-accuracy"
    lower, upper = _bounds(attribute, accuracy=accuracy)
    more = None
    known = _known(attribute) if accuracy else 0.0
    if lower > ask.limit and known > ask.limit:
        outcome, reason = "open", f"{attribute.private}: the target alone names {_show(known, accuracy)} on these rows"
    elif lower > ask.limit:
        outcome, reason = "failed", f"{attribute.private} is read at {_show(lower, accuracy)} or more (95 %)"
    elif upper <= ask.limit and not (doubts := _doubts(attribute, suite)):
        outcome, reason = "passed", f"{attribute.private} is read at {_show(upper, accuracy)} at most (95 %)"
    elif upper <= ask.limit:
        outcome, reason = "open", f"{attribute.private}: no absence can be concluded, because {doubts}"
    else:
        outcome, more = "open", _more(attribute, ask.limit, lower, upper, accuracy=accuracy)
        reason = f"{attribute.private} is read at {_show(lower, accuracy)} to {_show(upper, accuracy)} (95 %)"
    reason += f", the limit is {_show(ask.limit, accuracy)}"
    if more:
        reason += f"; about {more:,} rows would decide"
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


def _more(attribute: Attribute, limit: float, lower: float, upper: float, *, accuracy: bool) -> int | None:
    """Rows at which the bound on the limit's side would have shrunk to it; None where that is out of reach."""
    value = (attribute.figures.private_accuracy if accuracy else attribute.figures.excess).value
    reach = max(value - lower, 0.0) if value > limit else max(upper - value, 0.0)
    steps = reach / max(abs(value - limit), 1e-9)
    doubled = attribute.rows.scheme.startswith("cross-fit")
    return needed(attribute.rows.rows, steps, doubled=doubled) if 1 <= steps**2 <= HOPELESS else None


def _doubts(attribute: Attribute, suite: str) -> str:
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
    return f"{', '.join(loose)} did not converge" if loose else ""


def _show(figure: float, accuracy: bool) -> str:  # noqa: FBT001 (the unit)
    return f"{100 * figure:.1f} %" if accuracy else f"E {figure:.3f}"
