"""What is folded: differences, attackers, baselines, further figures, controls, the annex, and provenance."""

import re
from collections.abc import Iterator, Mapping, Sequence

from leakaudit.render import Comparison, Report, _annex, _entries, _figures, _further, _measures, _thumbnails, _words
from leakaudit.render._entries import Entry
from leakaudit.render._inert import block, code, fold, table, text
from leakaudit.render._markdown.head import MOST, NEVER, Part

STRONGEST = 5
"""Attackers of each model that are shown where there are too many."""
Group = Sequence[Entry]


def parts(report: Report, found: Group, names: Mapping[str, str]) -> Iterator[Part]:
    """Every fold, in the order in which they stand, each with how hard it is let go of."""
    for comparison in report.comparisons:
        entry = next(one for one in found if one.attribute.private == comparison.private)
        pair = f"{names[comparison.second]} beside {names[comparison.first]}, {comparison.private}"
        how = f"paired on {comparison.rows} rows" if comparison.paired else "unpaired"
        yield _folded(f"Differences: {pair} ({how})", (_differences(comparison, names, entry), 40))
    for private, group in _entries.questions(report):
        yield _folded(f"Attackers on {private}", (_attackers(group, None), 20), (_attackers(group, STRONGEST), 35))
        if any(entry.attribute.baselines for entry in group):
            yield _folded(f"Baselines for {private}", (_baselines(group), 30))
        for entry in group:
            who = f" from {entry.name}" if len(group) > 1 else ""
            yield _folded(f"What else is known of {private}{who}", (_known(entry), 10))
    if any(entry.attribute.controls for entry in found):
        yield _folded(f"Controls: {_words.controls_said(found)[:MOST]}", (_controls(found), 38))
    if said := _thumbnails.elsewhere(report):
        yield (text(said), 38), ("", NEVER)
    if said := _words.papers_said(found):
        kept = f"{text(said)} Kept for comparison, never decides."
        yield _folded("What the papers' protocol would have said", (kept, 25))
    if notes := _words.noted(report):
        yield _folded("Notes on rows and labels", ("\n".join(f"- {text(note)}" for note in notes), 15))
    yield _folded("What the figures mean", (_meanings(found), 12))
    yield _folded("What was tested, and what was not: the evidence annex", (_scope(report), NEVER))
    yield _folded("Provenance, and how to repeat this", (_provenance(report), 45))


def _folded(title: str, *forms: tuple[str, float]) -> Part:
    return (*((fold(title, body), keep) for body, keep in forms), ("", NEVER))


def _differences(comparison: Comparison, names: Mapping[str, str], entry: Entry) -> str:
    task = entry.audit.utility.target if entry.audit.utility else ""
    first, second = names[comparison.first], names[comparison.second]
    rows = []
    for part in comparison.differences:
        unit, tells = _measures.unit(part.figure), _words.tells(part, first, second)
        rows.append(
            [
                text(_measures.label(part.figure, private=entry.attribute.private, target=task)),
                _figures.figure(part.first, unit),
                _figures.figure(part.second, unit),
                " ".join(_figures.change(part)),
                "**no**" if tells == "no" else text(tells),
            ]
        )
    heads = ["figure", text(first), text(second), "difference [95 %]", "can the data tell?"]
    return table(heads, rows, right=(1, 2, 3))


def _attackers(group: Group, most: int | None) -> str:
    rows, more = [], 0
    for entry in group:
        found = _entries.rows(entry)
        more += len(found) - len(found[:most])
        for row in found[:most]:
            bold = "**" if row.decides else ""
            attacker = _entries.strongest(entry.attribute, brief=True) if row.decides else row.attacker
            accuracy = _figures.percent(row.figures.private_accuracy.value)
            excess = f"{bold}{_figures.three(row.figures.excess.value)}{bold} {_figures.bounds(row.figures.excess)}"
            against = row.against.replace("*", "\\*")
            name = f"{bold}{text(attacker)}{bold}"
            rows.append([text(entry.name), name, text(row.auxiliary), accuracy, excess, against])
    note = (
        "Bold decides: chosen on held-out rows, scored once. `above`, `across`, `under`: the interval of E against τ. "
        "\\*: did not converge."
    )
    rest = f" {more} more rows are in the document." if more else ""
    heads = ["model", "attacker", "labels", "accuracy, %", "E [95 %]", "E against τ"]
    return f"{table(heads, rows, right=(3, 4))}\n\n{note}{rest}"


