"""
How the gates that were asked for end: each on every audit and every attribute that it speaks of.

The increase of E against a baseline fails where its one-sided 95 % lower bound lies above the limit, passes where the
upper bound lies at or under it and the controls of the new audit hold, and is open otherwise. Rows that both scored are
paired. An audit set against itself says nothing, and stays open; so does a difference that unlike attackers may have
made.
"""

from collections.abc import Sequence
from dataclasses import replace

from leakaudit import audits, gate, joining
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.comparison.comparing import Increase, Side, comparable, elsewhere, increase
from leakaudit.gate import Ask, Past
from leakaudit.joining import Given


def check(asks: Sequence[Ask], given: Sequence[Given]) -> None:
    """
    Refuse gates that can decide nothing of these audits.

    Raises:
        InputError: a gate speaks of no attribute, its limit is at or under guessing, or its baseline speaks of
            something else.
    """
    gate.check(asks, {part.private: len(part.classes) for audit, _ in given for part in audit.attributes})
    for audit, _ in given:
        for part in audit.attributes:
            gate.check([ask for ask in asks if ask.speaks_of(part.private)], {part.private: len(part.classes)})
            gate.check_past(asks, {part.private: part.classes}, part.target)


def judge(asks: Sequence[Ask], given: Sequence[Given]) -> tuple[Gate, ...]:
    """
    Every gate on every attribute that it speaks of; of several audits, the reason begins with the subject's name.

    A baseline that stands among other audits is not asked whether it rose; where there is no other, it is, and stays
    open: a gate that was asked for is never left without an end.
    """
    made = []
    for ask in asks:
        own = [bool(ask.past and _seals(audit) & _seals(ask.past.audit)) for audit, _ in given]
        for (audit, rows), itself in zip(given, own, strict=True):
            if itself and not all(own):
                continue
            for part in audit.attributes:
                if ask.speaks_of(part.private):
                    side = Side(audit, part, (rows or {}).get(part.private))
                    judged = _against(ask, ask.past, side) if ask.past else gate.judge(ask, part, audit)
                    name = f"{audit.name}: " if len(given) > 1 else ""
                    made.append(replace(judged, reason=f"{name}{judged.reason}"))
    return tuple(made)


def _seals(audit: Audit) -> set[str]:
    """The sha256 of the documents that the audit was read from."""
    return set(audits.sources(audit))


def _against(ask: Ask, past: Past, later: Side) -> Gate:
    """How an increase against the baseline ended, for one attribute."""
    name = later.attribute.private
    before = past.attribute(name)
    if before is None or not comparable(before, later.attribute):
        reason = f"{name}: the baseline says nothing of it, or has another target or other classes"
        return Gate(str(ask), name, ask.limit, "open", reason)
    if joining.identity(past.audit) == joining.identity(later.audit) and before.figures == later.attribute.figures:
        reason = f"{name}: the baseline is of this very model and these rows; set against itself, it says nothing"
        return Gate(str(ask), name, ask.limit, "open", reason)
    rose = increase(Side(past.audit, before, (past.rows or {}).get(name)), later)
    outcome, reason = _outcome(ask, before, later, rose, past.audit)
    on = f"on the same {rose.rows} rows" if rose.rows else "unpaired, as the rows are not known to be the same"
    reason += f", the limit is a rise of {ask.limit:g}, {on}{elsewhere(past.audit, later.audit)}"
    more = gate.would_decide(later.attribute, rose.value, ask.limit, rose.lower, rose.upper)
    if outcome == "open" and rose.lower <= ask.limit < rose.upper and more:
        reason += f"; about {more:,} rows would decide"
    if outcome == "passed":
        reason += _ceiling(before, ask.limit) * (rose.upper >= 0) + gate.beware(later.audit)
    return Gate(str(ask), name, ask.limit, outcome, reason)


def _ceiling(before: Attribute, limit: float) -> str:
    """A baseline that leaked so much that E could not rise by more than the limit: the gate could not fail."""
    value = before.figures.excess.value
    return (
        "" if 1 - value > limit else f"; beware: E of the baseline is {value:.3f}, from where no rise exceeds the limit"
    )


def _outcome(ask: Ask, before: Attribute, later: Side, rose: Increase, past: Audit) -> tuple[str, str]:
    """`passed`, `failed` or `open`, and why."""
    part, since = later.attribute, f"against {past.name} (95 %)"
    unlike = joining.lacking(before, part), joining.lacking(part, before)
    added, gone = (", ".join(names) for names in unlike)
    suites = joining.versions(past, later.audit)
    if suites[0] != suites[1]:
        added = gone = f"suite v{suites[1]} here and suite v{suites[0]} in the baseline"
    if not rose.bounded:
        return "open", f"{part.private}: too few groups for bounds of how E changed {since}"
    if rose.lower > ask.limit:
        reason = f"{part.private}: E rose by at least {gate.apart(rose.lower, ask.limit, 3)} {since}"
        return ("open", f"{reason}, but read by unlike attackers ({added})") if added else ("failed", reason)
    if rose.upper > ask.limit:
        return "open", f"{part.private}: E changed by {_signed(rose.lower)} to {_signed(rose.upper)} {since}"
    most = gate.apart(rose.upper, ask.limit, 3)
    change = f"rose by at most {most}" if rose.upper >= 0 else f"fell by at least {-rose.upper:.3f}"
    reason = f"{part.private}: E {change} {since}"
    doubts = gate.doubt(part, later.audit.suite)
    if doubts or gone:
        return "open", f"{reason}, but {doubts or f'read by unlike attackers ({gone})'}"
    return "passed", reason


def _signed(figure: float) -> str:
    return f"{figure:+.3f}".replace("-", "\N{MINUS SIGN}") if round(figure, 3) else "0.000"
