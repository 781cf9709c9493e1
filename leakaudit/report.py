"""
Audits side by side: merged where they speak of one subject, compared with the first, judged by the gates asked for.

A pure function of audit documents and, where they were handed on, the per-row outcomes beside them: the same report
twice. Comparisons pair rows where both audits scored the same ones; differences of cross-fitted scores are widened by
the root of two, because each pair of rows serves in both directions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from leakaudit import audits, gate
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.finding import WORST_FIRST, Verdict
from leakaudit.numerics import pairing
from leakaudit.outcomes import Outcomes
from leakaudit.render import Comparison, Difference, Report
from leakaudit.stats import Interval

DECODED = "reconstruction by "
"""What the name of a decoder that reads more than every attacker on the bottleneck begins with."""

Given = tuple[Audit, Mapping[str, Outcomes] | None]


class Side(NamedTuple):
    """One audit of a comparison, for one private attribute."""

    audit: Audit
    attribute: Attribute
    rows: Outcomes | None


def report(given: Sequence[Given], gates: Sequence[gate.Ask]) -> Report:
    """
    Merge, name, compare with the first, and judge.

    Raises:
        InputError: a gate speaks of an attribute that no audit holds, or its limit is at or under guessing.
    """
    assert given, "a report speaks of at least one audit"
    merged = _named(_merged(given))
    whole = tuple(audit for audit, _ in merged)
    return Report(
        audits=whole,
        comparisons=tuple(comparison for later in merged[1:] for comparison in _compare(merged[0], later)),
        gates=_judged(gates, whole),
        verdict=min((audit.verdict for audit in whole), key=WORST_FIRST.index),
    )


def is_reconstruction(audit: Audit) -> bool:
    """Whether the audit is what `reconstruct` wrote: images rebuilt, and no attack on the bottleneck."""
    return bool(audit.attributes) and all(
        part.reconstruction is not None and not part.findings for part in audit.attributes
    )


def _merged(given: Sequence[Given]) -> list[Given]:
    """Attacks in the order given, each with the reconstructions of its subject; what fits nowhere stays."""
    kept = [pair for pair in given if not is_reconstruction(pair[0])]
    for rebuilt, rows in (pair for pair in given if is_reconstruction(pair[0])):
        place = next((i for i, (audit, _) in enumerate(kept) if _identity(audit) == _identity(rebuilt)), None)
        if place is None:
            kept.append((rebuilt, rows))
        else:
            kept[place] = (_join(kept[place][0], rebuilt), kept[place][1])
    return kept


def _identity(audit: Audit) -> tuple[str, ...]:
    """What two audits of one subject share: the tensors, the layer, and the rows."""
    return (*(str(audit.subject.get(key)) for key in ("sha256", "layer")), str(audit.data.get("fingerprint")))


def _join(attack: Audit, rebuilt: Audit) -> Audit:
    others = {(part.private, part.target): part for part in rebuilt.attributes}
    joined = []
    for part in attack.attributes:
        other = others.pop((part.private, part.target), None)
        joined.append(part if other is None else _with_decoder(part, other, attack.tolerance))
    joined += others.values()
    worst = audits.worst(tuple(joined))
    notes = {"documents": [audits.document(part)["sha256"] for part in (attack, rebuilt)]}
    commands = [str(part.provenance["command"]) for part in (attack, rebuilt) if part.provenance.get("command")]
    return replace(
        attack,
        verdict=worst.verdict,
        reason=worst.reason,
        attributes=tuple(joined),
        provenance={**attack.provenance, **notes, **({"command": "\n".join(commands)} if commands else {})},
    )


def _with_decoder(part: Attribute, other: Attribute, tolerance: float) -> Attribute:
    """The attribute with a reconstruction, which is one attacker more: it can worsen the verdict, never better it."""
    joined = audits.with_reconstruction(part, other)
    assert joined.reconstruction is not None
    read, name = joined.reconstruction.private, joined.reconstruction.decoder
    joined = replace(joined, upper=max(part.upper, read.upper))
    verdict: Verdict = part.verdict
    seen = other.verdict in ("LEAK", "DETECTED") or part.verdict in ("LEAK", "DETECTED", "WITHIN")
    if seen and read.lower > tolerance:
        verdict = "LEAK"
    elif read.upper > tolerance and part.verdict in ("WITHIN", "NOT_FOUND"):
        verdict = "DETECTED" if seen else "INCONCLUSIVE"
    elif other.verdict in ("LEAK", "DETECTED") and part.verdict == "INCONCLUSIVE":
        verdict = "DETECTED"
    elif other.verdict in ("LEAK", "DETECTED") and part.verdict == "NOT_FOUND":
        verdict = "WITHIN"
    reason = part.reason
    if verdict != part.verdict:
        reason = (
            f"{part.private} read from the reconstructions of {name} has E {read.excess.value:.3f} "
            f"[{read.excess.low:.3f}, {read.excess.high:.3f}], against {part.figures.excess.value:.3f} of the "
            f"strongest attacker on the bottleneck, which alone gave {part.verdict}"
        )
    if read.excess.value > part.figures.excess.value:
        joined = replace(joined, attacker=f"{DECODED}{name}", figures=read)
    return replace(joined, verdict=verdict, reason=reason)


def _named(given: list[Given]) -> list[Given]:
    """Give subjects of one name a name each: by training seed where that tells them apart, else by tensors."""
    count = Counter(audit.name for audit, _ in given)
    named, taken = [], set()
    for audit, rows in given:
        name = audit.name
        twins = [other for other, _ in given if other.name == name]
        if count[name] > 1:
            seeds = [str(other.subject.get("seed")) for other in twins]
            hashes = [str(other.subject.get("sha256"))[:8] for other in twins]
            if None not in [other.subject.get("seed") for other in twins] and len(set(seeds)) == len(twins):
                name = f"{name} (seed {audit.subject['seed']})"
            elif len(set(hashes)) == len(twins):
                name = f"{name} ({str(audit.subject.get('sha256'))[:8]})"
        copy, number = name, 1
        while name in taken:
            number += 1
            name = f"{copy} #{number}"
        taken.add(name)
        if name != audit.name:
            sources = audit.provenance.get("documents", [audits.document(audit)["sha256"]])
            audit = replace(  # noqa: PLW2901 (the same audit under its new name)
                audit, subject={**audit.subject, "name": name}, provenance={**audit.provenance, "documents": sources}
            )
        named.append((audit, rows))
    return named


def _judged(asks: Sequence[gate.Ask], whole: tuple[Audit, ...]) -> tuple[Gate, ...]:
    """Every gate, with the subject's name before its reason where there are several."""
    gates = gate.judge(asks, whole)
    if len(whole) == 1:
        return gates
    names = [
        audit.name
        for ask in asks
        for audit in whole
        for attribute in audit.attributes
        if ask.private in (None, attribute.private)
    ]
    return tuple(replace(judged, reason=f"{name}: {judged.reason}") for judged, name in zip(gates, names, strict=True))


