"""
The least that is shown of a report: a few lines in a terminal, one table in a notebook.

The table says nothing by colour and brings none: it stands in the notebook's own, light or dark. No script, no style
sheet, no picture: what a notebook takes out of markup that it does not trust is not there.
"""

from html import escape

from leakaudit.render import Report, _annex, _entries, _figures, _measures, _tame, _words
from leakaudit.render._entries import Entry, Headline

SHOWN = 8
"""Attributes of which a terminal shows lines."""
LEFT, RIGHT = ' style="text-align: left"', ' style="text-align: right; white-space: nowrap"'
UNKNOWN = "\N{EN DASH}"
"""A figure that was not measured; why stands at the foot."""


def lines(report: Report) -> str:
    """The verdict and the four figures of each attribute, two lines each."""
    tamed = _tame.tame(report)
    found = _entries.entries(tamed)
    said = [f"WARNING: {words}." for words in _words.warned(tamed)]
    for entry in found[:SHOWN]:
        said.append(f"{entry.attribute.verdict}   {_words.clause(entry)}")
        said.append("   " + "; ".join(f"{_label(each, entry)} {_figure(each)}" for each in _known(entry)))
    if len(found) > SHOWN:
        said.append(f"   and {len(found) - SHOWN} more: print() shows all")
    return "\n".join([*said, *(f"{gate.outcome}: {gate.reason}" for gate in tamed.gates)])


def html(report: Report) -> str:
    """One table: a row for each attribute, its verdict and its four figures; limits and gates at its foot."""
    tamed = _tame.tame(report)
    found = _entries.entries(tamed)
    several = len(tamed.audits) > 1
    heads = [*["model"] * several, "attribute", "verdict", *(_head(figure) for figure in _entries_of(found))]
    body = "".join(_row(entry, several=several) for entry in found)
    warnings = "".join(f"<strong>WARNING:</strong> {escape(words)}.<br>" for words in _words.warned(tamed))
    notes = [_limits(found, tamed)]
    notes += [f"{UNKNOWN} {words}." for words in _unknown(found)]
    notes += [f"E counts what is read {_words.beyond(entry)}." for entry in found[:1]]
    notes += [f"Gate {gate.outcome}: {gate.reason}." for gate in tamed.gates]
    columns = "".join(f'<th scope="col"{LEFT}>{escape(head)}</th>' for head in heads)
    said = "<br>".join(escape(f"{note.removesuffix('.').removesuffix('.')}.") for note in notes)
    return (
        f"<table><caption{LEFT}>{warnings}<strong>{tamed.verdict}</strong> {escape(_words.verdicts(tamed))}</caption>"
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody>"
        f'<tfoot><tr><td colspan="{len(heads)}"{LEFT}>{said}</td></tr></tfoot></table>'
    )


def _limits(found: list[Entry], report: Report) -> str:
    """What the verdict does not speak of."""
    if len(found) == 1:
        return _words.limits(found[0])
    floors = "The figures are floors: another attacker may read more."
    return f"{floors} Not tested: {_annex.attacks(report)}."


def _unknown(found: list[Entry]) -> list[str]:
    """Why figures are not known, each reason once."""
    each = (one for entry in found for one in _entries.headlines(entry.attribute) if one.value is None)
    return list(dict.fromkeys(one.note or "not measured" for one in each))


def _entries_of(found: list[Entry]) -> tuple[str, ...]:
    """The figures of the columns."""
    return tuple(each.figure for each in _entries.headlines(found[0].attribute)) if found else ()


def _head(figure: str) -> str:
    label = _measures.label(figure, private="attribute", target="").removesuffix(", %")
    return f"{label} [95\N{NO-BREAK SPACE}%]"


def _row(entry: Entry, *, several: bool) -> str:
    first = f'<th scope="row"{LEFT}><bdi>{escape(entry.name if several else entry.attribute.private)}</bdi></th>'
    second = f"<td{LEFT}><bdi>{escape(entry.attribute.private)}</bdi></td>" if several else ""
    verdict = f"<td{LEFT}><strong>{entry.attribute.verdict}</strong></td>"
    shown = (_figure(each).replace("-", "\N{MINUS SIGN}") for each in _entries.headlines(entry.attribute))
    figures = "".join(f"<td{RIGHT}>{escape(figure)}</td>" for figure in shown)
    return f"<tr>{first}{second}{verdict}{figures}</tr>"


def _known(entry: Entry) -> list[Headline]:
    return [each for each in _entries.headlines(entry.attribute) if each.value is not None]


def _label(each: Headline, entry: Entry) -> str:
    return _measures.label(each.figure, private=entry.attribute.private, target="").removesuffix(", %")


def _figure(each: Headline) -> str:
    """The figure with its unit and bounds."""
    if each.value is None:
        return UNKNOWN
    unit = _measures.unit(each.figure)
    bounds = f" {_figures.bounds(each.interval, of=unit)}" if each.interval is not None else ""
    return f"{_figures.figure(each.value, unit)}{' %' * (unit == '%')}{bounds}"
