"""
One self-contained HTML file: what to know first, the papers' figure 7, and the figures behind both.

In the visual language of the audit's page: its style sheet, drawings by attributes, no script, no network.
"""

from pathlib import Path
from typing import Any

from leakaudit import __version__
from leakaudit.description import Attribute, Cross, Description, Overlap
from leakaudit.render import _figures, _tame
from leakaudit.render._describe import figure, tables
from leakaudit.render._drawings.sheets import FEW, Sheet
from leakaudit.render._html import setting, strips

FOLDER = Path(__file__).parent
LINES, COLUMNS = 13, 13
"""The most lines and columns of what is drawn."""
LONG, BROAD = 31, 13
"""The most lines and columns of a cross table."""


def render(made: Description, *, width: int) -> str:
    """The page; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.plain(made)
    style = setting.style(setting.file(FOLDER / "style.css"))
    warnings = [(each, "") for each in tamed.warnings]
    warnings += [(each, part.private.name) for part in tamed.attributes for each in part.warnings]
    privates = _figures.joined([part.private.name for part in tamed.attributes])
    return setting.environment(FOLDER).get_template("page.j2").render(
        made=tamed,
        privates=privates,
        facts=_facts(tamed, privates),
        warnings=warnings,
        parts=[_part(tamed, part, place) for place, part in enumerate(tamed.attributes)],
        splits=[(split, tables.images(split), tables.groups(split)) for split in tamed.splits],
        overlaps=[_overlap(each) for each in tamed.overlaps if each.rows or each.groups or each.copies],
        binned=[label for label in (tamed.target, *(part.private for part in tamed.attributes)) if label.note],
        tau=_figures.tau(tamed.tolerance),
        scale=strips.scale([(0, "0"), (min(1.0, tamed.tolerance / 0.5), "τ"), (1, ".5")], figure.BLIND + 2),
        unit=strips.scale([(0, "0"), (1, "1")], 150, inset=7),
        style=style,
        style_hash=setting.named(style),
        version=__version__,
    )  # fmt: skip


def _facts(made: Description, privates: str) -> list[tuple[str, str]]:
    classes = f"{len(made.target.classes)} {'bins' if made.target.note else 'classes'}"
    return [
        ("Data", made.data),
        ("Target", f"{made.target.name}, {classes}"),
        ("Private", privates),
        ("Rows", ", ".join(f"{split.split} {split.rows:,}" for split in made.splits)),
        ("Audited", made.audited),
        ("Tolerance", f"τ {_figures.tau(made.tolerance)} on E"),
    ]


def _part(made: Description, part: Attribute, number: int) -> dict[str, Any]:
    drawn = tables.sheets(made, part, LINES, COLUMNS)
    written = tables.sheets(made, part, LONG, BROAD)
    return {
        "attribute": part,
        "panels": [
            (cross, figure.panel(made, part, place, drawn[place], f"p{number}-{place}"))
            for place, cross in enumerate(part.crosses)
        ],
        "keys": [(figure.key(place), name) for place, name in enumerate(figure.names(made, part, drawn[0]))],
        "kind": "histogram" if part.edges else "bars" if len(drawn[0].columns) <= FEW else "shades",
        "cut": tables.cut_said(made, part, LINES, COLUMNS) if not part.edges else "",
        "told": [_told(cross) for cross in part.crosses],
        "reach": [_reach(made, cross) for cross in part.crosses],
        "sheets": [_sheet(cross, sheet) for cross, sheet in zip(part.crosses, written, strict=True)],
        "written": tables.cut_said(made, part, LONG, BROAD),
    }


def _told(cross: Cross) -> dict[str, Any]:
    plain, beyond = tables.strength(cross)
    figures = (cross.majority, cross.accuracy, cross.balanced_accuracy, cross.chance)
    return {
        "cross": cross,
        "plain": plain,
        "beyond": beyond.partition(" "),
        "strip": figure.strength(cross),
        "figures": [tables.percent(each) for each in figures],
    }


def _reach(made: Description, cross: Cross) -> dict[str, Any]:
    reach = cross.reach
    needed = reach is not None and not reach.absence
    return {
        "cross": cross,
        "reach": reach,
        "smallest": tables.smallest(cross, named=False),
        "cell": ", ".join(cross.smallest_cell) if cross.rows else "",
        "mde": tables.detectable(reach) if reach else tables.DASH,
        "strip": figure.blind(reach, made.tolerance) if reach else "",
        "verdicts": tables.verdicts(reach),
        "mix": f"{reach.rows_of_this_mix:,}" if needed and reach else "",
        "even": f"{reach.rows_balanced:,}" if needed and reach else "",
    }


def _sheet(cross: Cross, sheet: Sheet) -> dict[str, Any]:
    lines = [
        (name, list(zip([f"{count:,}" for count in counts], tables.shares(counts), strict=True)), f"{sum(counts):,}")
        for name, counts in zip(sheet.lines, sheet.counts, strict=True)
    ]
    totals = [sum(column) for column in zip(*sheet.counts, strict=True)]
    whole = list(zip([f"{count:,}" for count in totals], tables.shares(totals), strict=True))
    return {"cross": cross, "columns": sheet.columns, "lines": lines, "whole": whole, "rows": f"{sum(totals):,}"}


def _overlap(part: Overlap) -> dict[str, Any]:
    return {
        "pair": f"{part.first} and {part.second}",
        "rows": f"{part.rows:,}",
        "groups": "" if part.groups is None else f"{part.groups:,}",
        "copies": tables.DASH if part.copies is None else f"{part.copies:,}",
        "examples": "; ".join(f"{second} is {first}" for first, second in part.examples),
    }