def _compare(first: Given, later: Given) -> list[Comparison]:
    mine = {part.private: part for part in first[0].attributes}
    return [
        _comparison(
            Side(first[0], mine[part.private], (first[1] or {}).get(part.private)),
            Side(later[0], part, (later[1] or {}).get(part.private)),
        )
        for part in later[0].attributes
        if part.private in mine and _comparable(mine[part.private], part)
    ]


def _comparable(first: Attribute, later: Attribute) -> bool:
    """E counts what goes beyond the target, among these classes: both have to be the same ones."""
    return (first.target, first.classes) == (later.target, later.classes)


def _comparison(first: Side, later: Side) -> Comparison:
    rows = _shared(first, later)
    points = {
        "private_accuracy": (first.attribute.figures.private_accuracy, later.attribute.figures.private_accuracy),
        "excess": (first.attribute.figures.excess, later.attribute.figures.excess),
    }
    if first.audit.utility and later.audit.utility and first.audit.utility.target == later.audit.utility.target:
        points["target_accuracy"] = (first.audit.utility.accuracy, later.audit.utility.accuracy)
    spreads = _spreads(rows, (first.attribute.rows.scheme, later.attribute.rows.scheme)) if rows else {}
    differences = tuple(_difference(name, *pair, spreads.get(name)) for name, pair in points.items())
    count = len(rows.target) if rows else 0
    excess = next(part for part in differences if part.figure == "excess")
    return Comparison(
        private=later.attribute.private,
        first=first.audit.name,
        second=later.audit.name,
        paired=rows is not None,
        rows=count,
        differences=differences,
        sentence=_sentence(first.audit.name, later.audit.name, excess, count, bounded=_bounded(first, later)),
    )


