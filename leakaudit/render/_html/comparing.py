"""Models side by side: what differs, whether the data can tell, and who leaks least."""

from collections.abc import Sequence
from typing import Any

from leakaudit.render import Comparison, Difference, Ranking, Report, _entries, _figures, _measures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section, names, short

Group = Sequence[Entry]
FEW = 3
"""Comparisons that have a table each; more share one."""


def differences(report: Report) -> Section | None:
    """The differences of each later model and the first, and where there are three or more their ranks."""
    if not report.comparisons and not report.rankings:
        return None
    known, tables = names(report), []
    for private, group in _entries.questions(report):
        compared = [part for part in report.comparisons if part.private == private]
        ranking = next((one for one in report.rankings if one.private == private), None)
        if not compared and ranking is None:
            continue
        models = {entry.audit.name: entry for entry in group}
        tables.append(
            {
                "private": private,
                "ranks": _ranks(ranking, models, known) if ranking else None,
                "pairs": [_pair(part, known, group) for part in compared] if len(compared) <= FEW else [],
                "together": _together(compared, known, models) if len(compared) > FEW else None,
            }
        )
    return Section("differences", "Models side by side", _lede(report, known), {"tables": tables})


def _lede(report: Report, known: dict[str, str]) -> str:
    """Who leaks least; of a pair, in how many figures the data can tell the two apart."""
    if report.rankings:
        return " ".join(short(one.sentence, known) for one in report.rankings[:FEW])
    first = report.comparisons[0]
    apart = [_figures.can_tell(one.difference) for part in report.comparisons for one in part.differences]
    which = _figures.joined([known[first.first], known[first.second]])
    figures = f"figure{'s' * (len(apart) > 1)}"
    if not any(apart):
        return f"The data can tell {which} apart in no figure."
    return f"The data can tell {which} apart in {sum(apart)} of {len(apart)} {figures}."


def _label(figure: str, group: Group) -> str:
    target = next((entry.audit.utility.target for entry in group if entry.audit.utility), "")
    return _words.capital(_measures.label(figure, private=group[0].attribute.private, target=target))


def _pair(part: Comparison, known: dict[str, str], group: Group) -> dict[str, Any]:
    """One table: a row per figure."""
    first, second = known[part.first], known[part.second]
    rows = [
        {
            "figure": _label(one.figure, group),
            "first": _figures.figure(one.first, _measures.unit(one.figure)),
            "second": _figures.figure(one.second, _measures.unit(one.figure)),
            "change": _figures.change(one),
            "tells": _words.tells(one, first, second),
        }
        for one in part.differences
    ]
    return {"first": first, "second": second, "part": part, "rows": rows}


def _together(compared: Sequence[Comparison], known: dict[str, str], models: dict[str, Entry]) -> dict[str, Any]:
    """One table for many: a row per model, a column per figure, each less that of the first model."""
    figures = [
        name for name in _measures.COMPARED if any(one.figure == name for part in compared for one in part.differences)
    ]
    rows = []
    for part in compared:
        by_name = {one.figure: one for one in part.differences}
        rows.append(
            {
                "entry": models[part.second],
                "key": strips.key(models[part.second].place),
                "paired": part.paired,
                "cells": [_cell(by_name.get(name)) for name in figures],
            }
        )
    heads = [_label(name, list(models.values())) for name in figures]
    return {"first": known[compared[0].first], "heads": heads, "rows": rows}


def _cell(one: Difference | None) -> dict[str, Any]:
    """A difference; bold where the data can tell."""
    if one is None:
        return {"value": "", "bounds": "", "sort": "", "tells": False}
    value, bounds = _figures.change(one)
    sort, tells = f"{one.difference.value:.6f}", _figures.can_tell(one.difference)
    return {"value": value, "bounds": bounds, "sort": sort, "tells": tells}


def _ranks(ranking: Ranking, models: dict[str, Entry], known: dict[str, str]) -> dict[str, Any]:
    """Ranks as ranges, with E beside them."""
    found = [models[place.name] for place in ranking.places]
    tolerance, width = found[0].audit.tolerance, 300
    rows = [
        {
            "entry": entry,
            "key": strips.key(entry.place),
            "rank": str(place.best) if place.best == place.worst else f"{place.best} to {place.worst}",
            "sort": f"{place.best + place.worst / 1000:.3f}",
            "excess": _figures.three(entry.attribute.figures.excess.value),
            "bounds": _figures.bounds(entry.attribute.figures.excess),
            "strip": strips.lanes([(entry.place, entry.attribute.figures.excess)], tolerance, width=width),
            "task": _figures.percent(entry.audit.utility.accuracy.value) if entry.audit.utility else "",
        }
        for place, entry in zip(ranking.places, found, strict=True)
    ]
    target = next((entry.audit.utility.target for entry in found if entry.audit.utility), "")
    axis = strips.scale([(0, "0"), (tolerance, "τ"), (1, "1")], width, inset=6)
    return {"rows": rows, "axis": axis, "sentence": short(ranking.sentence, known), "target": target}
