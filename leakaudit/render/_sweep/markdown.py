"""Markdown for an issue or a paper's notes: a row for each cell, and one for each recipe and its settings."""

import re
from collections.abc import Iterator, Sequence

from leakaudit.render import _tame
from leakaudit.render._sweep import parts
from leakaudit.results import Tally


def render(made: Tally, *, width: int) -> str:
    """The tables; `width` is the terminal's and says nothing here."""
    assert width > 0
    return "\n\n".join(_parts(_tame.plain(made))) + "\n"


def _parts(made: Tally) -> Iterator[str]:
    yield f"## {_text(parts.head(made))}"
    if parts.constant(made):
        yield _text(f"Everywhere: {parts.constant(made)}.")
    aim, titles, groups = parts.aims(made), parts.varying(made), parts.groups(made)
    first = ("recipe", *titles.values())
    named = {id(group): _named(group, titles) for group in groups}
    rows = [(*named[id(group)], str(cell.seed), *parts.figures(cell, aim)) for group in groups for cell in group.cells]
    yield _table((*first, "seed", *parts.columns(made)), rows)
    summed = [(named[id(group)], parts.means(group)) for group in groups]
    lines = [(*name, word, *line[:-1]) for name, both in summed if both
             for word, line in zip(("mean", "range"), both, strict=True)]  # fmt: skip
    if lines:
        yield f"{parts.SUMMARY.capitalize()}:"
        yield _table((*first, "", *parts.columns(made)[:-1]), lines)
    failed = [(cell, name) for group, name in zip(groups, named.values(), strict=True) for cell in group.cells
              if not cell.finished]  # fmt: skip
    if failed:
        yield "\n".join(f"- {_text(' '.join(name))} seed {cell.seed}: {_text(cell.message)}" for cell, name in failed)
    yield "\n".join(f"- {_text(sentence)}" for sentence in parts.legend(made))


def _named(group: parts.Group, titles: dict[str, str]) -> tuple[str, ...]:
    settings = group.settings
    return group.recipe, *(parts.value(settings[knob]) if knob in settings else parts.NONE for knob in titles)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[_text(cell) for cell in heads], ["---"] * len(heads), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(words: str) -> str:
    """Words of others as words: nothing in them is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#&!~])", r"\\\1", words)
