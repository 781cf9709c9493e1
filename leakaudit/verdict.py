"""
The verdict rule: five words, each with its reason in words.

    LEAK          detected, LCB > tau
    DETECTED      detected, size against tau open (with the rows that would decide)
    WITHIN        detected, UCB* <= tau, controls hold, all converged
    NOT_FOUND     not detected, UCB* <= tau, MDE <= tau, controls hold, all converged
    INCONCLUSIVE  otherwise, and wherever the MDE is above .20

LCB is the one-sided 95 % lower bound of the nested winner. UCB* is the largest one-sided 95 % upper bound of any
attacker: "every attacker is at or under tau" is an intersection-union test and needs no multiplicity correction.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from leakaudit.protocol import GROUPS, GROUPS_PER_CELL, LARGEST_MDE, SPLIT_FROM, SUITE
from leakaudit.stats import LEVEL, POWERED, balanced_rows

Verdict = Literal["LEAK", "DETECTED", "INCONCLUSIVE", "WITHIN", "NOT_FOUND"]
WORST_FIRST: tuple[Verdict, ...] = ("LEAK", "DETECTED", "INCONCLUSIVE", "WITHIN", "NOT_FOUND")

HOPELESS = 100
"""Times the rows there are, beyond which their number is not spelled out."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the rule looks at, for one private attribute."""

    tolerance: float
    """Tau, on E."""
    p: float
    """Holm-adjusted over the attributes."""
    excess: float
    """E of the nested winner."""
    error: float
    """Standard error of E."""
    lower: float
    """LCB."""
    upper: float
    """UCB*."""
    mde: float
    """With groups, of as many rows as the groups are worth."""
    rows: int
    """Attack rows."""
    off_majority: int
    """Rows whose private class is not the majority one of their target class."""
    classes: int
    doubled: bool
    """Cross-fitted."""
    cells: float | None = None
    """MDE of the cells' rows, each counted as a group of its own; None: the same."""
    conditioned: bool = True
    """On a target."""
    bounded: bool = True
    """Groups enough for bounds, or no groups."""
    failed: tuple[str, ...] = ()
    """Controls that failed, in words."""
    alarm: str = ""
    """The shuffled control, where it failed: it found a leak in shuffled labels."""
    unconverged: tuple[str, ...] = ()
    """Attackers that did not converge."""
    left_out: tuple[str, ...] = ()
    """Attackers of the suite that were not run, or not with their default knobs."""


@dataclass(frozen=True)
class Ruling:
    """A verdict."""

    verdict: Verdict
    reason: str
    would_decide: int | None
    """About how many rows of this mix would decide, where these do not."""


def rule(e: Evidence) -> Ruling:
    """The verdict on one attribute."""
    tau = f"{e.tolerance:.2f}"
    detected = e.p <= LEVEL
    cells = e.mde if e.cells is None else e.cells
    if cells > LARGEST_MDE:
        least = min(e.tolerance, LARGEST_MDE)
        mix = needed(e.rows, cells / least, doubled=e.doubled)
        even = needed(balanced_rows(least, e.classes, doubled=True), 1.0, doubled=True)
        scarce = "in which target and private attribute disagree" if e.conditioned else "outside the commonest class"
        within = "balanced within target" if e.conditioned else "of as many in each class"
        return Ruling(
            "INCONCLUSIVE",
            f"too few rows {scarce} ({e.off_majority}; the smallest detectable "
            f"E is {cells:.2f}); about {mix:,} rows of this mix, or {even:,} {within}, would decide",
            mix,
        )
    doubts = [
        *e.failed,
        *([f"not converged: {', '.join(e.unconverged)}"] if e.unconverged else []),
        *([f"suite v{SUITE} was run without {', '.join(e.left_out)}"] if e.left_out else []),
    ]
    if detected and e.bounded and e.lower > e.tolerance:
        but = f"; beware: {e.alarm}" if e.alarm else ""
        return Ruling("LEAK", f"E is at least {_above(e.lower, tau)} (95 %), above the tolerance {tau}{but}", None)
    if detected:
        return _detected(e, tau, doubts)
    if not e.bounded:
        return Ruling("INCONCLUSIVE", f"nothing was detected ({spell(e.p)}), but {_FEW_GROUPS}", None)
    if e.upper > e.tolerance:
        more = needed(e.rows, e.upper / e.tolerance, doubled=e.doubled)
        words = f"nothing was detected ({spell(e.p)}), but E up to {_above(e.upper, tau)} cannot be excluded (95 %)"
        return Ruling("INCONCLUSIVE", f"{words}, above the tolerance {tau}; about {more:,} rows would decide", more)
    if e.mde > e.tolerance:
        more = needed(e.rows, e.mde / e.tolerance, doubled=e.doubled)
        words = (
            f"nothing was detected, but the smallest detectable E is {_above(e.mde, tau)}, above the tolerance {tau}"
        )
        return Ruling("INCONCLUSIVE", f"{words}; about {more:,} rows would decide", more)
    if doubts:
        return Ruling("INCONCLUSIVE", f"no absence can be concluded: {'; '.join(doubts)}", None)
    words = f"no attacker of suite v{SUITE} exceeds {tau} (95 %); planted leaks of {2 * e.tolerance:.2f} were found"
    return Ruling("NOT_FOUND", words, None)


def _above(bound: float, tau: str) -> str:
    """A bound above the tolerance, with digits more where it would read as the tolerance itself."""
    words = (f"{bound:.{digits}f}" for digits in range(2, 6))
    return next((said for said in words if float(said) > float(tau)), f"{bound:.2f}")


def _detected(e: Evidence, tau: str, doubts: list[str]) -> Ruling:
    but = f"; beware: {e.alarm}" if e.alarm else ""
    if not e.bounded:
        return Ruling("DETECTED", f"a leak exists ({spell(e.p)}); its size is open: {_FEW_GROUPS}{but}", None)
    if e.upper > e.tolerance:
        steps = POWERED * e.error / (e.excess - e.tolerance) if e.excess > e.tolerance else e.upper / e.tolerance
        more = max(needed(e.rows, steps, doubled=e.doubled), e.rows + 1)
        words = f"a leak exists ({spell(e.p)}); whether it exceeds {tau} is open: E lies from {e.lower:.2f} to"
        enough = f"about {more:,} rows would decide"
        if more > HOPELESS * e.rows:
            enough = f"so close to the tolerance, more than {HOPELESS} times as many rows would decide"
        return Ruling("DETECTED", f"{words} {_above(e.upper, tau)} (95 % each way); {enough}{but}", more)
    if doubts:
        words = f"a leak exists ({spell(e.p)}); that it stays within {tau} cannot be concluded"
        return Ruling("DETECTED", f"{words}: {'; '.join(doubts)}", None)
    return Ruling("WITHIN", f"a leak exists; no attacker of suite v{SUITE} exceeds {tau} (95 %)", None)


def needed(rows: int, times: float, *, doubled: bool) -> int:
    """
    Attack rows with errors so many times smaller than `rows` have.

    Cross-fitted rows are worth half of them; from 20,000 on three tenths are scored, and worth as many.
    """
    count = rows * times**2
    return ceil(count * 0.5 / 0.3) if doubled and count >= SPLIT_FROM else ceil(count)


_FEW_GROUPS = f"bounds need {GROUPS} groups, and {GROUPS_PER_CELL} in each (target, private) cell"


def spell(p: float) -> str:
    """A p-value as it is printed."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"  # noqa: PLR2004 (the last digit printed)