def _difference(name: str, first: Interval, second: Interval, spread: Float[np.ndarray, " draws"] | None) -> Difference:
    """Later minus earlier: paired from bootstrap draws, else by squared distances to the bounds (Newcombe 1998)."""
    value = second.value - first.value
    if spread is None:
        low = value - np.hypot(second.value - second.low, first.high - first.value)
        high = value + np.hypot(second.high - second.value, first.value - first.low)
    else:
        low, high = value + np.quantile(spread, [0.025, 0.975])
    bounds = Interval(value, float(min(value, max(low, -2.0))), float(max(value, min(high, 2.0))))
    return Difference(name, first.value, second.value, bounds)


def _bounded(*sides: Side) -> bool:
    """Whether both had groups enough for bounds; where they had not, their bounds are all there is between 0 and 1."""
    figures = [side.attribute.figures for side in sides]
    return not any((part.private_lower, part.private_upper) == (0, 1) for part in figures)


def _sentence(first: str, second: str, excess: Difference, rows: int, *, bounded: bool) -> str:
    value, low, high = excess.difference
    on = f"on the same {rows} rows" if rows else "unpaired, because the scored rows are not known to be the same"
    if not bounded:
        few = "there are too few groups for bounds, and what is printed of the spread is too narrow"
        return f"Whether {first} or {second} leaks less, the data cannot tell: E differs by {value:+.3f}, but {few}."
    if low > 0 or high < 0:
        less, more = (second, first) if value < 0 else (first, second)
        size = sorted(map(abs, (low, high)))
        return (
            f"{less} leaks less than {more}, and the data can tell: "
            f"its E is lower by {abs(value):.3f} [{size[0]:.3f}, {size[1]:.3f}], {on}."
        )
    return (
        f"Whether {first} or {second} leaks less, the data cannot tell: "
        f"E differs by {value:+.3f} [{low:+.3f}, {high:+.3f}], {on}."
    )


def _shared(first: Side, later: Side) -> pairing.Rows | None:
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
    return pairing.Rows(
        target=one.target[a],
        private=one.private[a],
        group=one.group[a] if grouped else None,
        hits={name: np.stack([one.hits[name][a], two.hits[name][b]]) for name in one.hits if name in two.hits},
    )


def _spreads(rows: pairing.Rows, schemes: tuple[str, str]) -> dict[str, Float[np.ndarray, " draws"]]:
    """Deviations of each paired difference over bootstrap draws; what is cross-fitted is widened by root two."""
    widen = np.sqrt(2.0) if any(scheme.startswith("cross-fit") for scheme in schemes) else 1.0
    private, excess = pairing.deviations(rows, "nested", (pairing.private_accuracy, pairing.excess))
    spreads = {"private_accuracy": widen * private, "excess": widen * excess}
    if "model" in rows.hits:
        spreads["target_accuracy"] = pairing.deviations(rows, "model", (pairing.accuracy,))[0]
    return spreads
