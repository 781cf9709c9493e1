"""The section of the bottleneck plot: what draws misclassified rows to another class, drawn and counted."""

from collections.abc import Sequence
from typing import Any

from leakaudit.finding import Bottleneck
from leakaudit.render import Report, _figures, _further
from leakaudit.render._drawings import bottleneck as drawing
from leakaudit.render._drawings.bottleneck import FILLED, Pair
from leakaudit.render._drawings.drawing import Drawing
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips, view
from leakaudit.render._html.view import Section

FEW = 3
"""Models, and private attributes, of which each is spoken of."""
OPEN = 4
"""Private attributes whose plots stand open; of more, the others are folded."""


def bottleneck(report: Report) -> Section | None:
    """Centroids and misclassified rows of every model that names the target."""
    panels: list[dict[str, Any]] = []
    ledes, drawings = [], iter(drawing.draw(report))
    for private, group in drawing.shown(report):
        kept = view.panels([entry for entry, _ in group])
        drawn = [(entry, found, next(drawings)) for entry, found in group]
        panels.append(
            {
                "private": private,
                "target": group[0][0].attribute.target,
                "folded": len(panels) >= OPEN,
                "alone": len(group) == 1,
                "shown": [_panel(*one) for one in drawn if one[0] in kept],
                "panelled": view.panelled([entry for entry, _ in group]),
                "planes": list(dict.fromkeys(drawing.about(found) for _, found in group)),
                "classes": max(len(entry.attribute.target_classes) for entry, _ in group),
                "colours": FILLED,
                "cells": group[0][1].cells,
                "tables": [_table(entry, found) for entry, found in group if entry in kept],
                "trained": all(found.trained for _, found in group),
                "draws": max(found.draws for _, found in group),
            }
        )
        ledes.append(_alone(*group[0]) if len(group) == 1 else _beside(group))
    if not panels:
        return None
    return Section("bottleneck", "Bottleneck", " ".join(ledes[:FEW]), {"panels": panels})


def _alone(entry: Entry, found: Bottleneck) -> str:
    """What is said of the only model."""
    target = entry.attribute.target
    if not found.away:
        none = "misclassifies no row" if not found.wrong else f"misclassifies {found.wrong:,} rows"
        return f"{entry.name} {none}{f'; none lies nearest to another {target}' * bool(found.wrong)}."
    nearest = f"{found.away:,} lie nearest to the centroid of another {target}"
    return f"Of {found.wrong:,} misclassified rows, {nearest}; {_further.sharing(entry, found)}."


def _beside(group: Sequence[Pair]) -> str:
    """What is said of several models; of many, of those whose rows share more than chance gives, the most first."""
    known = [(entry, found) for entry, found in group if found.away]
    part = group[0][0].attribute
    if not known:
        return f"No misclassified row lies nearest to another {part.target}."
    if len(known) > FEW:
        known = sorted(known, key=lambda pair: pair[1].chance - pair[1].shared)[:FEW]
    said = [
        f"{found.shared:,} of {found.away:,}{f' rows drawn to another {part.target} have its {part.private}' * first} "
        f"in {entry.name} ({'by chance ' * first}{found.chance:.1f})"
        for first, (entry, found) in ((pair is known[0], pair) for pair in known)
    ]
    return f"{_figures.joined(said)}."


def _panel(entry: Entry, found: Bottleneck, drawn: Drawing) -> dict[str, Any]:
    rows = sum(mark[-1] for mark in found.marks)
    return {
        "entry": entry,
        "key": strips.key(entry.place),
        "svg": drawn.svg,
        "found": found,
        "drawn": f"{rows:,} of {found.wrong:,}" if rows < found.wrong else f"all {found.wrong:,}",
        "words": _further.attracted(entry),
        "held": _held(found),
        "places": len(found.centroids),
        "of": len(entry.attribute.target_classes),
    }


def _held(found: Bottleneck) -> str:
    """What the plane holds; nothing of one that is no plane in the bottleneck."""
    between, share = (_figures.percent(part) for part in (found.between, found.share))
    what = {
        "pca": "the variance between centroids",
        "lda": "what sets the centroids apart, in units of the scatter within classes,",
    }.get(found.projection)
    rest = "of that of all rows" if found.projection == "pca" else "of the variance of all rows"
    return f"The plane holds {between} % of {what} and {share} % {rest}." if what else ""


def _table(entry: Entry, found: Bottleneck) -> dict[str, Any]:
    part = entry.attribute
    return {
        "entry": entry,
        "key": strips.key(entry.place),
        "rows": [
            {
                "name": part.target_classes[place.target],
                "dominant": part.classes[place.dominant] if place.dominant is not None else "none",
                "rows": f"{place.rows:,}",
                "wrong": f"{place.wrong:,}",
                "drawn": f"{place.drawn:,}",
                "shared": f"{place.shared:,}",
            }
            for place in found.centroids
        ],
    }
