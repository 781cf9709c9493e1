"""Text for a terminal: cells under a line for their recipe and settings, and means over seeds."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from leakaudit.render import _tame
from leakaudit.render._sweep import parts
from leakaudit.results import Tally

NARROW, WIDEST, WIDE = 72, 120, 100
RIGHT = 4
"""The first columns, of numbers alone, end at one place; the others begin at one."""
VERDICT = 5
NARROWEST = 20
"""Room for the verdicts of several seeds, at least."""


class Both(NamedTuple):
    """Two lines under the cells of a group."""

    mean: tuple[str, ...]
    range: tuple[str, ...]


def render(made: Tally, *, width: int) -> str:
    """The table as text of at most `width` columns, of which it needs some 80, without escape codes."""
    return "\n".join(_lines(_tame.plain(made), max(NARROW, min(width, WIDEST)))) + "\n"


def _lines(made: Tally, width: int) -> Iterator[str]:
    yield parts.head(made)
    yield from _wrapped(parts.constant(made) and f"everywhere: {parts.constant(made)}", width)
    aim, titles = parts.aims(made), parts.varying(made)
    heads = ("seed", *parts.columns(made))
    table: list[Sequence[str] | str | Both] = []
    for group in parts.groups(made):
        said = [f"{title}={parts.value(group.settings[knob])}" for knob, title in titles.items()
                if knob in group.settings]  # fmt: skip
        table += ["", "  ".join([group.recipe, *said])]
        for cell in group.cells:
            table.append((str(cell.seed), *parts.figures(cell, aim)))
            table += [f"{'':6}{line}" for line in _wrapped(cell.message, width - 6)]
        both = parts.means(group)
        if both is not None:
            table.append(Both(("mean", *both[0]), ("range", *both[1])))
    rows = [heads, *(row for row in table if not isinstance(row, (str, Both)))]
    ends = [row[:VERDICT] for both in table if isinstance(both, Both) for row in both]
    widths = [max(len(row[place]) for row in (*rows, *ends) if place < len(row)) for place in range(len(heads))]
    gap = " " * (2 if width >= WIDE else 1)
    yield ""
    yield _row(heads, widths, gap)
    for line in table:
        if isinstance(line, str):
            yield from _wrapped(line, width) if line.strip() else [""]
        elif isinstance(line, Both):
            yield from _both(line, widths, gap, width)
        else:
            yield _row(line, widths, gap)
    yield ""
    for sentence in parts.legend(made):
        yield from _wrapped(sentence, width)


def _both(both: Both, widths: Sequence[int], gap: str, width: int) -> Iterator[str]:
    """Mean and range; the verdicts stand beside both, and below where they are many."""
    at = sum(widths[:VERDICT]) + VERDICT * len(gap)
    whole = both.mean[VERDICT].replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
    verdicts = textwrap.wrap(whole, max(NARROWEST, width - at), break_on_hyphens=False)
    lines = [_row(line[:VERDICT], widths[:VERDICT], gap) for line in both]
    for line, words in zip_longest(lines, verdicts, fillvalue=""):
        yield f"{line:{at}}{words}".replace("\N{NO-BREAK SPACE}", " ").rstrip()


def _row(cells: Sequence[str], widths: Sequence[int], gap: str) -> str:
    padded = [
        cell.rjust(wide) if place < RIGHT else cell.ljust(wide)
        for place, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    ]
    return gap.join(padded).rstrip()


def _wrapped(words: str, width: int) -> list[str]:
    before = words[: len(words) - len(words.lstrip())]
    return textwrap.wrap(words.strip(), width, initial_indent=before, subsequent_indent=before, break_on_hyphens=False)
