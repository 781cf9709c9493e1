"""What the report does not say: the scope of what was tested, as an annex to evidence that others keep."""

from leakaudit.render import Report, _annex
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section


def annex(report: Report) -> Section:
    """The table of what was tested and what was not, and where such evidence has a place."""
    made = _annex.annex(report)
    glyphs = {
        _annex.TESTED: strips.glyph("LEAK"),
        _annex.IN_PART: strips.glyph("INCONCLUSIVE"),
        _annex.NOT_TESTED: strips.glyph("NOT_FOUND"),
    }
    return Section("annex", "Evidence annex", made.lede, {"annex": made, "glyphs": glyphs})
