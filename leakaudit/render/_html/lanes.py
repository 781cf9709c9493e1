"""Sections whose tables hold a lane of E for each model: baselines and target classes."""

from collections.abc import Sequence
from typing import Any

from leakaudit.render import Report, _entries, _figures, _further, _words
from leakaudit.render._drawings import cells as maps
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section, some
from leakaudit.stats import Interval

Group = Sequence[Entry]
FEW = 3
"""Models of which each is spoken of by itself."""
LESS = ("majority", "target-only", "model-output", "leace")
"""Baselines that see less than the bottleneck: they stand above it."""


def baselines(report: Report) -> Section | None:
    """What is reached from less than the bottleneck, and from more."""
    tables = []
    for private, group in _entries.questions(report):
        names = [one.baseline for entry in group for one in entry.attribute.baselines]
        order = sorted(dict.fromkeys(names), key=_place)
        if not order:
            continue
        order = [name for name in order if any(_entries.baseline(entry.attribute, name) for entry in group)]
        rows = [_baseline(group, name) for name in order]
        rows.insert(sum(name in LESS for name in order), _bottleneck(group))
        axis = strips.scale([(0, "0"), (group[0].audit.tolerance, "τ"), (1, "1")], _width(group), inset=6)
        tables.append(
            {"private": private, "models": [(e, strips.key(e.place)) for e in group], "rows": rows, "axis": axis}
        )
    if not tables:
        return None
    found = _entries.entries(report)
    lede = _left(found) or "What is reached from less than the bottleneck, and from more."
    erased = [_told(entry, words, found) for entry in found if (words := _further.erased(entry))]
    body = {"absent": _absent(found), "tables": tables, "untrained": _untrained(found), "erased": erased}
    return Section("baselines", "Baselines", lede, body)


def _absent(found: Group) -> str:
    """Baselines that apply to no model, by their reasons."""
    named = {one.baseline for entry in found for one in entry.attribute.baselines}
    reasons: dict[str, list[str]] = {}
    for name in sorted(named, key=_place):
        if any(_entries.baseline(entry.attribute, name) for entry in found):
            continue
        notes = [one.note for entry in found for one in entry.attribute.baselines if one.baseline == name and one.note]
        why = "; ".join(dict.fromkeys(note.removeprefix("does not apply: ") for note in notes)) or "no reason given"
        reasons.setdefault(why, []).append(_words.SEES.get(name, (name,))[0])
    said = [f"{_figures.joined(names)} ({why})" for why, names in reasons.items()]
    return f"Not applicable: {'; '.join(said)}." if said else ""


def _left(found: Group) -> str:
    """What still leaks of what there was, with its bounds for a pair; of many the least and the most."""
    known = [(share, entry) for entry in found if (share := _share(entry)) is not None]
    if not known:
        return ""
    what = "What still leaks, of what the raw input holds"
    if len(known) > FEW:
        known.sort(key=lambda pair: pair[0].value)
        (low, least), (high, most) = known[0], known[-1]
        ends = f"from {_figures.percent(low.value)} % for {least.label} to {_figures.percent(high.value)} %"
        return f"{what}: {ends} for {most.label}."
    bounded = len(known) < FEW and all(entry.attribute.share_of_raw for _, entry in known)
    shares = [
        _figures.with_bounds(share, "%") if bounded else f"{_figures.percent(share.value)} %" for share, _ in known
    ]
    return f"{what}: {_figures.joined([f'{w} for {e.label}' for w, (_, e) in zip(shares, known, strict=True)])}."


def _share(entry: Entry) -> Interval | None:
    """E as a share of the raw input's, not below nothing; without bounds of its own where they were not computed."""
    paired, share = entry.attribute.share_of_raw, _entries.still(entry.attribute)
    if paired is not None:
        return Interval(max(0.0, paired.value), *paired[1:])
    return None if share is None else Interval(max(0.0, share), 0.0, 0.0)


def _told(entry: Entry, words: str, found: Group) -> str:
    """A sentence, after the model's name where there are several."""
    return f"{entry.label}: {words}." if len(found) > 1 else f"{_words.capital(words)}."


