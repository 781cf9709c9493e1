"""The section of split histograms: how the private attribute goes with the target, in training and where it is read."""

from typing import Any

from leakaudit.render import Report, _entries
from leakaudit.render._drawings import histograms as drawing
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section

FEW = 3
"""Figures of which each is spoken of."""


def histograms(report: Report) -> Section | None:
    """Private classes within target classes, of the attack rows beside those of training."""
    figures: list[dict[str, Any]] = []
    drawings, ledes, models = iter(drawing.draw(report)), [], len(report.audits)
    for private, group in _entries.questions(report):
        found = drawing.mixes(group)
        for mix in found:
            some = [(entry, strips.key(entry.place)) for entry in mix.entries] if len(found) > 1 else []
            figures.append({"private": private, "svg": next(drawings).svg, "about": drawing.about(mix), "models": some})
            who = f"{mix.entries[0].name}: " if len(found) > 1 and models > 1 else ""
            ledes.append(f"{who}{drawing.told(mix)}")
    if not figures:
        return None
    return Section("histograms", "Rows", " ".join(ledes[:FEW]), {"figures": figures})
