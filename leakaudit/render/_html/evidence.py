"""The evidence: attackers, the papers' protocol, baselines, classes, directions and reconstructions."""

from collections.abc import Sequence
from typing import Any

from leakaudit.render import Report, _entries, _figures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import charts, strips
from leakaudit.render._html.view import Section, badge
from leakaudit.stats import Interval

Group = Sequence[Entry]


def attackers(report: Report) -> Section | None:
    """Every attacker with every auxiliary."""
    if not any(entry.attribute.findings for entry in _entries.entries(report)):
        return None
    tables = []
    for private, group in _entries.questions(report):
        chance, tolerance = 1 / len(group[0].attribute.classes), group[0].audit.tolerance
        tables.append(
            {
                "private": private,
                "count": sum(len(entry.attribute.findings) for entry in group),
                "axis": strips.scale([(0, "0"), (tolerance, "τ"), (1, "1")], 150),
                "guess": strips.scale([(chance, f"{100 * chance:.0f}"), (1, "100")], 96),
                "models": [_model(entry, chance) for entry in group],
            }
        )
    found = _entries.entries(report)
    words: dict[str, list[str]] = {}
    for entry in found:
        if entry.attribute.findings:
            words.setdefault(_curved(entry), []).append(entry.name)
    lede = " ".join(sentence.format(names=_figures.joined(list(dict.fromkeys(who)))) for sentence, who in words.items())
    auxiliaries = {finding.auxiliary for entry in found for finding in entry.attribute.findings}
    notes = {
        f"{finding.attacker}, {finding.auxiliary}": "; ".join(finding.notes)
        for entry in found
        for finding in entry.attribute.findings
        if finding.notes
    }
    body = {"tables": tables, "auxiliaries": auxiliaries, "suite": report.audits[0].suite, "notes": notes}
    return Section("attackers", "Attackers", lede, body)


def _model(entry: Entry, chance: float) -> dict[str, Any]:
    rows = []
    for row in _entries.rows(entry):
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
                "strip": strips.excess(entry.place, figures.excess, entry.audit.tolerance, solid=row.counts),
                "bits": _figures.figure(figures.bits.value, "bits") if figures.bits else "",
                "badge": badge(entry.attribute.verdict) if row.decides else "",
            }
        )
    return {"entry": entry, "key": strips.key(entry.place), "rows": rows}


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
    shares = _figures.joined([f"{_figures.percent(share)} % of its answers for {entry.name}" for entry, share in known])
    return f"Here {shares} are what is usual for the {target}, right or wrong."


def baselines(report: Report) -> Section | None:
    """What is reached from less than the bottleneck, and from more."""
    tables = []
    for private, group in _entries.questions(report):
        names = [one.baseline for entry in group for one in entry.attribute.baselines]
        order = sorted(dict.fromkeys(names), key=_place)
        if not order:
            continue
        rows = [_baseline(group, name) for name in order]
        rows.insert(min(_place("model-output") + 1, len(rows)), _bottleneck(group))
        axis = strips.scale([(0, "0"), (group[0].audit.tolerance, "τ"), (1, "1")], _width(group), inset=6)
        tables.append(
            {"private": private, "models": [(e, strips.key(e.place)) for e in group], "rows": rows, "axis": axis}
        )
    if not tables:
        return None
    found = _entries.entries(report)
    known = [(entry, share) for entry in found if (share := _entries.still(entry.attribute)) is not None]
    shares = [f"{_figures.percent(max(0.0, share))} % for {entry.label}" for entry, share in known]
    lede = f"What still leaks, of what the raw input holds: {_figures.joined(shares)}."
    if not shares:
        lede = "What is reached from less than the bottleneck, and from more."
    return Section("baselines", "Baselines", lede, {"tables": tables, "untrained": _untrained(found)})


def _untrained(found: Group) -> str:
    """Where an untrained encoder leaks too, training did not make the leak."""
    known = [
        (e, one.figures.excess) for e in found if (one := _entries.baseline(e.attribute, "random-init")) and one.figures
    ]
    over = [(entry, excess) for entry, excess in known if excess.low > entry.audit.tolerance]
    if not over or len(over) < len(known):
        return ""
    least = _figures.three(min(excess.value for _, excess in over))
    return f"An encoder that was never trained has an E of at least {least} here: the leak is where training starts."


def _place(name: str) -> int:
    order = list(_words.SEES)
    return order.index(name) if name in order else len(order)