def _untrained(found: Group) -> str:
    """What training added to the leak of an untrained encoder, paired by row; or that such an encoder leaks too."""
    paired = [entry for entry in found if entry.attribute.above_random is not None]
    if len(paired) > FEW:
        return " ".join(_tell(paired))
    if paired:
        return " ".join(_told(entry, _further.above(entry), found) for entry in paired)
    known = [
        (e, one.figures.excess) for e in found if (one := _entries.baseline(e.attribute, "random-init")) and one.figures
    ]
    over = [(entry, excess) for entry, excess in known if excess.low > entry.audit.tolerance]
    if not over or len(over) < len(known):
        return ""
    least = _figures.three(min(excess.value for _, excess in over))
    return f"An encoder that was never trained has an E of at least {least} here: the leak is where training starts."


def _tell(paired: Group) -> list[str]:
    """Whose E is above, below or about that of an untrained encoder."""
    ways: dict[str, list[str]] = {"above": [], "below": [], "not to be told from": []}
    for entry in paired:
        change = entry.attribute.above_random
        assert change is not None
        way = "above" if change.low > 0 else "below" if change.high < 0 else "not to be told from"
        ways[way].append(entry.label)
    return [f"E is {way} that of an untrained encoder for {some(who)}." for way, who in ways.items() if who]


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
    tables, ledes, drawings = [], [], maps.draw(report)
    even: list[str] = []
    for private, asked in _entries.questions(report):
        group = [entry for entry in asked if len(entry.attribute.cells) > 1]
        names = list(dict.fromkeys(cell.target for entry in group for cell in entry.attribute.cells))
        if not group:
            continue
        uneven, same = _uneven(group)
        ledes += uneven
        even += same
        rows = []
        for name in names:
            found = [(e, next((c for c in e.attribute.cells if c.target == name), None)) for e in group]
            cells = [_cell(group, cell.excess) if cell else ("", "") for _, cell in found]
            drawn = [(entry.place, cell.excess) for entry, cell in found if cell]
            counts = sorted({cell.rows for _, cell in found if cell})
            rows.append(
                {
                    "name": name,
                    "rows": " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))),
                    "cells": cells,
                    "strip": strips.lanes(drawn, group[0].audit.tolerance, width=_width(group)),
                }
            )
        axis = strips.scale([(0, "0"), (group[0].audit.tolerance, "τ"), (1, "1")], _width(group), inset=6)
        models = [(entry, strips.key(entry.place)) for entry in group]
        target = group[0].attribute.target or "stratum"
        worst = [
            _told(e, f"most is surely read with {words}", group)
            for e in group
            if _surely(e) and (words := _further.worst(e))
        ]
        tables.append(
            {
                "private": private,
                "target": target,
                "models": models,
                "rows": rows,
                "axis": axis,
                "worst": worst,
                "drawn": [one for one in drawings if one.private == private],
            }
        )
    if even:
        what = "models" if len(tables) == 1 else "pairs of model and attribute"
        alike = f"For {some(even, what)}, E differs between classes by no more than these rows explain."
        ledes = [*ledes[: FEW - 1], alike]
    return Section("classes", "E by class", " ".join(ledes[:FEW]), {"tables": tables}) if tables else None


def _surely(entry: Entry) -> bool:
    """Whether anything is surely read in the target class in which most is."""
    cell = entry.attribute.worst
    return cell is not None and cell.excess.low > 0


def _uneven(group: Group) -> tuple[list[str], list[str]]:
    """What is said of the models whose leak is uneven, and the names of the others."""
    words: list[str] = []
    even: list[str] = []
    for entry in group:
        cells = sorted(entry.attribute.cells, key=lambda cell: cell.excess.value)
        low, high, target = cells[0], cells[-1], entry.attribute.target or "stratum"
        if high.excess.low > low.excess.high:
            most = f"{high.excess.value:.2f} where the {target} is {high.target}"
            least = f"{low.excess.value:.2f} where it is {low.target}"
            words.append(f"The leak of {entry.label} is uneven: E is {most}, {least}.")
        else:
            even.append(entry.label)
    if len(words) > FEW:
        words = [f"The leak of {len(group) - len(even)} models is uneven from {target} to {target}."]
    return words, even
