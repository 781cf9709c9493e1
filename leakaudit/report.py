"""
Audits side by side: merged where they speak of one subject, compared with the first, ranked, judged by the gates.

A pure function of audit documents and, where they were handed on, the per-row outcomes beside them: the same report
twice.
"""

from collections.abc import Sequence

from leakaudit import gate, joining, judging, ranks
from leakaudit.comparing import compare
from leakaudit.finding import WORST_FIRST
from leakaudit.joining import Given, is_reconstruction
from leakaudit.render import Report

__all__ = ["Given", "is_reconstruction", "report"]


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