def _baselines(group: Group) -> str:
    rows = []
    for name in dict.fromkeys(one.baseline for entry in group for one in entry.attribute.baselines):
        ones = [_entries.baseline(entry.attribute, name) for entry in group]
        cells = [_figures.three(one.figures.excess.value) if one and one.figures else "does not apply" for one in ones]
        rows.append([text(_words.SEES.get(name, (name,))[0]), *cells])
    own = [f"**{_figures.three(entry.attribute.figures.excess.value)}**" for entry in group]
    rows.append(["**the bottleneck**", *own])
    heads = [f"{text(entry.name)}, E" for entry in group]
    return table(["what the attacker sees", *heads], rows, right=range(1, len(group) + 1))


def _known(entry: Entry) -> str:
    """One line for each figure beside E, accuracy and bits."""
    return "\n".join(f"- **{label}:** {text(words)}." for label, words in _further.further(entry))


def _controls(found: Group) -> str:
    rows = []
    for name in dict.fromkeys(one.control for entry in found for one in entry.attribute.controls):
        cells = []
        for entry in found:
            one = next((one for one in entry.attribute.controls if one.control == name), None)
            held = {True: "held", False: "**failed**", None: "does not apply"}[one.passed] if one else "not asked"
            cells.append(f"{held}; {text(one.note)}" if one and one.note else held)
        label, must = _words.CONTROLS.get(name, (name, ""))
        rows.append([text(label), must, *cells])
    return table(["control", "must", *(text(entry.label) for entry in found)], rows)


def _meanings(found: Group) -> str:
    """What each figure of the first table is, in one clause."""
    part = found[0].attribute
    labels = {
        one.figure: text(_measures.label(one.figure, private=part.private, target=part.target or ""))
        for one in _measures.MEASURES
    }
    return "\n".join(f"- **{labels[one.figure]}:** {text(one.meaning)}." for one in _measures.MEASURES)


def _scope(report: Report) -> str:
    """The annex: the table of what was tested, the rules of wording, and the texts in which it has a place."""
    annex = _annex.annex(report)
    rows = [[text(one.attack), f"**{one.tested}**", text(one.done), text(one.named)] for one in annex.scope]
    texts = [list(map(text, (one.document, one.version, one.says, one.adds, one.read))) for one in annex.sources]
    readers = [f"- **{who}:** {text(what)}." for who, what in annex.readers]
    return "\n\n".join(
        (
            text(annex.lede),
            table(["attack", "in this report", "what was done", "named by"], rows),
            f"{text(annex.rule)} {text(annex.special)}",
            "\n".join([*readers, *(f"- **It is not** {text(words)}." for words in annex.is_not)]),
            table(["text", "version", "what it says", "what this report adds", "what was read"], texts),
            text(annex.note),
        )
    )


def _provenance(report: Report) -> str:
    rows = []
    for audit in report.audits:
        what, name = _words.hashed(audit).removesuffix(", sha256"), text(audit.name)
        for label, value in (
            (what, audit.subject.get("sha256", "?")),
            ("file (its bytes)", audit.subject.get("file_sha256")),
            ("data", audit.data.get("fingerprint", "?")),
        ):
            if value:
                rows.append([f"{label}, {name}", code(re.sub(r"\s+", " ", str(value)).strip() or "?")])
    lines = [str(audit.provenance.get("command") or "") for audit in report.audits]
    commands = "\n".join(dict.fromkeys(line for said in lines for line in said.split("\n") if line))
    ways = "".join(f"\n\nImages enter as {text(way)}." for way in _words.prepared(report))
    return table(["object", "sha256"], rows) + ways + (f"\n\n{block(commands)}" if commands else "")
