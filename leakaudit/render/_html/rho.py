"""The section on models over rho: the papers' polar plot, beside it lines that can be read, and their figures."""

from typing import Any

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import rho as drawings
from leakaudit.render._drawings import rhos
from leakaudit.render._drawings.rhos import Family
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section

SENTENCES = 3
"""Attributes of which the opening sentence speaks."""


def rho(report: Report) -> Section | None:
    """What becomes of E with rho; none where there are not two values of it."""
    drawn, figures, said = drawings.draw(report), [], []
    for private, group in _entries.questions(report):
        if found := rhos.families(group):
            mine = [one for one in drawn if one.private == private]
            words = [one.caption.removeprefix(rhos.told(found)).strip() for one in mine]
            figures.append({"private": private, "drawn": mine, "rows": _rows(found), "words": words})
            said.append(rhos.told(found))
    return Section("rho", "Over rho", " ".join(said[:SENTENCES]), {"figures": figures}) if figures else None


def _rows(found: list[Family]) -> list[dict[str, Any]]:
    """One line per model: method, rho, and its figures."""
    rows = []
    for family in found:
        for model in sorted(family.models, key=lambda model: model.rho):
            figures, task = model.entry.attribute.figures, model.entry.audit.utility
            rows.append(
                {
                    "key": strips.key(family.place),
                    "method": family.method,
                    "rho": rhos.written(model.rho),
                    "name": model.entry.name,
                    "read": _figures.percent(figures.private_accuracy.value),
                    "read_bounds": _figures.bounds(figures.private_accuracy, of="%"),
                    "excess": _figures.three(figures.excess.value),
                    "bounds": _figures.bounds(figures.excess),
                    "task": _figures.percent(task.accuracy.value) if task else "",
                }
            )
    return rows
