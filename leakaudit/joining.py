"""
Documents that speak of one subject made one, and subjects of one name given a name each.

An attack and a reconstruction of the same tensors, layer and rows are one audit: a decoder is one attacker more.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from leakaudit import audits
from leakaudit.audits import Attribute, Audit
from leakaudit.finding import Verdict
from leakaudit.outcomes import Outcomes
from leakaudit.protocol import IN_PART

DECODED = "reconstruction by "
"""What the name of a decoder that reads more than every attacker on the bottleneck begins with."""

Given = tuple[Audit, Mapping[str, Outcomes] | None]
"""An audit, and its per-row outcomes where they were handed on."""


def is_reconstruction(audit: Audit) -> bool:
    """Whether the audit is what `reconstruct` wrote: images rebuilt, and no attack on the bottleneck."""
    return bool(audit.attributes) and all(
        part.reconstruction is not None and not part.findings for part in audit.attributes
    )


def merged(given: Sequence[Given]) -> list[Given]:
    """Attacks in the order given, each with the reconstructions of its subject; what fits nowhere stays."""
    kept = [pair for pair in given if not is_reconstruction(pair[0])]
    for rebuilt, rows in (pair for pair in given if is_reconstruction(pair[0])):
        place = next((i for i, (audit, _) in enumerate(kept) if identity(audit) == identity(rebuilt)), None)
        if place is None:
            kept.append((rebuilt, rows))
        else:
            kept[place] = (_join(kept[place][0], rebuilt), kept[place][1])
    return kept


def identity(audit: Audit) -> tuple[str, ...]:
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
    notes = {"documents": [seal for part in (attack, rebuilt) for seal in audits.sources(part)]}
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


def lacking(of: Attribute, by: Attribute) -> list[str]:
    """
    The attackers, and the decoder where it won, that read one audit (`by`) and were not run on another (`of`).

    One that did not converge there hides what it would have read, and counts as not run.
    """
    converged = {each.attacker: each.converged for each in of.findings if each.decides}
    if of.reconstruction is not None:
        converged[f"{DECODED}{of.reconstruction.decoder}"] = True
    found = sorted(name for name in _deciding(by) if not converged.get(name))
    return [f"{name} that converged" if name in converged else name for name in found]


def _deciding(part: Attribute) -> set[str]:
    """The attackers that decide; a decoder where it read more than they."""
    names = {each.attacker for each in part.findings if each.decides}
    return names | ({part.attacker} if part.attacker.startswith(DECODED) else set())


def versions(*both: Audit) -> list[str]:
    """The suites of audits, whether or not they were run whole."""
    return [audit.suite.removesuffix(IN_PART) for audit in both]


def named(given: Sequence[Given]) -> list[Given]:
    """Give subjects of one name a name each: by training seed where that tells them apart, else by tensors."""
    count = Counter(audit.name for audit, _ in given)
    made, taken = [], set()
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
            sources = list(audits.sources(audit))
            audit = replace(  # noqa: PLW2901 (the same audit under its new name)
                audit, subject={**audit.subject, "name": name}, provenance={**audit.provenance, "documents": sources}
            )
        made.append((audit, rows))
    return made
