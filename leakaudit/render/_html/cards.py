"""The verdict as it is read first: one card per model and attribute, four figures on it, the rest one fold down."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from leakaudit.audits import Gate
from leakaudit.finding import WORST_FIRST
from leakaudit.render import Report, _annex, _entries, _figures, _further, _measures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section, badge, names, short

LABELS = {
    "private_accuracy": "Private accuracy",
    "excess": "Excess advantage E",
    "share_of_raw": "Of what the raw input gives",
    "above_random": "E above a random encoder",
}
"""The four figures of the first screen, as a narrow card holds them."""
OPEN = ("DETECTED", "INCONCLUSIVE")
"""Verdicts whose reason is read at once."""
FEW = 4
"""Cards that are read one by one; more stand in a table, and fold."""


class Figure(NamedTuple):
    """One of the four figures of the first screen, or why there is none."""

    label: str
    value: str
    more: str
    """Its interval, or the reason."""
    sort: str
    """The value as a script sorts it."""


class Card(NamedTuple):
    """One verdict, with its limits."""

    entry: Entry
    worst: int
    """Where the verdict stands among all, the worst first."""
    badge: Markup
    key: Markup
    says: tuple[str, str, str]
    four: tuple[Figure, ...]
    ruler: Markup | str
    strip: Markup
    gates: list[Gate]
    facts: list[tuple[str, str, str]]
    why: str
    """The reason, where the verdict leaves something open; else it is folded."""
    limits: str


def verdict(report: Report) -> Section:
    """The verdicts in words, each with its limits, and which leaks less."""
    found = _entries.entries(report)
    many = len(found) > FEW
    cards = [_card(entry, i, report, many=many) for i, entry in enumerate(found)]
    body = {
        "warnings": _words.warned(report),
        "cards": cards,
        "many": many,
        "axis": strips.scale([(0, "0"), (report.audits[0].tolerance, "τ"), (1, "1")], 150),
        "told": [_words.told(part, names(report)) for part in report.comparisons],
        "ranked": [short(ranking.sentence, names(report)) for ranking in report.rankings],
        "limits": _limits(report, found),
    }
    return Section("verdict", "Verdict", _words.verdicts(report), body)


def four(entry: Entry) -> tuple[Figure, ...]:
    """Private accuracy, E, the share of what the raw input gives, and E above a random encoder."""
    return tuple(_figure(headline) for headline in _entries.headlines(entry.attribute))


def _figure(headline: _entries.Headline) -> Figure:
    """With its interval, or the reason why not; a share is not below nothing."""
    name, value, interval, note = headline
    label, of = LABELS[name], _measures.unit(name)
    if value is None:
        return Figure(label, "not known", note, "")
    shown = max(0.0, value) if name == "share_of_raw" else value
    sign = "+" * (name == "above_random" and shown > 0)
    words = f"{sign}{_figures.figure(shown, of)}{' %' * (of == '%')}"
    bounds = _figures.bounds(interval, of=of) if interval else note or "no interval in this audit"
    return Figure(label, words, bounds, f"{shown:.6f}")


def _card(entry: Entry, number: int, report: Report, *, many: bool) -> Card:
    """A card; of many, E is drawn in the table alone."""
    part, figures = entry.attribute, entry.attribute.figures
    tolerance = entry.audit.tolerance
    return Card(
        entry=entry,
        worst=WORST_FIRST.index(part.verdict),
        badge=badge(part.verdict),
        key=strips.key(entry.place),
        says=_words.says(entry),
        four=four(entry),
        ruler=strips.ruler(entry.place, figures.excess, tolerance, name=f"e{number}", label=entry.label)
        if not many
        else "",
        strip=strips.excess(entry.place, figures.excess, tolerance, solid=True),
        gates=_gates(entry, report),
        facts=_facts(entry),
        why=part.reason if part.verdict in OPEN else "",
        limits=_words.limits(entry),
    )


def _facts(entry: Entry) -> list[tuple[str, str, str]]:
    """What is folded: label, value, and what stands behind it in grey."""
    part, figures = entry.attribute, entry.attribute.figures
    lines = [("Why", part.reason, "")] if part.verdict not in OPEN else []
    lines.append(("Chosen attacker", _entries.strongest(part), ""))
    if figures.bits is not None:
        shown = f"{_figures.figure(figures.bits.value, 'bits')} of {_figures.figure(part.entropy, 'bits')}"
        lines.append(("Usable bits", shown, _figures.bounds(figures.bits, of="bits")))
    lines.append(("Would pass", f"from τ {_figures.three(part.upper)} upwards", ""))
    lines.append(("Detected", _figures.p_value(part.p), _tests(entry)))
    if needed := _further.labels(entry):
        lines.append(("Labels needed", needed, ""))
    if entry.audit.utility is not None:
        task = entry.audit.utility
        worst = f"; {_figures.percent(task.worst_cell_accuracy.value)} % where it is worst ({task.worst_cell})"
        share = f"names the {task.target} of {_figures.percent(task.accuracy.value)} %"
        lines.append(("Its own task", share, f"{_figures.bounds(task.accuracy, of='%')}{worst}"))
    elif unmeasured := _words.unmeasured(entry.audit):
        lines.append(("Its own task", unmeasured, ""))
    if guessed := _further.guessed(entry):
        lines.append(("Pseudo-labels", guessed, ""))
    return lines


def _tests(entry: Entry) -> str:
    tests = _further.both_tests(entry, brief=True)
    return f"{f'{tests}; ' * bool(tests)}smallest detectable E {_figures.three(entry.attribute.mde)}"


def _gates(entry: Entry, report: Report) -> list[Gate]:
    """The gates of this report on this entry; the reason begins with the subject where there are several."""
    mine = [gate for gate in report.gates if gate.private == entry.attribute.private]
    return mine if len(report.audits) == 1 else [g for g in mine if g.reason.startswith(f"{entry.audit.name}: ")]


def _limits(report: Report, found: Sequence[Entry]) -> list[str]:
    privates = _figures.joined([private for private, _ in _entries.questions(report)])
    limits = [
        f"Nothing is said here about any attribute other than {privates}.",
        f"Not tested: {_annex.attacks(report)}.",
    ]
    if any(entry.attribute.target is None for entry in found):
        limits.append(
            "No target was named: nothing was conditioned on, and what a target would explain counts as read."
        )
    if report.comparisons and _words.models(report.audits) > 1:
        limits.append("What cannot be told: whether the method did it or the training seed; each is one checkpoint.")
    if said := _words.papers_said(found):
        limits.append(f"{said} It cannot decide.")
    return limits


def facts(report: Report) -> list[tuple[str, str]]:
    """The line of facts under the title."""
    audit = report.audits[0]
    part = audit.attributes[0]
    targets = {e.attribute.target: len(e.attribute.target_classes) for e in _entries.entries(report)}
    classes = [
        f"{name}, {count} classes" if name else "none: nothing conditioned on" for name, count in targets.items()
    ]
    privates = {e.attribute.private: len(e.attribute.classes) for e in _entries.entries(report)}
    tolerances = sorted({_figures.tau(one.tolerance) for one in report.audits})
    whence = [(one.data.get("name", "?"), one.data.get("split", "?")) for one in report.audits]
    data = list(dict.fromkeys(", ".join(filter(None, map(str, part))) for part in whence))
    return [
        ("Private", _first([f"{name}, {count} classes" for name, count in privates.items()])),
        ("Target", _first(classes)),
        ("Attacked on", _first(data)),
        ("Rows", f"{_entries.scored(report)} scored, {_entries.scheme(part.rows)}"),
        ("Tolerance", f"τ {' and '.join(tolerances)} on E"),
        ("Suite", _figures.joined([f"v{suite}" for suite in dict.fromkeys(one.suite for one in report.audits)])),
        *_made(report),
    ]


def _made(report: Report) -> list[tuple[str, str]]:
    """On which days, and by which versions, the audits were made; nothing where they do not say."""
    days = sorted({str(audit.provenance["created"])[:10] for audit in report.audits if audit.provenance.get("created")})
    told = [audit.provenance.get("versions") for audit in report.audits]
    versions = sorted({str(each.get("leakaudit")) for each in told if isinstance(each, dict) and each.get("leakaudit")})
    by = f" by leakaudit {_figures.joined(versions)}" if versions else ""
    return [("Made", f"{' to '.join(dict.fromkeys((days[0], days[-1])))}{by}")] if days else []


def _first(words: Sequence[Any], most: int = 3) -> str:
    return "; ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