def _baseline(group: Group, name: str) -> dict[str, Any]:
    cells, drawn, notes = [], [], []
    for entry in group:
        one = next((one for one in entry.attribute.baselines if one.baseline == name), None)
        if one is None or one.figures is None:
            cells.append(("not asked" if one is None else "does not apply", ""))
            notes += [one.note] if one is not None and one.note else []
        else:
            cells.append(_cell(group, one.figures.excess))
            drawn.append((entry.place, one.figures.excess))
    label, more = _words.SEES.get(name, (name, ""))
    strip = strips.lanes(drawn, group[0].audit.tolerance, width=_width(group))
    note = "; ".join(dict.fromkeys(notes))
    return {"label": label, "more": f"{more}; {note}" if note else more, "cells": cells, "strip": strip, "own": False}


def _width(group: Group) -> int:
    """Pixels of a lane: narrower beside many columns of figures."""
    return 300 if len(group) <= 3 else 200  # noqa: PLR2004 (what fits on the page)


def _cell(group: Group, excess: Interval) -> tuple[str, str]:
    """E and its bounds; beside more than three models the bounds are drawn only."""
    return _figures.three(excess.value), _figures.bounds(excess) if len(group) <= 3 else ""  # noqa: PLR2004


def _bottleneck(group: Group) -> dict[str, Any]:
    cells = [_cell(group, entry.attribute.figures.excess) for entry in group]
    strip = strips.lanes(
        [(e.place, e.attribute.figures.excess) for e in group], group[0].audit.tolerance, width=_width(group)
    )
    return {"label": "the bottleneck", "more": "this audit", "cells": cells, "strip": strip, "own": True}


def classes(report: Report) -> Section | None:
    """E inside each target class."""
    tables, ledes = [], []
    for private, asked in _entries.questions(report):
        group = [entry for entry in asked if len(entry.attribute.cells) > 1]
        names = list(dict.fromkeys(cell.target for entry in group for cell in entry.attribute.cells))
        if not group:
            continue
        ledes += _uneven(group)
        rows = []
        for name in names:
            found = [(e, next((c for c in e.attribute.cells if c.target == name), None)) for e in group]
            cells = [_cell(group, cell.excess) if cell else ("", "") for _, cell in found]
            drawn = [(entry.place, cell.excess) for entry, cell in found if cell]
            count = next(cell.rows for _, cell in found if cell)
            rows.append(
                {
                    "name": name,
                    "rows": count,
                    "cells": cells,
                    "strip": strips.lanes(drawn, group[0].audit.tolerance, width=_width(group)),
                }
            )
        axis = strips.scale([(0, "0"), (group[0].audit.tolerance, "τ"), (1, "1")], _width(group), inset=6)
        models = [(entry, strips.key(entry.place)) for entry in group]
        target = group[0].attribute.target or "stratum"
        tables.append({"private": private, "target": target, "models": models, "rows": rows, "axis": axis})
    return Section("classes", "E by class", " ".join(ledes[:3]), {"tables": tables}) if tables else None


def _uneven(group: Group) -> list[str]:
    words, even = [], []
    for entry in group:
        cells = sorted(entry.attribute.cells, key=lambda cell: cell.excess.value)
        low, high, target = cells[0], cells[-1], entry.attribute.target or "stratum"
        if high.excess.low > low.excess.high:
            most = f"{high.excess.value:.2f} where the {target} is {high.target}"
            least = f"{low.excess.value:.2f} where it is {low.target}"
            words.append(f"The leak of {entry.label} is uneven: E is {most}, {least}.")
        else:
            even.append(entry.label)
    if even:
        words.append(f"For {_figures.joined(even)}, E differs between classes by no more than these rows explain.")
    return words


def directions(report: Report) -> Section | None:
    """Private classes along PC1, the papers' figure, and along the direction that separates best."""
    panels, number = [], 0
    for private, group in _entries.questions(report):
        parts = [part for entry in group for part in entry.attribute.separation]
        if not parts:
            continue
        far, shown = charts.reach(parts), []
        for entry in group:
            for part in entry.attribute.separation:
                drawn = charts.gaussians(entry, part, far, name=f"g{number}")
                shown.append({"entry": entry, "key": strips.key(entry.place), "part": part, "svg": drawn})
                number += 1
        count = max(len(part.curves) for part in parts)
        panels.append({"private": private, "shown": shown, "count": count, "most": charts.MOST})
    if not panels:
        return None
    words = []
    for entry in _entries.entries(report):
        far_apart = {part.direction: part.d_prime for part in entry.attribute.separation}
        if {"pc1", "lda"} <= set(far_apart):
            words.append(f"{far_apart['pc1']:.1f} and {far_apart['lda']:.1f} for {entry.label}")
    lede = f"d′ on PC1 and on the LDA direction: {_figures.joined(words)}. " if words else ""  # noqa: RUF001 (prime)
    return Section(
        "directions", "One direction", f"{lede}A picture of one direction clears no model.", {"panels": panels}
    )
