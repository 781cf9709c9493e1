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
from leakaudit.comparing import Increase, Side, comparable, increase
from leakaudit.gate import Ask, Past
from leakaudit.joining import DECODED, Given
from leakaudit.protocol import IN_PART


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

    A baseline that is one of several audits is not asked whether it rose.
    """
    made = []
    for ask in asks:
        for audit, rows in given:
            if ask.past and len(given) > 1 and _seals(audit) & _seals(ask.past.audit):
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
    reason += f", the limit is a rise of {ask.limit:g}, {on}"
    more = gate.would_decide(later.attribute, rose.value, ask.limit, rose.lower, rose.upper)
    if outcome == "open" and rose.lower <= ask.limit < rose.upper and more:
        reason += f"; about {more:,} rows would decide"
    return Gate(str(ask), name, ask.limit, outcome, reason + gate.beware(later.audit) * (outcome == "passed"))


def _outcome(ask: Ask, before: Attribute, later: Side, rose: Increase, past: Audit) -> tuple[str, str]:
    """`passed`, `failed` or `open`, and why."""
    part, since = later.attribute, f"against {past.name} (95 %)"
    added, gone = (", ".join(sorted(names)) for names in (_by(part) - _by(before), _by(before) - _by(part)))
    suites = [audit.suite.removesuffix(IN_PART) for audit in (past, later.audit)]
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


def _by(part: Attribute) -> set[str]:
    """The attackers that decide; a decoder where it read more than they."""
    names = {each.attacker for each in part.findings if each.decides}
    return names | ({part.attacker} if part.attacker.startswith(DECODED) else set())


def _signed(figure: float) -> str:
    return f"{figure:+.3f}".replace("-", "\N{MINUS SIGN}") if round(figure, 3) else "0.000"
