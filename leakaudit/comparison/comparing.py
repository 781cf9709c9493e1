"""
Two audits of the same private attribute set against each other, later minus first.

Rows are paired where both audits scored the same ones with the same labels: a bootstrap draws them together.
Differences of cross-fitted scores are widened by the root of two, because each pair of rows serves in both directions.
Where rows are not known to be the same, intervals are those of two samples (Newcombe 1998). Worst group and
equalised-odds gap are extremes of many cells: `numerics.extremes` says what can be known of their difference.

What cannot be computed from what is at hand (an older document, rows without bits) is left out, never guessed.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from leakaudit import joining
from leakaudit.audits import Attribute, Audit, Utility
from leakaudit.finding import Figures
from leakaudit.joining import DECODED, Given
from leakaudit.numerics import extremes, pairing
from leakaudit.outcomes import Outcomes
from leakaudit.render import Comparison, Difference
from leakaudit.stats import LEVEL, Interval

MOST = {"bits": 64.0, "excess": 2.0}
"""The largest differences there can be; of shares, 1."""
NORMAL = 1.959964
"""Standard errors in half a two-sided 95 % interval."""


class Side(NamedTuple):
    """One audit of a comparison, for one private attribute."""

    audit: Audit
    attribute: Attribute
    rows: Outcomes | None


class Increase(NamedTuple):
    """E of the later audit less that of the first, with one-sided 95 % bounds."""

    value: float
    lower: float
    upper: float
    rows: int
    """Rows that both scored; 0: unpaired."""
    bounded: bool = True
    """Whether both had groups enough for bounds; where not, these are all that there can be."""


def sides(given: Given) -> dict[str, Side]:
    """One side per private attribute of an audit."""
    audit, rows = given
    every = [Side(audit, part, (rows or {}).get(part.private)) for part in audit.attributes]
    first: dict[str, Side] = {}
    for side in every:  # of one name with two targets, the attack's, which stands first
        first.setdefault(side.attribute.private, side)
    return first


def comparable(first: Attribute, later: Attribute) -> bool:
    """E counts what goes beyond the target's classes, among these classes: both have to be the same ones."""
    strata = len(first.target_classes) == len(later.target_classes)  # quantile bins are called otherwise on other rows
    return strata and (first.target, first.classes) == (later.target, later.classes)


def elsewhere(first: Audit, later: Audit) -> str:
    """What is to be known where the data sets are not called alike."""
    alike = all(first.data.get(key) == later.data.get(key) for key in ("name", "split"))
    return "" if alike else ", on data of unlike names or splits, which may make the difference"


def unread(side: Side, other: Side) -> str:
    """By what an audit was attacked less than the other, so that less may be read in it; empty: by nothing."""
    suite, others = joining.versions(side.audit, other.audit)
    if suite != others:
        return f"by suite v{suite}, and {other.audit.name} by suite v{others}"
    return " and ".join(f"without {name}" for name in joining.lacking(side.attribute, other.attribute))


def compare(first: Given, later: Given) -> list[Comparison]:
    """The later audit against the first, per private attribute that both hold."""
    mine = sides(first)
    return [
        _comparison(mine[name], other)
        for name, other in sides(later).items()
        if name in mine and comparable(mine[name].attribute, other.attribute)
    ]


def increase(first: Side, later: Side) -> Increase:
    """By how much the later audit's E lies above the first's; without groups enough for bounds, by anything."""
    one, two = first.attribute.figures, later.attribute.figures
    value, rows = two.excess.value - one.excess.value, shared(first, later)
    count = 0 if rows is None else len(rows.target)
    if not _bounded(first, later):
        return Increase(value, -MOST["excess"], MOST["excess"], count, bounded=False)
    if rows is None:
        down = float(np.hypot(two.excess.value - two.lower, one.upper - one.excess.value))
        up = float(np.hypot(two.upper - two.excess.value, one.excess.value - one.lower))
        return Increase(value, value - down, value + up, 0)
    (spread,) = pairing.deviations(rows, "nested", (pairing.excess,))
    low, high = np.quantile(spread * _widening(first, later), [LEVEL, 1 - LEVEL])
    return Increase(value, value + min(float(low), 0.0), value + max(float(high), 0.0), count)


