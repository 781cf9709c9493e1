"""Sections that an audit of this depth adds: rows named at few false positives, labels needed, guesses as numbers."""

import math
from collections.abc import Sequence
from typing import Any

from leakaudit.finding import Memorisation, Regression
from leakaudit.render import Report, _entries, _figures, _further, _words
from leakaudit.render._drawings import learning as curves
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section

Group = Sequence[Entry]
FEW = 3
"""Models of which each is spoken of, and drawn, by itself."""
MANY = 12
"""Private classes from which a table is folded."""
DOTTED = 300
"""Pixels of a row of points."""


def operating(report: Report) -> Section | None:
    """The true positive rate of each private class where false positives are held at 1 %."""
    tables, ledes = [], []
    for private, asked in _entries.questions(report):
        group = [entry for entry in asked if entry.attribute.figures.tpr]
        if not group:
            continue
        names = list(dict.fromkeys(point.private for entry in group for point in entry.attribute.figures.tpr))
        rate = group[0].attribute.figures.tpr[0].rate
        tables.append(
            {
                "private": private,
                "rate": f"{100 * rate:g} %",
                "models": [(entry, strips.key(entry.place)) for entry in group],
                "rows": [(name, [_named(entry, name) for entry in group]) for name in names],
                "heads": names,
                "columns": [[(_named(entry, name)["value"], "") for entry in group] for name in names],
                "drawn": len(group) <= FEW,
                "folded": len(names) > MANY,
                "axis": strips.scale([(0, "0"), (1, "100")], 96),
                "negatives": _negatives(group),
                "refused": any(point.value is None for entry in group for point in entry.attribute.figures.tpr),
            }
        )
        ledes.append(_surely(group))
    return Section("operating", "Surely named", _told(ledes[:3]), {"tables": tables}) if tables else None


def _told(sentences: Sequence[str]) -> str:
    """Sentences, of which a later one leaves out the beginning that it shares with the first."""
    first, *others = [*sentences, ""][: max(len(sentences), 1)]
    start = first[: first.find("names ") + len("names ")] if "names " in first else "."
    later = [words.removeprefix(start) for words in others]
    if later == list(others) or any(words.startswith("There ") for words in others):
        return " ".join(sentences)
    return f"{_figures.joined([part.removesuffix('.') for part in (first, *later)])}."


def _named(entry: Entry, name: str) -> dict[str, Any]:
    """The rate drawn and in figures, or why there is none."""
    point = next((point for point in entry.attribute.figures.tpr if point.private == name), None)
    if point is None or point.value is None:
        return {"value": "not asked" if point is None else "refused", "bounds": "", "strip": ""}
    return {
        "value": f"{_figures.percent(point.value.value)} %",
        "bounds": _figures.bounds(point.value, of="%"),
        "strip": strips.accuracy(entry.place, point.value, point.rate, solid=True),
    }


def _negatives(group: Group) -> str:
    """How many rows of other classes set the thresholds."""
    counts = sorted({point.negatives for entry in group for point in entry.attribute.figures.tpr})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _surely(group: Group) -> str:
    """What an attacker who must be sure names most surely, in one sentence; of many models the one it reads best."""
    known = [(point, entry) for entry in group for point in entry.attribute.figures.tpr if point.value is not None]
    private = group[0].attribute.private
    if not known:
        return f"There are too few rows to say what of the {private} is named at so few false positives."
    best: dict[str, str] = {}
    for point, entry in sorted(known, key=lambda pair: -pair[0].value.value if pair[0].value else 0.0):
        assert point.value is not None
        share = f"{_figures.percent(point.value.value)} % of the rows with {private} {point.private}"
        best.setdefault(entry.name, f"{share} in {entry.name}")
    said = list(best.values()) if len(best) <= FEW else list(best.values())[:1]
    most = "at most " if len(best) > FEW else ""
    return f"With one false name in {1 / known[0][0].rate:.0f}, an attacker names {most}{_figures.joined(said)}."


def _by(note: str, group: Sequence[Entry]) -> str:
    """Who learnt, and from which models' embeddings where it was not the same attacker for all."""
    of = [entry.name for entry in group if entry.attribute.learning_note == note]
    return f"Learnt {note}." if len(of) == len(group) else f"Learnt {note} (of {', '.join(of)})."


def learning(report: Report) -> Section | None:
    """E against the labelled rows that an attacker holds."""
    figures, ledes, drawings = [], [], curves.draw(report)
    for private, asked in _entries.questions(report):
        group = [entry for entry in asked if entry.attribute.learning]
        if not group:
            continue
        drawing = next(one for one in drawings if one.private == private)
        figures.append(
            {
                "private": private,
                "drawn": drawing,
                "words": drawing.caption if len(drawings) > 1 else drawing.caption.partition(". ")[2],
                "models": [(entry, strips.key(entry.place)) for entry in group],
                "rows": [
                    (
                        entry.label,
                        f"{point.labels:,}",
                        _figures.three(point.excess.value),
                        _figures.bounds(point.excess),
                    )
                    for entry in group
                    for point in entry.attribute.learning
                ],
                "notes": [_by(note, group) for note in dict.fromkeys(e.attribute.learning_note for e in group) if note],
            }
        )
        ledes.append(_further.shows(group) if len(group) <= FEW else f"{drawing.caption.partition('. ')[0]}.")
    return Section("learning", "Labels needed", " ".join(ledes[:3]), {"figures": figures}) if figures else None


