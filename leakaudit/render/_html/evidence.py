"""The evidence: attackers, and the papers' protocol."""

from collections.abc import Sequence
from typing import Any

from leakaudit.render import Report, _entries, _figures, _further, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section, badge, some

Group = Sequence[Entry]
MANY = 24
"""Models and attributes of which every finding stands on the page; of more, the strongest of each kind of labels."""


def attackers(report: Report) -> Section | None:
    """Every attacker with every auxiliary."""
    if not any(entry.attribute.findings for entry in _entries.entries(report)):
        return None
    tables, found = [], _entries.entries(report)
    brief = len(found) > MANY
    for private, group in _entries.questions(report):
        chance, tolerance = 1 / len(group[0].attribute.classes), group[0].audit.tolerance
        ranked = any(row.figures.auc for entry in group for row in _entries.rows(entry))
        tables.append(
            {
                "private": private,
                "count": sum(len(entry.attribute.findings) for entry in group),
                "axis": strips.scale([(0, "0"), (tolerance, "τ"), (1, "1")], _wide(ranked)),
                "guess": strips.scale([(chance, f"{100 * chance:.0f}"), (1, "100")], 96),
                "models": [_model(entry, chance, ranked, brief) for entry in group],
                "ranked": ranked,
                "brief": brief,
            }
        )
    words: dict[str, list[str]] = {}
    for entry in found:
        if entry.attribute.findings:
            words.setdefault(_curved(entry), []).append(entry.name)
    lede = " ".join(sentence.format(names=some(who)) for sentence, who in words.items())
    auxiliaries = {finding.auxiliary for entry in found for finding in entry.attribute.findings}
    notes = {
        ", ".join([finding.attacker, finding.auxiliary, *[entry.label] * (len(found) > 1)]): "; ".join(finding.notes)
        for entry in found
        for finding in entry.attribute.findings
        if finding.notes
    }
    detected = [
        f"{entry.label}: {_further.detected(entry)}." if len(found) > 1 else f"Detection: {_further.detected(entry)}."
        for entry in found
        if entry.attribute.p_h is not None
    ]
    body = {
        "detected": detected,
        "tables": tables,
        "auxiliaries": auxiliaries,
        "open": any(row.against.startswith("open") for entry in found for row in _entries.rows(entry)),
        "suite": report.audits[0].suite,
        "notes": notes,
    }
    return Section("attackers", "Attackers", lede, body)


def _wide(ranked: bool) -> int:  # noqa: FBT001 (whether the AUC stands beside it)
    return 120 if ranked else 150


def _model(entry: Entry, chance: float, ranked: bool, brief: bool) -> dict[str, Any]:  # noqa: FBT001
    rows = []
    for row in _strongest(entry) if brief else _entries.rows(entry):
        figures = row.figures
        rows.append(
            {
                "row": row,
                "attacker": _entries.strongest(entry.attribute, brief=True) if row.decides else row.attacker,
                "accuracy": _figures.percent(figures.private_accuracy.value),
                "accuracy_bounds": _figures.bounds(figures.private_accuracy, of="%"),
                "accuracy_strip": strips.accuracy(entry.place, figures.private_accuracy, chance, solid=row.counts),
                "excess": _figures.three(figures.excess.value),
                "bounds": _figures.bounds(figures.excess),
                "strip": strips.excess(
                    entry.place, figures.excess, entry.audit.tolerance, solid=row.counts, width=_wide(ranked)
                ),
                "bits": _figures.figure(figures.bits.value, "bits") if figures.bits else "",
                "auc": f"{figures.auc.value:.2f}" if figures.auc else "",
                "badge": badge(entry.attribute.verdict) if row.decides else "",
            }
        )
    return {"entry": entry, "key": strips.key(entry.place), "rows": rows}


def _strongest(entry: Entry) -> list[_entries.Row]:
    """The deciding row, and the strongest attacker of each other kind of labels."""
    found: dict[str, _entries.Row] = {}
    for row in _entries.rows(entry):
        found.setdefault(row.auxiliary, row)
    return list(found.values())


def _curved(entry: Entry) -> str:
    """Whether a straight line is enough, in one sentence with a place for the names of which it is true."""
    part, tolerance = entry.attribute, entry.audit.tolerance
    lines = [f for f in part.findings if f.attacker == "linear" and f.auxiliary == "balanced"]
    limit = f"the tolerance of {_figures.tau(tolerance)}"
    if part.upper <= tolerance:
        return f"No attacker on {{names}} exceeds {limit} (95 %)."
    if part.figures.lower <= tolerance:
        return f"Whether an attacker on {{names}} exceeds {limit} is open."
    if lines and lines[0].figures.excess.value >= 0.9 * part.figures.excess.value:
        return f"A straight line is enough to read the {_braced(part.private)} from {{names}}."
    if lines and lines[0].figures.excess.high <= tolerance:
        return f"{{names}} hides the {_braced(part.private)} from straight lines, not from {_braced(part.attacker)}."
    return f"The strongest attacker on {{names}} is {_braced(_entries.strongest(part))}."


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def papers(report: Report) -> Section | None:
    """What the papers' own protocol would have said of the same models."""
    tables = []
    for private, group in _entries.questions(report):
        chance, rows = 1 / len(group[0].attribute.classes), []
        for entry in group:
            said = _entries.paper(entry.attribute)
            if said is None:
                continue
            for label, figures, solid in (
                (f"{said.attacker}, as the papers do", said.figures, False),
                ("the chosen one, balanced labels", entry.attribute.figures, True),
            ):
                read = figures.private_accuracy
                rows.append(
                    {
                        "entry": entry, "key": strips.key(entry.place), "label": label, "solid": solid,
                        "accuracy": _figures.percent(read.value), "bounds": _figures.bounds(read, of="%"),
                        "strip": strips.accuracy(entry.place, read, chance, solid=solid),
                        "follows": _figures.percent(figures.follows_target),
                    }
                )  # fmt: skip
        if rows:
            axis = strips.scale([(chance, f"{100 * chance:.0f}"), (1, "100")], 96)
            target = group[0].attribute.target or "target"
            learned = _learned(group, target)
            tables.append({"private": private, "target": target, "rows": rows, "axis": axis, "learned": learned})
    said_all = _words.papers_said(_entries.entries(report))
    return Section("papers", "The papers' protocol", said_all, {"tables": tables}) if tables else None


def _learned(group: Group, target: str) -> str:
    """Where the papers' attacker mostly names what is usual for the target, it has learned the target."""
    known = [(entry, said.figures.follows_target) for entry in group if (said := _entries.paper(entry.attribute))]
    if not any(share > 0.5 for _, share in known):  # noqa: PLR2004 (most answers)
        return ""
    if len(known) > 4:  # noqa: PLR2004 (a sentence)
        low, high = (_figures.percent(end([share for _, share in known])) for end in (min, max))
        return f"Here {low} to {high} % of its answers are what is usual for the {target}, right or wrong."
    shares = _figures.joined([f"{_figures.percent(share)} % of its answers for {entry.name}" for entry, share in known])
    return f"Here {shares} are what is usual for the {target}, right or wrong."