def error(first: Side, later: Side) -> float:
    """The standard error of the difference of E; infinite without groups enough for bounds."""
    if not _bounded(first, later):
        return float("inf")
    rows = shared(first, later)
    if rows is not None:
        return pairing.error(rows, "nested") * _widening(first, later)
    value, low, high = extent(first.attribute.figures.excess, later.attribute.figures.excess)
    return max(value - low, high - value) / NORMAL


def extent(first: Interval, second: Interval) -> Interval:
    """Second less first on different rows: by squared distances to the bounds (Newcombe 1998)."""
    value = second.value - first.value
    low = value - np.hypot(second.value - second.low, first.high - first.value)
    return Interval(value, float(low), float(value + np.hypot(second.high - second.value, first.value - first.low)))


def shared(first: Side, later: Side) -> pairing.Rows | None:
    """The rows that both scored, where they are the same rows with the same labels; None where they are not."""
    one, two = first.rows, later.rows
    if one is None or two is None or any(side.attribute.attacker.startswith(DECODED) for side in (first, later)):
        return None
    a, b = np.argsort(one.ids, kind="stable"), np.argsort(two.ids, kind="stable")
    keys = ("ids", "target", "private", "group")
    if not all(np.array_equal(getattr(one, key)[a], getattr(two, key)[b]) for key in keys):
        return None
    if "nested" not in one.hits or "nested" not in two.hits:
        return None
    grouped = first.attribute.rows.groups is not None
    known = one.gains is not None and two.gains is not None
    return pairing.Rows(
        target=one.target[a],
        private=one.private[a],
        group=one.group[a] if grouped else None,
        hits={name: np.stack([one.hits[name][a], two.hits[name][b]]) for name in one.hits if name in two.hits},
        gains=np.stack([one.gains[a], two.gains[b]]) if known else None,  # type: ignore[index]
    )


def _comparison(first: Side, later: Side) -> Comparison:
    rows = shared(first, later)
    leaks = _leaks(first, later, rows)
    less = later if leaks[1].difference.value < 0 else first
    weaker = unread(less, first if less is later else later)
    entropy = less.attribute.entropy
    leaks = [_open(part, weaker, entropy if part.figure == "bits" else 1.0, later=less is later) for part in leaks]
    differences = (*leaks, *_uses(first, later, rows))
    count = len(rows.target) if rows else 0
    excess = next(part for part in differences if part.figure == "excess")
    why = "there are too few groups for bounds" if not _bounded(first, later) else ""
    why = why or (f"{less.audit.name} was read {weaker}" if weaker else "")
    on = f"on the same {count} rows" if rows else "unpaired: not known to be the same rows, or read from rebuilt images"
    return Comparison(
        private=later.attribute.private,
        first=first.audit.name,
        second=later.audit.name,
        paired=rows is not None,
        rows=count,
        differences=differences,
        sentence=_sentence(first.audit.name, later.audit.name, excess, on + elsewhere(first.audit, later.audit), why),
    )


def _open(part: Difference, weaker: str, most: float, *, later: bool) -> Difference:
    """The difference, up to all that there is, `most`, in the audit in which less is read, if by fewer attackers."""
    if not weaker:
        return part
    value, low, high = part.difference
    if later:
        return replace(part, difference=Interval(value, low, max(high, most - part.first)))
    return replace(part, difference=Interval(value, min(low, part.second - most), high))


def _leaks(first: Side, later: Side, rows: pairing.Rows | None) -> list[Difference]:
    """What is read of the private attribute."""
    one, two = first.attribute.figures, later.attribute.figures
    if not _bounded(first, later):
        shares = [Interval(part.private_accuracy.value, 0.0, 1.0) for part in (one, two)]
        excesses = [Interval(part.excess.value, part.lower, part.upper) for part in (one, two)]
        return [_difference("private_accuracy", shares[0], shares[1]), _difference("excess", excesses[0], excesses[1])]
    wide, ends = _widening(first, later), dict[str, tuple[float, float]]()
    if rows is not None:
        both = pairing.deviations(rows, "nested", (pairing.private_accuracy, pairing.excess))
        ends = {"private_accuracy": _ends(both[0], wide), "excess": _ends(both[1], wide)}
    made = [
        _difference("private_accuracy", one.private_accuracy, two.private_accuracy, ends.get("private_accuracy")),
        _difference("excess", one.excess, two.excess, ends.get("excess")),
    ]
    if one.bits is None or two.bits is None or (rows is not None and rows.gains is None):
        return made
    if rows is None or rows.gains is None:
        return [*made, _difference("bits", one.bits, two.bits)]
    half = NORMAL * wide * pairing.error_of_mean(rows.gains, rows.group)
    return [*made, _difference("bits", one.bits, two.bits, (-half, half))]


