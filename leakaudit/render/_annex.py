"""
The evidence annex as data: what was tested and what was not, in the terms of a supervisory opinion, without law.

The table is computed from the audits; everything else is fixed wording. No statement about a text of law or of a
supervisory authority rests on the original here: each citation says which version it is of, what was read of it and on
which day, and carries the mark that tells the reader to check. Nothing here depends on when a law applies.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from leakaudit.protocol import IN_PART as SUITE_IN_PART
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._entries import Entry

TESTED, IN_PART, NOT_TESTED = "tested", "in part", "not tested"
MARK = "†"
"""Behind everything that is taken from secondary sources."""
LEDE = (
    "This report is evidence about the attacks that were run, and about nothing else. It holds no opinion on the law."
)
RULE = (
    "A verdict WITHIN or NOT_FOUND is evidence of resistance to the attackers named here, on these rows. It is no "
    "evidence about other attacks, and no verdict says that a model gives nothing away."
)
SPECIAL = (
    "Whether an attribute, or what it lets others conclude, belongs to a special category of personal data (GDPR, "
    f"Article 9(1) {MARK}) depends on use and context. leakaudit draws no such conclusion, neither from an attribute's "
    "name nor from a verdict."
)
READERS = (
    ("Data-protection officer", "the verdict with its limits, the table of what was tested, and provenance"),
    ("Engineer", "the gates, the four figures, and the labels and rows that would decide"),
    ("Researcher", "attackers, controls, intervals, and the commands that repeat them"),
)
IS_NOT = (
    "legal advice, a certificate, or a finding that a law is kept or broken",
    "a statement about attributes, layers, data or versions of the model other than those named",
    "a bound on what a stronger attacker reads: the figures are floors",
)
NOTE = (
    f"{MARK} Taken from secondary sources or from a copy that a third party publishes, as said under what was read. "
    "Check the original, in the version in force, before you rely on it."
)
SHORT = {
    "Attribute inference": "attribute inference",
    "Reconstruction": "reconstruction",
    "Membership inference": "membership",
    "Exfiltration, extraction of records": "extraction",
    "Regurgitation of training data": "regurgitation",
    "Model inversion": "inversion",
    "Singling out": "singling out",
}
"""Names of the attacks in one line."""
LONG = 48
"""Letters of the names of all attributes from which they are not repeated in that line."""


class Scope(NamedTuple):
    """One attack: whether this report tests it, and what was done for it."""

    attack: str
    named: str
    """The document whose term it is."""
    tested: str
    """`tested`, `in part` or `not tested`."""
    done: str


class Source(NamedTuple):
    """A text in which such evidence has a place; nothing of it was read in the original."""

    document: str
    version: str
    says: str
    adds: str
    """What this report adds to it."""
    read: str
    """What was read of it, and on which day."""


class Annex(NamedTuple):
    """Everything that stands in the annex, in the order in which it is told."""

    lede: str
    scope: tuple[Scope, ...]
    rule: str
    special: str
    readers: tuple[tuple[str, str], ...]
    """Who, and what to read."""
    is_not: tuple[str, ...]
    sources: tuple[Source, ...]
    note: str
    """What the mark means."""


OPINION = f"EDPB Opinion 28/2024 {MARK}"
WORKING_PARTY = f"WP29 Opinion 05/2014 {MARK}"
SOURCES = (
    Source(
        "EDPB, Opinion 28/2024 on certain data protection aspects related to the processing of personal data in the "
        "context of AI models",
        "adopted 17 December 2024",
        f"Names attacks that structured testing of a model may cover, and takes its success as evidence about those "
        f"attacks only (paragraph 55) {MARK}",
        "One of these attacks carried out, another where images were rebuilt",
        "the executive summary in a third party's copy, 22 November 2026; paragraph 55 only as secondary sources "
        "quote it",
    ),
    Source(
        "Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP 216)",
        "adopted 10 April 2014",
        f"Looks at singling out, linkability and inference {MARK}",
        "A measure of inference",
        "secondary sources, November 2026",
    ),
    Source(
        "Regulation (EU) 2016/679 (GDPR), Articles 25 and 35(7)(c) and (d)",
        "as published in 2016",
        f"Protection by design and by default; risks, and measures against them, in an impact assessment {MARK}",
        "The size of one risk with its uncertainty; before and after a measure where audits are compared",
        "Article 35(7) in a third party's copy, 22 November 2026; Article 25 in secondary sources",
    ),
    Source(
        "Regulation (EU) 2024/1689 (AI Act), Article 15(5)",
        "as published in 2024",
        f"Names confidentiality attacks among what high-risk systems are to withstand {MARK}",
        "One such attack, carried out",
        "secondary sources, 22 November 2026",
    ),
    Source(
        "NIST AI 100-2 E2025, Adversarial machine learning: a taxonomy",
        "final, March 2025",
        f"Sorts privacy attacks; inference of an attribute is not a class of its own there {MARK}",
        "Reconstruction, where it was run",
        "secondary sources, November 2026",
    ),
)


def annex(report: Report) -> Annex:
    """The annex of a report."""
    return Annex(LEDE, tuple(_scope(report)), RULE, SPECIAL, READERS, IS_NOT, SOURCES, NOTE)


def attacks(report: Report) -> str:
    """The attacks that were not tested, in one line, then those that were in part."""
    missing, part = _open(report)
    return f"{', '.join(missing)}{f'; in part: {_figures.joined(part)}' * bool(part)}"


def short(report: Report) -> str:
    """What was not tested, in one line: attacks, then attributes."""
    missing, part = _open(report)
    names = list(dict.fromkeys(entry.attribute.private for entry in _entries.entries(report)))
    only = f"any attribute but {_figures.joined(names)}" if len("".join(names)) < LONG else "any other attribute"
    return f"{', '.join(missing)}; {only}{f'; in part: {_figures.joined(part)}' * bool(part)}"


def _open(report: Report) -> tuple[list[str], list[str]]:
    """The attacks that were not tested, and those that were in part."""
    found = tuple(_scope(report))
    missing, part = ([SHORT[one.attack] for one in found if one.tested == how] for how in (NOT_TESTED, IN_PART))
    return missing, part


def _scope(report: Report) -> Iterator[Scope]:
    found = _entries.entries(report)
    yield _inference(report)
    rebuilt = [entry for entry in found if entry.attribute.reconstruction is not None]
    yield Scope("Reconstruction", OPINION, IN_PART if rebuilt else NOT_TESTED, _rebuilt(report, rebuilt))
    member = "Whether a row was trained on was not asked; that needs models trained with and without it."
    if any(entry.attribute.memorisation is not None for entry in found):
        member += " The memorisation gap compares how well the attribute is read; it is no test of membership."
    yield Scope("Membership inference", OPINION, NOT_TESTED, member)
    yield Scope(
        "Exfiltration, extraction of records",
        OPINION,
        NOT_TESTED,
        "No attempt was made to draw records out of the model.",
    )
    yield Scope(
        "Regurgitation of training data",
        OPINION,
        NOT_TESTED,
        "The model's answers were not searched for rows that it was trained on.",
    )
    inverted = "Nothing was rebuilt from weights, gradients or answers."
    if rebuilt:
        inverted += " The decoder above starts at the bottleneck of an image that the model was shown."
    yield Scope("Model inversion", OPINION, NOT_TESTED, inverted)
    yield Scope("Singling out", WORKING_PARTY, NOT_TESTED, "No attacker was asked whose row it is.")


def _inference(report: Report) -> Scope:
    """Attribute inference: tested where the whole suite attacked the bottleneck of every model."""
    groups = _entries.questions(report)
    attacked = [bool(entry.attribute.findings) for _, group in groups for entry in group]
    whole = all(attacked) and not any(audit.suite.endswith(SUITE_IN_PART) for audit in report.audits)
    only = " Nothing is said of other attributes, layers or data."
    done = "; ".join(filter(None, (_attacked(private, group) for private, group in groups)))
    if not any(attacked):
        return Scope("Attribute inference", OPINION, IN_PART, f"Only from images that a decoder rebuilt.{only}")
    return Scope("Attribute inference", OPINION, TESTED if whole else IN_PART, f"{done[:1].upper()}{done[1:]}.{only}")


def _attacked(private: str, group: Sequence[Entry]) -> str:
    """Which rows, how many attackers, and with what labels; of one private attribute over all models."""
    group = [entry for entry in group if entry.attribute.findings]
    if not group:
        return ""
    rows = [entry.attribute.rows.scored for entry in group]
    who = [len({found.attacker for found in entry.attribute.findings}) for entry in group]
    labels = dict.fromkeys(found.auxiliary for entry in group for found in entry.attribute.findings)
    suites = dict.fromkeys(entry.audit.suite for entry in group)
    return (
        f"{private} from the bottleneck of {_count(len(group), 'model')} on {_between(rows)} unseen rows"
        f"{' each' * (len(group) > 1)}, by {_between(who)} attacker{'s' * (max(who) > 1)} of suite "
        f"v{_figures.joined(list(suites))}, with {_figures.joined(list(labels))} labels"
    )


def _rebuilt(report: Report, rebuilt: Sequence[Entry]) -> str:
    if not rebuilt:
        return "No image was rebuilt; the command leakaudit reconstruct does it from the bottleneck."
    decoders = dict.fromkeys(
        entry.attribute.reconstruction.decoder for entry in rebuilt if entry.attribute.reconstruction
    )
    models = {entry.place for entry in rebuilt}
    some = (
        f"{len(models)} of {_count(len(report.audits), 'model')}" if len(models) < len(report.audits) else "every model"
    )
    whose = some if len(report.audits) > 1 else "the model"
    how = f"{'a decoder' if len(decoders) == 1 else 'decoders'} ({', '.join(decoders)})"
    return (
        f"Unseen images were rebuilt from the bottleneck of {whose} by {how}, and the attribute was read from what "
        "came out. Rows that the model was trained on were not."
    )


def _count(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"


def _between(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
