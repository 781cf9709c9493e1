"""Sections that are one figure each: drawn elsewhere, and shown with the words that stand under it."""

import re
from collections.abc import Callable, Sequence

from leakaudit.render import Report
from leakaudit.render._drawings import auxiliaries, intervals
from leakaudit.render._drawings.drawing import Drawing
from leakaudit.render._html.view import Section

HIGH = 900
"""Pixels of a figure that stands open."""
Draw = Callable[[Report], Sequence[Drawing]]


def _section(kind: str, name: str, general: str, draw: Draw, report: Report) -> Section | None:
    """The first sentence under a single figure opens the section; of several the general one does."""
    drawings = draw(report)
    if not drawings:
        return None
    if len(drawings) > 1:
        shown = [(one, one.caption, _tall(one)) for one in drawings]
        return Section(kind, name, general, {"drawn": shown}, template="drawn")
    lede, _, rest = drawings[0].caption.partition(". ")
    return Section(kind, name, f"{lede}.", {"drawn": [(drawings[0], rest, _tall(drawings[0]))]}, template="drawn")


def _tall(one: Drawing) -> bool:
    """Whether it is higher than a screen, and folds."""
    found = re.match(r'<svg width="[\d.]+" height="([\d.]+)"', one.svg)
    return found is not None and float(found[1]) > HIGH


def against(report: Report) -> Section | None:
    """E with its interval against the tolerance."""
    general = "E with its interval, against what is tolerated."
    return _section("intervals", "Against the tolerance", general, intervals.draw, report)


def labels(report: Report) -> Section | None:
    """What each auxiliary distribution would have concluded."""
    general = "What would be concluded from each kind of labels."
    return _section("auxiliaries", "Kinds of labels", general, auxiliaries.draw, report)
