"""
Text for a terminal: the verdict in words, then what proves it, in at most forty lines; the rest is one fold down.

`render` writes no escape codes, so that words come before colour; `style` adds the only two there are, for a terminal
that wants them: LEAK is red, and the row that decides is bold, as is the word before a warning.
"""

import re
from collections.abc import Sequence

from leakaudit.render import Report, _entries, _tame
from leakaudit.render._entries import Entry
from leakaudit.render._terminal import alone, beside, layout, whole

NARROW, WIDEST = 60, 120
"""The fewest columns that are written for, and the most that are used."""
LINES = 40
"""The most there are, whatever the report."""
LEAST = 2
"""Lines that each private attribute takes besides those of its models."""


def render(report: Report, *, width: int) -> str:
    """The report as text of at most `width` columns (60 where that is less) and 40 lines, without escape codes."""
    width = max(NARROW, min(width, WIDEST))
    tamed = _tame.tame(report)
    found = _entries.entries(tamed)
    least = len(found) + LEAST * len({entry.attribute.private for entry in found})
    lines = layout.fit(_sections(tamed, found, width), LINES) if least <= LINES else None
    if lines is None:
        lines = layout.fit([*whole.crowd(tamed, found, width)], LINES)
    assert lines is not None, "a crowd has a form that fits"
    return "\n".join(line.rstrip() for line in lines) + "\n"


def style(text: str) -> str:
    """The text with the word LEAK in red, the deciding rows and the word before a warning in bold."""
    lines = [
        f"\033[1m{line}\033[0m" if re.search(r"(, decides$|, decides  )", line) else line for line in text.split("\n")
    ]
    lines = [re.sub(r"^( *WARNING:)", "\033[1m\\1\033[0m", line) for line in lines]
    return "\n".join(re.sub(r"^( *)(LEAK)\b", "\\1\033[1;31m\\2\033[0m", line) for line in lines)


def _sections(report: Report, found: Sequence[Entry], width: int) -> list[layout.Section]:
    """One private attribute after the other, then what is said of all."""
    questions = _entries.questions(report)
    sections: list[layout.Section] = [whole.head(report, found, width)] if len(found) > 1 else []
    for number, (_, group) in enumerate(questions):
        first = whole.warnings(report, width) if number == 0 else ()
        if len(group) == 1:
            sections += alone.sections(group[0], width, first)
        else:
            sections += beside.sections(report, group, width, first)
    lines, last = whole.ending(report, found, width)
    if len(questions) == 1:
        sections[-1] = [*sections[-1], *lines]
        return [*sections, last]
    return [*sections, lines, last]