def _uses(first: Side, later: Side, rows: pairing.Rows | None) -> list[Difference]:
    """How well each model does its own task."""
    one, two = first.audit.utility, later.audit.utility
    if one is None or two is None or one.target != two.target:
        return []
    made = []
    if rows is None or not _bounded(first, later):
        made = [_difference("target_accuracy", one.accuracy, two.accuracy)]
    elif "model" in rows.hits:
        (spread,) = pairing.deviations(rows, "model", (pairing.accuracy,))
        made = [_difference("target_accuracy", one.accuracy, two.accuracy, _ends(spread))]
    pairs = {"worst_group": (_worst(first, one), _worst(later, two)), "equalised_odds": (_odds(first), _odds(later))}
    if first.attribute.target_classes != later.attribute.target_classes:
        return made
    for figure, (a, b) in pairs.items():
        if a is not None and b is not None:
            made.append(Difference(figure, a.value, b.value, extremes.apart(a, b)))
    return made


def _odds(side: Side) -> Interval | None:
    """The equalised-odds gap, which an audit states for the first of its private attributes."""
    told = side.audit.utility is not None and side.attribute == side.audit.attributes[0]
    return side.audit.utility.odds if told and side.audit.utility else None


def _worst(side: Side, use: Utility) -> Interval | None:
    """
    Accuracy on the worst (target, private) cell, with bounds of the smallest of many.

    An older document has the bounds of that cell alone: those of the smallest are then counted from its rows.
    """
    part, rows = side.attribute, side.rows
    if part.private != side.audit.attributes[0].private:
        return None
    if use.odds is not None or use.odds_note:
        return use.worst_cell_accuracy
    if rows is None or "model" not in rows.hits:
        return None
    group = rows.group if part.rows.groups is not None else None
    shape = len(part.target_classes), len(part.classes)
    if not len(rows.target) or rows.target.max() >= shape[0] or rows.private.max() >= shape[1]:
        return None
    found = extremes.worst(rows.hits["model"], rows.target, rows.private, shape, group).interval
    return found if abs(found.value - use.worst_cell_accuracy.value) < SAME else None


SAME = 1e-9
"""Below this, two figures of the same rows are the same."""


def _ends(spread: Float[np.ndarray, " draws"], wide: float = 1.0) -> tuple[float, float]:
    """How far below and above the value its 95 % interval ends."""
    low, high = np.quantile(wide * spread, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def _difference(name: str, first: Interval, second: Interval, ends: tuple[float, float] | None = None) -> Difference:
    """Later minus earlier: paired where it is known how far below and above it the interval ends, else two samples."""
    value, low, high = extent(first, second)
    if ends is not None:
        low, high = value + ends[0], value + ends[1]
    most = MOST.get(name, 1.0)
    return Difference(
        name, first.value, second.value, Interval(value, min(value, max(low, -most)), max(value, min(high, most)))
    )


def _widening(*both: Side) -> float:
    """What is cross-fitted scatters by up to the root of two more."""
    return float(np.sqrt(2.0)) if any(side.attribute.rows.scheme.startswith("cross-fit") for side in both) else 1.0


def _bounded(*both: Side) -> bool:
    """Whether both had groups enough for bounds; where they had not, their bounds are all there is between 0 and 1."""
    figures: list[Figures] = [side.attribute.figures for side in both]
    return not any((part.private_lower, part.private_upper) == (0, 1) for part in figures)


def _sentence(first: str, second: str, excess: Difference, on: str, why: str) -> str:
    """Which leaks less, and whether the data can tell; `why` they cannot, where it is not the interval."""
    value, low, high = excess.difference
    if why:
        return f"Whether {first} or {second} leaks less, the data cannot tell: E differs by {value:+z.3f}, but {why}."
    if low > 0 or high < 0:
        less, more = (second, first) if value < 0 else (first, second)
        size = sorted(map(abs, (low, high)))
        return (
            f"{less} leaks less than {more}, and the data can tell: "
            f"its E is lower by {abs(value):.3f} [{size[0]:.3f}, {size[1]:.3f}], {on}."
        )
    return (
        f"Whether {first} or {second} leaks less, the data cannot tell: "
        f"E differs by {value:+z.3f} [{low:+z.3f}, {high:+z.3f}], {on}."
    )
