"""Markdown for a pull request or a job summary: the verdict first, what proves it folded."""

import re
from collections.abc import Iterator, Sequence

from leakaudit.render import (
    Comparison,
    Report,
    _annex,
    _entries,
    _figures,
    _further,
    _measures,
    _tame,
    _thumbnails,
    _words,
)
from leakaudit.render._entries import Entry

BAR = 20
"""Letters of a drawn E."""


def render(report: Report, *, width: int) -> str:
    """The report; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    found = _entries.entries(tamed)
    parts = [*_head(tamed, found), *_folded(tamed, found)]
    return "\n\n".join(parts) + "\n"


def _head(report: Report, found: Sequence[Entry]) -> Iterator[str]:
    yield f"## {report.verdict}: {_text(_words.verdicts(report))}"
    names = dict(zip([a.name for a in report.audits], _entries.short([a.name for a in report.audits]), strict=True))
    for words in _words.warned(report):
        yield f"> [!WARNING]\n> {_text(words)}."
    for gate in report.gates:
        yield f"Gate `{gate.gate.replace('`', '')}`: **{gate.outcome}**, {_text(gate.reason)}."
    for private, group in _entries.questions(report):
        yield _verdicts(private, group)
    lines = [f"- {_text(_words.told(part, names))}" for part in report.comparisons]
    if _words.models(report.audits) > 1:
        lines.append("- Cannot be told: whether the method or the training seed did it; each is one checkpoint.")
    unmeasured = {audit.name: said for audit in report.audits if (said := _words.unmeasured(audit))}
    lines += [f"- **Its own task**, {_text(name)}: {_text(said)}." for name, said in unmeasured.items()]
    lines += [f"- **Why**, {_text(entry.label)}: {_text(entry.attribute.reason)}." for entry in found]
    lines += dict.fromkeys(f"- **Limits:** {_text(_words.limits(entry))}" for entry in found)
    lines.append(f"- **Not tested:** {_text(_words.not_tested(report.audits[0]))}.")
    yield "\n".join(lines)


def _verdicts(private: str, group: Sequence[Entry]) -> str:
    tolerance, chance = group[0].audit.tolerance, 1 / len(group[0].attribute.classes)
    rows = []
    for entry in group:
        figures, task = entry.attribute.figures, entry.audit.utility
        read = f"{_figures.percent(figures.private_accuracy.value)} {_figures.bounds(figures.private_accuracy, of='%')}"
        excess = f"{_figures.three(figures.excess.value)} {_figures.bounds(figures.excess)}"
        own = _figures.percent(task.accuracy.value) if task else ""
        drawn = _bar(figures.excess.value, entry.audit.tolerance)
        rows.append([_text(entry.audit.name), f"**{entry.attribute.verdict}**", read, drawn, excess, own])
    rows.append(["guessing", "", _figures.percent(chance), _bar(0, tolerance), "0", ""])
    target = next((entry.audit.utility.target for entry in group if entry.audit.utility), "target")
    head = [
        "model",
        "verdict",
        f"{_text(private)} named right, %",
        f"E from 0 to 1, `┊` is τ {_figures.tau(tolerance)}",
    ]
    return _table([*head, "E [95 %]", f"{_text(target)} named right, %"], rows, right=(2, 4, 5))


def _folded(report: Report, found: Sequence[Entry]) -> Iterator[str]:
    names = dict(zip([a.name for a in report.audits], _entries.short([a.name for a in report.audits]), strict=True))
    for comparison in report.comparisons:
        entry = next(one for one in found if one.attribute.private == comparison.private)
        pair = f"{names[comparison.second]} beside {names[comparison.first]}, {comparison.private}"
        how = f"paired on {comparison.rows} rows" if comparison.paired else "unpaired"
        yield _fold(f"Differences: {pair} ({how})", _differences(comparison, names, entry))
    for private, group in _entries.questions(report):
        yield _fold(f"Attackers on {private}", _attackers(group))
        if any(entry.attribute.baselines for entry in group):
            yield _fold(f"Baselines for {private}", _baselines(group))
        for entry in group:
            who = f" from {entry.name}" if len(group) > 1 else ""
            yield _fold(f"What else is known of {private}{who}", _further_said(entry))
    if any(entry.attribute.controls for entry in found):
        yield _fold(f"Controls: {_words.controls_said(found)}", _controls(found))
    if said := _thumbnails.elsewhere(report):
        yield _text(said)
    if said := _words.papers_said(found):
        yield _fold("What the papers' protocol would have said", f"{_text(said)} Kept for comparison, never decides.")
    if notes := _words.noted(report):
        yield _fold("Notes on rows and labels", "\n".join(f"- {_text(note)}" for note in notes))
    yield _fold("What was tested, and what was not", _scope(report))
    yield _fold("Provenance, and how to repeat this", _provenance(report))


def _differences(comparison: Comparison, names: dict[str, str], entry: Entry) -> str:
    task = entry.audit.utility.target if entry.audit.utility else ""
    rows = []
    for part in comparison.differences:
        unit = _measures.unit(part.figure)
        head = _measures.label(part.figure, private=entry.attribute.private, target=task)
        values = (_figures.figure(part.first, unit), _figures.figure(part.second, unit))
        tells = _words.tells(part, names[comparison.first], names[comparison.second])
        tells = _text(tells) if tells != "no" else "**no**"
        rows.append([_text(head), *values, " ".join(_figures.change(part)), tells])
    pair = [_text(names[comparison.first]), _text(names[comparison.second])]
    return _table(["figure", *pair, "difference [95 %]", "can the data tell?"], rows, right=(1, 2, 3))


def _attackers(group: Sequence[Entry]) -> str:
    rows = []
    for entry in group:
        for row in _entries.rows(entry):
            bold = "**" if row.decides else ""
            attacker = _entries.strongest(entry.attribute, brief=True) if row.decides else row.attacker
            accuracy = _figures.percent(row.figures.private_accuracy.value)
            excess = f"{bold}{_figures.three(row.figures.excess.value)}{bold} {_figures.bounds(row.figures.excess)}"
            against = row.against.replace("*", "\\*")
            rows.append([_text(entry.name), f"{bold}{_text(attacker)}{bold}", row.auxiliary, accuracy, excess, against])
    note = (
        "Bold decides: chosen on held-out rows, scored once. `above`, `across`, `under`: the interval of E against τ. "
    )
    if any(row[-1].startswith("open") for row in rows):
        note += "`open`: too few groups for bounds, the interval is too narrow. "
    table = _table(["model", "attacker", "labels", "accuracy, %", "E [95 %]", "E against τ"], rows, right=(3, 4))
    return f"{table}\n\n{note}\\*: did not converge."


def _baselines(group: Sequence[Entry]) -> str:
    rows = []
    for name in dict.fromkeys(one.baseline for entry in group for one in entry.attribute.baselines):
        ones = [_entries.baseline(entry.attribute, name) for entry in group]
        cells = [_figures.three(one.figures.excess.value) if one and one.figures else "does not apply" for one in ones]
        rows.append([_text(_words.SEES.get(name, (name,))[0]), *cells])
    own = [f"**{_figures.three(entry.attribute.figures.excess.value)}**" for entry in group]
    rows.append(["**the bottleneck**", *own])
    heads = [f"{_text(entry.name)}, E" for entry in group]
    return _table(["what the attacker sees", *heads], rows, right=tuple(range(1, len(group) + 1)))


def _further_said(entry: Entry) -> str:
    """One line for each figure beside E, accuracy and bits."""
    return "\n".join(f"- **{label}:** {_text(words)}." for label, words in _further.further(entry))


def _controls(found: Sequence[Entry]) -> str:
    rows = []
    for name in dict.fromkeys(one.control for entry in found for one in entry.attribute.controls):
        cells = []
        for entry in found:
            one = next((one for one in entry.attribute.controls if one.control == name), None)
            held = {True: "held", False: "**failed**", None: "does not apply"}[one.passed] if one else "not asked"
            cells.append(f"{held}; {_text(one.note)}" if one and one.note else held)
        label, must = _words.CONTROLS.get(name, (name, ""))
        rows.append([_text(label), must, *cells])
    return _table(["control", "must", *(_text(entry.label) for entry in found)], rows)


def _scope(report: Report) -> str:
    """The annex: the table of what was tested, the rules of wording, and the texts in which it has a place."""
    annex = _annex.annex(report)
    rows = [[_text(one.attack), f"**{one.tested}**", _text(one.done), _text(one.named)] for one in annex.scope]
    texts = [list(map(_text, (one.document, one.version, one.says, one.adds, one.read))) for one in annex.sources]
    readers = [f"- **{who}:** {_text(what)}." for who, what in annex.readers]
    return "\n\n".join(
        (
            _text(annex.lede),
            _table(["attack", "in this report", "what was done", "named by"], rows),
            f"{_text(annex.rule)} {_text(annex.special)}",
            "\n".join([*readers, *(f"- **It is not** {_text(words)}." for words in annex.is_not)]),
            _table(["text", "version", "what it says", "what this report adds", "what was read"], texts),
            _text(annex.note),
        )
    )


def _provenance(report: Report) -> str:
    rows = []
    for audit in report.audits:
        what = _words.hashed(audit).removesuffix(", sha256")
        rows.append([f"{what}, {_text(audit.name)}", f"`{str(audit.subject.get('sha256', '?')).replace('`', '')}`"])
        if file := str(audit.subject.get("file_sha256") or "").replace("`", ""):
            rows.append([f"file (its bytes), {_text(audit.name)}", f"`{file}`"])
        rows.append([f"data, {_text(audit.name)}", f"`{str(audit.data.get('fingerprint', '?')).replace('`', '')}`"])
    lines = [str(audit.provenance.get("command") or "") for audit in report.audits]
    commands = "\n".join(dict.fromkeys(line for text in lines for line in text.split("\n") if line))
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", commands) or [""]))
    ways = "".join(f"\n\nImages enter as {_text(way)}." for way in _words.prepared(report))
    return _table(["object", "sha256"], rows) + ways + (f"\n\n{fence}\n{commands}\n{fence}" if commands else "")


def _bar(value: float, tolerance: float) -> str:
    end, mark = (round(max(0.0, min(1.0, part)) * (BAR - 1)) for part in (value, tolerance))
    cells = ["━" if i < end else "─" for i in range(BAR)]
    cells[mark] = "┊"
    cells[end] = "●"
    return f"`{''.join(cells)}`"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: tuple[int, ...] = ()) -> str:
    rule = ["--:" if i in right else ":--" for i in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _fold(title: str, body: str) -> str:
    return f"<details>\n<summary>{_text(title)}</summary>\n\n{body}\n\n</details>"


def _text(words: str) -> str:
    """Words in which nothing is markup: HTML, table bars, links, emphasis, mentions, addresses."""
    return re.sub(r"[&<>@\\`|\[\]*#~!]|(?<!\w)_|_(?!\w)|(?<=http):|(?<=https):", _escaped, words)


def _escaped(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};" if found[0] in "&<>@:" else f"\\{found[0]}"
