"""
Figures of a report. One file is one kind of figure, with one function:

    draw(report) -> tuple[Drawing, ...]

A page shows them between its tables, and `--figures` writes them apart. They are drawn from stored findings alone, with
presentation attributes only, so that they stand without a style sheet: ink is `currentColor`.
"""

from importlib import import_module

from leakaudit.render import Report, _tame
from leakaudit.render._drawings.drawing import Drawing

ORDER = (
    "pareto",
    "rho",
    "intervals",
    "auxiliaries",
    "learning",
    "cells",
    "histograms",
    "directions",
    "bottleneck",
    "rebuilt",
)
"""The kinds of figures, in the order of the document."""


def every(report: Report) -> tuple[Drawing, ...]:
    """All figures that can be drawn from a report, in the order of the document; no two have the same name."""
    tamed = _tame.tame(report)
    return tuple(made for kind in ORDER for made in import_module(f"leakaudit.render._drawings.{kind}").draw(tamed))
