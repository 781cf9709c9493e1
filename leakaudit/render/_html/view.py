"""What a section is; the page's title and question; private against target accuracy, the main picture."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from leakaudit.finding import Verdict
from leakaudit.render import Report, _entries, _figures, _words
from leakaudit.render._drawings import pareto
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips

PANELS = 6
"""Models that have a drawing of their own on the page."""


class Section(NamedTuple):
    """One numbered section: which template draws it, its short name, and the sentence that opens it."""

    kind: str
    name: str
    lede: str
    body: dict[str, Any]
    template: str = ""
    """Where it is not called as the section is."""


def title(report: Report) -> str:
    """What the page is about, in one line."""
    names = _entries.short([audit.name for audit in report.audits])
    privates = _figures.joined([private for private, _ in _entries.questions(report)])
    if len(names) > 3:  # noqa: PLR2004 (more names than a title holds)
        return f"What {len(names)} models give away about the {privates}"
    return f"What {_figures.joined(names)} {'gives' if len(names) == 1 else 'give'} away about the {privates}"


def dek(report: Report) -> str:
    """The question of the report."""
    rows = _entries.scored(report)
    private = _figures.joined([private for private, _ in _entries.questions(report)])
    of_rows = all(_words.things(entry) == "rows" for entry in _entries.entries(report))
    a_row = "a row" if of_rows else "an image"
    return (
        f"Can someone who holds only the bottleneck embedding of {a_row} name its {private}? "
        f"Attackers learned from labelled embeddings and were scored on {rows} that they had not seen."
    )


def main(report: Report) -> Section | None:
    """Private against target accuracy, the main picture."""
    drawn = pareto.draw(report)
    fronts = [pareto.told(pareto.models(group)) for _, group in _entries.questions(report)]
    lede = traded(report, names(report)) or " ".join(filter(None, fronts[:3])) or _tasks(_entries.entries(report))
    said = [one.caption.partition(". ") for one in drawn]
    captions = [rest if f"{first}." in lede else f"{first}{stop}{rest}" for first, stop, rest in said]
    shown = {"drawn": [(one, words, False) for one, words in zip(drawn, captions, strict=True)]}
    return Section("main", "Private against target", lede, shown, template="drawn") if drawn else None


def traded(report: Report, names: dict[str, str]) -> str:
    """For two models: what the later one gained and lost, as far as the data can tell."""
    if len(report.comparisons) != 1:
        return ""
    part = report.comparisons[0]
    changes = {one.figure: one for one in part.differences}
    excess, task = changes["excess"], changes.get("target_accuracy")
    first, second = names[part.first], names[part.second]
    if not _figures.can_tell(excess.difference):
        words = f"Which of {first} and {second} gives away less of the {part.private}, the data cannot tell"
    elif excess.difference.value < 0 < excess.second:
        way = _figures.percent(min(1.0, -excess.difference.value / excess.first))
        words = f"{second} went {way} % of the way from {first}'s leak to guessing"
    elif excess.difference.value < 0:  # no point estimate says that all of a leak is gone
        words = f"{second} gives away less of the {part.private} than {first}"
    else:
        words = f"{second} gives away more of the {part.private} than {first}"
    if task is None:
        return f"{words}."
    if not _figures.can_tell(task.difference):
        return f"{words}; which is better at its task, the data cannot tell."
    better = "better" if task.difference.value > 0 else "worse"
    return f"{words}, and is {better} at its task by {_figures.percent(abs(task.difference.value))} points."


def _tasks(found: Sequence[Entry]) -> str:
    known = [entry for entry in found if entry.audit.utility]
    if len({entry.place for entry in known}) == 1 and known[0].audit.utility:
        utility = known[0].audit.utility
        read = [
            f"the {e.attribute.private} of {_figures.percent(e.attribute.figures.private_accuracy.value)} %"
            for e in known
        ]
        share = f"{_figures.percent(utility.accuracy.value)} % of {_words.things(known[0])}"
        task = f"the {utility.target} of {share}"
        return f"{known[0].name} names {task}; an attacker names {_figures.joined(read)}."
    return "What each model does for its task, and what it gives away on the way."


def names(report: Report) -> dict[str, str]:
    """Names of the audits, to the short ones that stand side by side."""
    long = [audit.name for audit in report.audits]
    return dict(zip(long, _entries.short(long), strict=True))


def short(sentence: str, known: dict[str, str]) -> str:
    """A sentence with the short names."""
    for name in sorted(known, key=len, reverse=True):
        sentence = sentence.replace(name, known[name])
    return sentence


def some(who: Sequence[str], what: str = "models") -> str:
    """Names in a sentence; of more than four the first and the last are not a list that anybody reads."""
    names = list(dict.fromkeys(who))
    return _figures.joined(names) if len(names) < 5 else f"{len(names)} {what}"  # noqa: PLR2004 (a sentence)


def panels(group: Sequence[Entry]) -> list[Entry]:
    """Models that have a panel each: all, or of many those of which most is read, in their order."""
    most = sorted(group, key=lambda entry: -entry.attribute.figures.excess.value)[:PANELS]
    return [entry for entry in group if entry in most]


def panelled(group: Sequence[Entry]) -> str:
    """That not every model has a panel; empty where each has."""
    if len(group) <= PANELS:
        return ""
    return f"Drawn are the {PANELS} of {len(group)} models of which most is read; --figures draws each."


def badge(verdict: Verdict) -> Markup:
    """A verdict as a small badge."""
    leak = " leak" if verdict == "LEAK" else ""
    return Markup('<span class="badge{leak}">{glyph}{verdict}</span>').format(
        leak=leak, glyph=strips.glyph(verdict), verdict=verdict
    )
