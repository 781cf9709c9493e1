"""The section of single directions: private classes along PC1, the papers' figure, and along the LDA direction."""

from typing import Any

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import directions as drawing
from leakaudit.render._html import strips, view
from leakaudit.render._html.view import Section

FEW = 6
"""Models of which each is spoken of; of more, the two that lie farthest apart."""


def directions(report: Report) -> Section | None:
    """Private classes along PC1, and along the direction that separates best."""
    panels: list[dict[str, Any]] = []
    drawings = iter(drawing.draw(report))
    for private, group in _entries.questions(report):
        known = [entry for entry in group if entry.attribute.separation]
        if known:
            kept, drawn = view.panels(known), [(one, next(drawings)) for one in known]
            shown = [{"entry": one, "key": strips.key(one.place), "svg": of.svg} for one, of in drawn if one in kept]
            caption, panelled = drawing.about(known), view.panelled(known)
            panels.append({"private": private, "shown": shown, "caption": caption, "panelled": panelled})
    if not panels:
        return None
    words = []
    for entry in _entries.entries(report):
        far = {part.direction: part.d_prime for part in entry.attribute.separation}
        if {"pc1", "lda"} <= set(far):
            words.append((far["lda"], f"{far['pc1']:.1f} and {far['lda']:.1f} for {entry.label}"))
    if len(words) > FEW:
        words = [max(words), min(words)]
    said = _figures.joined([one for _, one in words])
    lede = f"d\N{PRIME} on PC1 and on the LDA direction: {said}. " if words else ""
    body = {"panels": panels}
    return Section("directions", "One direction", f"{lede}A picture of one direction clears no model.", body)
