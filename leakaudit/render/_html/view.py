"""What the page shows before its evidence: title, facts, verdicts, and private against target accuracy."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from leakaudit.audits import Gate
from leakaudit.finding import Verdict
from leakaudit.render import Comparison, Report, _entries, _figures, _further, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import charts, strips

FIGURES = {
    "private_accuracy": "{private} named right, strongest attacker, %",
    "excess": "Excess advantage E",
    "target_accuracy": "{target} named right by the model, %",
}


class Section(NamedTuple):
    """One numbered section: which template draws it, its short name, and the sentence that opens it."""

    kind: str
    name: str
    lede: str
    body: dict[str, Any]


class Card(NamedTuple):
    """One verdict, with its limits."""

    entry: Entry
    glyph: Markup
    key: Markup
    says: tuple[str, str, str]
    ruler: Markup
    facts: list[tuple[str, str, str]]
    limits: str


def title(report: Report) -> str:
    """What the page is about, in one line."""
    names = _entries.short([audit.name for audit in report.audits])
    privates = _figures.joined([private for private, _ in _entries.questions(report)])
    if len(names) > 3:  # noqa: PLR2004 (more names than a title holds)
        return f"What {len(names)} models give away about the {privates}"
    return f"What {_figures.joined(names)} {'gives' if len(names) == 1 else 'give'} away about the {privates}"


def dek(report: Report) -> str:
    """The question of the report."""
    rows = max(entry.attribute.rows.scored for entry in _entries.entries(report))
    private = _figures.joined([private for private, _ in _entries.questions(report)])
    of_rows = all(_words.things(entry) == "rows" for entry in _entries.entries(report))
    a_row = "a row" if of_rows else "an image"
    return (
        f"Can someone who holds only the bottleneck embedding of {a_row} name its {private}? "
        f"Attackers learned from labelled embeddings and were scored on {rows} that they had not seen."
    )


def facts(report: Report) -> list[tuple[str, str]]:
    """The line of facts under the title."""
    audit = report.audits[0]
    part = audit.attributes[0]
    classes = f"{part.target}, {len(part.target_classes)} classes" if part.target else "none: nothing conditioned on"
    privates = {e.attribute.private: len(e.attribute.classes) for e in _entries.entries(report)}
    tolerances = sorted({_figures.tau(one.tolerance) for one in report.audits})
    whence = [(one.data.get("name", "?"), one.data.get("split", "?")) for one in report.audits]
    data = list(dict.fromkeys(", ".join(filter(None, map(str, part))) for part in whence))
    return [
        ("Private", "; ".join(f"{name}, {count} classes" for name, count in privates.items())),
        ("Target", classes),
        ("Attacked on", "; ".join(data[:3]) + (f" and {len(data) - 3} more" if len(data) > 3 else "")),  # noqa: PLR2004
        ("Rows", f"{part.rows.scored} scored, {_entries.scheme(part.rows)}"),
        ("Tolerance", f"τ {' and '.join(tolerances)} on E"),
        ("Suite", f"v{audit.suite}"),
    ]


def verdict(report: Report) -> Section:
    """The verdicts in words, each with its limits, and which leaks less."""
    found = _entries.entries(report)
    names = _names(report)
    body = {
        "warnings": _words.warned(report),
        "cards": [_card(entry, i, report) for i, entry in enumerate(found)],
        "told": [_words.told(part, names) for part in report.comparisons],
        "alone": len(report.audits) == 1,
        "gates": report.gates,
        "limits": _limits(report, found),
        "paper": _words.papers_said(found),
    }
    return Section("verdict", "Verdict", _words.verdicts(report), body)


def _card(entry: Entry, number: int, report: Report) -> Card:
    part, figures = entry.attribute, entry.attribute.figures
    lines = [
        ("Strongest attacker", _entries.strongest(part), ""),
        ("Excess advantage E", _figures.three(figures.excess.value), _figures.bounds(figures.excess)),
        ("Private accuracy", f"{_figures.percent(figures.private_accuracy.value)} %",
         _figures.bounds(figures.private_accuracy, of="%")),
    ]  # fmt: skip
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
    lines += [(gate.gate, f"{gate.outcome}: {gate.reason}", "") for gate in _gates(entry, report)]
    lines.append(("Why", part.reason, ""))
    return Card(
        entry=entry,
        glyph=strips.glyph(part.verdict),
        key=strips.key(entry.place),
        says=_words.says(entry),
        ruler=strips.ruler(entry.place, figures.excess, entry.audit.tolerance, name=f"e{number}", label=entry.name),
        facts=lines,
        limits=_words.limits(entry),
    )


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
        f"Not tested: {_words.not_tested(report.audits[0])}.",
    ]
    if any(entry.attribute.target is None for entry in found):
        limits.append(
            "No target was named: nothing was conditioned on, and what a target would explain counts as read."
        )
    if _words.models(report.audits) > 1:
        limits.append("What cannot be told: whether the method did it or the training seed; each is one checkpoint.")
    if said := _words.papers_said(found):
        limits.append(f"{said} It cannot decide.")
    return limits


def scatter(report: Report) -> Section | None:
    """Private against target accuracy, and the differences in figures."""
    names, figures = _names(report), []
    for number, (private, group) in enumerate(_entries.questions(report)):
        compared = [part for part in report.comparisons if part.private == private]
        drawn = [entry for entry in group if entry.audit.utility]
        if drawn or compared:
            figures.append(
                {
                    "private": private,
                    "svg": charts.scatter(group, f"x{number}") if drawn else "",
                    "keys": [(e, strips.key(e.place)) for e in drawn] if len(drawn) > 2 else [],  # noqa: PLR2004
                    "papers": any(_entries.paper(entry.attribute) for entry in drawn),
                    "target": drawn[0].audit.utility.target if drawn and drawn[0].audit.utility else "",
                    "tables": [_table(part, names, group[0]) for part in compared],
                }
            )
    lede = _traded(report, names) or _tasks(_entries.entries(report))
    return Section("scatter", "Private against target", lede, {"figures": figures}) if figures else None


def _table(part: Comparison, names: dict[str, str], entry: Entry) -> dict[str, Any]:
    words = {"private": entry.attribute.private, "target": entry.audit.utility.target if entry.audit.utility else ""}
    rows = []
    for one in part.differences:
        unit = "E" if one.figure == "excess" else "%"
        change = one.difference
        task = one.figure == "target_accuracy"
        better = names[part.second if (change.value > 0) == task else part.first]
        tells = f"yes, {better} {'is more accurate' if task else 'leaks less'}" if _figures.can_tell(change) else ""
        shown, ends = _figures.change(one)
        rows.append(
            {
                "figure": _words.capital(FIGURES[one.figure].format(**words)),
                "first": _figures.figure(one.first, unit),
                "second": _figures.figure(one.second, unit),
                "change": shown,
                "bounds": ends,
                "tells": tells,
            }
        )
    return {"first": names[part.first], "second": names[part.second], "part": part, "rows": rows}


def _traded(report: Report, names: dict[str, str]) -> str:
    """For two models: what the later one gained and lost, as far as the data can tell."""
    if len(report.comparisons) != 1:
        return ""
    part = report.comparisons[0]
    changes = {one.figure: one for one in part.differences}
    excess, task = changes["excess"], changes.get("target_accuracy")
    first, second = names[part.first], names[part.second]
    if not _figures.can_tell(excess.difference):
        words = f"Which of {first} and {second} gives away less of the {part.private}, the data cannot tell"
    elif excess.difference.value < 0 and excess.first > 0:
        way = _figures.percent(min(1.0, -excess.difference.value / excess.first))
        words = f"{second} went {way} % of the way from {first}'s leak to guessing"
    else:
        words = f"{second} gives away more of the {part.private} than {first}"
    if task is None:
        return f"{words}."
    if not _figures.can_tell(task.difference):
        return f"{words}; which is better at its task, the data cannot tell."
    better = "better" if task.difference.value > 0 else "worse"
    return f"{words}, and is {better} at its task by {_figures.percent(abs(task.difference.value))} points."


def _tasks(found: Sequence[Entry]) -> str:
    known = [entry for entry in found if entry.audit.utility]
    if len({entry.place for entry in known}) == 1 and known[0].audit.utility:
        utility = known[0].audit.utility
        read = [
            f"the {e.attribute.private} of {_figures.percent(e.attribute.figures.private_accuracy.value)} %"
            for e in known
        ]
        share = f"{_figures.percent(utility.accuracy.value)} % of {_words.things(known[0])}"
        task = f"the {utility.target} of {share}"
        return f"{known[0].name} names {task}; an attacker names {_figures.joined(read)}."
    return "What each model does for its task, and what it gives away on the way."


def _names(report: Report) -> dict[str, str]:
    long = [audit.name for audit in report.audits]
    return dict(zip(long, _entries.short(long), strict=True))


def badge(verdict: Verdict) -> Markup:
    """A verdict as a small badge."""
    leak = " leak" if verdict == "LEAK" else ""
    return Markup('<span class="badge{leak}">{glyph}{verdict}</span>').format(
        leak=leak, glyph=strips.glyph(verdict), verdict=verdict
    )
