"""
Audits side by side: merged where they speak of one subject, compared with the first, ranked, judged by the gates.

A pure function of audit documents and, where they were handed on, the per-row outcomes beside them: the same report
twice.
"""

from collections.abc import Sequence

from leakaudit import gate, joining
from leakaudit.audits import Attribute
from leakaudit.comparison import judging, ranks
from leakaudit.comparison.comparing import comparable, compare, sides
from leakaudit.finding import WORST_FIRST
from leakaudit.joining import Given, is_reconstruction
from leakaudit.render import Report

__all__ = ["Given", "is_reconstruction", "report", "uncompared"]


def report(given: Sequence[Given], gates: Sequence[gate.Ask]) -> Report:
    """
    Merge, name, compare with the first, rank, and judge.

    Raises:
        InputError: a gate speaks of an attribute that no audit holds, its limit is at or under guessing, or its
            baseline speaks of something else.
    """
    assert given, "a report speaks of at least one audit"
    whole = joining.named(joining.merged(given))
    judging.check(gates, whole)
    return Report(
        audits=tuple(audit for audit, _ in whole),
        comparisons=tuple(comparison for later in whole[1:] for comparison in compare(whole[0], later)),
        gates=judging.judge(gates, whole),
        verdict=min((audit.verdict for audit, _ in whole), key=WORST_FIRST.index),
        rankings=ranks.rank(whole),
    )


def uncompared(made: Report) -> tuple[str, ...]:
    """What audits have one name for and is not compared with the first all the same, each with the reason."""
    first, *others = made.audits
    mine, words = sides((first, None)), "is not compared with that of"
    return tuple(
        f"{name} of {later.name} {words} {first.name}: {_why(mine[name].attribute, side.attribute)}"
        for later in others
        for name, side in sides((later, None)).items()
        if name in mine and not comparable(mine[name].attribute, side.attribute)
    )


def _why(first: Attribute, later: Attribute) -> str:
    if first.target != later.target:
        return f"its target is {later.target or 'none'}, that of the first is {first.target or 'none'}"
    if first.classes == later.classes:
        return "its target has more or fewer classes"
    return "its classes stand in another order" if set(first.classes) == set(later.classes) else "it has other classes"