def seeds(report: Report) -> Section | None:
    """E with further attack seeds, point by point."""
    tables: list[dict[str, Any]] = []
    most: dict[str, str] = {}
    for private, asked in _entries.questions(report):
        found = [(entry, _further.points(entry)) for entry in asked]
        found = [(entry, points) for entry, points in found if points]
        if not found:
            continue
        tolerance = found[0][0].audit.tolerance
        low, high = _ends([value for _, points in found for _, value in points])
        inside = [(_share(tolerance, low, high), "τ")] if low < tolerance < high else []
        tables.append(
            {
                "private": private,
                "axis": strips.scale([(0, f"{low:.2f}"), *inside, (1, f"{high:.2f}")], DOTTED, inset=6),
                "rows": [
                    {
                        "entry": entry,
                        "key": strips.key(entry.place),
                        "strip": strips.points(
                            entry.place,
                            [(_share(value, low, high), "decides" in name) for name, value in points],
                            [at for at, _ in inside],
                            width=DOTTED,
                        ),
                        "points": [(name, _figures.three(value)) for name, value in points],
                        "apart": _further.apart(points),
                    }
                    for entry, points in found
                ],
            }
        )
        most |= {f"the {private} in {entry.name}": _further.apart(points) for entry, points in found}
    if not tables:
        return None
    widest = max(most, key=lambda name: most[name])
    more = "" if len(most) == 1 else "at most "
    lede = f"From one attack seed to another, E varies by {more}{most[widest]}, of {widest}."
    return Section("seeds", "Attack seeds", lede, {"tables": tables})


def memorisation(report: Report) -> Section | None:
    """The memorisation gap: rows that the model was trained on beside as many attack rows."""
    tables, ledes = [], []
    for private, asked in _entries.questions(report):
        group = [(entry, found) for entry in asked if (found := entry.attribute.memorisation) is not None]
        missing = [
            (e.label, note) for e in asked if not e.attribute.memorisation and (note := _further.memorisation(e))
        ]
        if not group and not missing:
            continue
        tolerance = asked[0].audit.tolerance
        tables.append(
            {
                "private": private,
                "axis": strips.scale([(0, "0"), (tolerance, "τ"), (1, "1")], 150),
                "models": [_kinds(entry, found) for entry, found in group],
                "missing": missing,
            }
        )
        ledes += [f"Of the {private} in {entry.name}, {_further.gap(found)}." for entry, found in group]
    lede = " ".join(ledes[:3]) or "There are too few rows that the model was trained on."
    return Section("memorisation", "Memorisation", lede, {"tables": tables}) if tables else None


def _kinds(entry: Entry, found: Memorisation) -> dict[str, Any]:
    """Both kinds of rows, and the gap between them."""
    kinds = (("rows that it was trained on", found.trained), ("attack rows of the same mix", found.unseen))
    return {
        "entry": entry,
        "key": strips.key(entry.place),
        "by": "; ".join((found.attacker, *found.notes)),
        "rows": [
            {
                "kind": kind,
                "count": f"{found.rows:,}",
                "read": _figures.percent(figures.private_accuracy.value),
                "read_bounds": _figures.bounds(figures.private_accuracy, of="%"),
                "excess": _figures.three(figures.excess.value),
                "bounds": _figures.bounds(figures.excess),
                "strip": strips.excess(
                    entry.place, figures.excess, entry.audit.tolerance, solid=figures is found.unseen
                ),
            }
            for kind, figures in kinds
        ],
        "gap": _figures.three(found.gap.value),
        "gap_bounds": _figures.bounds(found.gap),
    }


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Twentieths around all points."""
    return math.floor(20 * min(values)) / 20, (math.floor(20 * max(values)) + 1) / 20


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)


def numbers(report: Report) -> Section | None:
    """A continuous private attribute guessed as a number."""
    tables, ledes = [], []
    for private, asked in _entries.questions(report):
        group = [entry for entry in asked if entry.attribute.regression]
        if not group:
            continue
        rows = [_number(entry, found) for entry in group for found in entry.attribute.regression]
        ledes += [_nearer(entry) for entry in group]
        tables.append({"private": private, "target": group[0].attribute.target, "rows": rows})
    return Section("numbers", "As a number", " ".join(ledes[:3]), {"tables": tables}) if tables else None


def _number(entry: Entry, found: Regression) -> dict[str, Any]:
    """Each figure of one regression with its bounds; what the target alone is off by has none."""
    shown = {
        "mae": (found.mae, "any"),
        "gain": (found.gain, "any"),
        "r2": (found.r2, "bits"),
        "bits": (found.bits, "bits"),
    }
    cells = {
        name: (_figures.figure(interval.value, unit), _figures.bounds(interval, of=unit)) if interval else ("", "")
        for name, (interval, unit) in shown.items()
    }
    usual = {"usual": (_figures.number(found.mae_target), "")}
    return {"entry": entry, "key": strips.key(entry.place), "attacker": found.attacker, **usual, **cells}


def _nearer(entry: Entry) -> str:
    """What the best regression gains over naming what is usual."""
    best = max(entry.attribute.regression, key=lambda found: found.gain.value)
    private, name = entry.attribute.private, entry.name
    if best.gain.low <= 0:
        return f"No guess at the {private} from {name} is nearer than what is usual, as far as these rows tell."
    off, usual = _figures.number(best.mae.value), _figures.number(best.mae_target)
    told = f"for its {entry.attribute.target} " if entry.attribute.target else ""
    return _words.capital(
        f"guesses at the {private} from {name} are off by {off}, where naming what is usual {told}is off by {usual}."
    )
