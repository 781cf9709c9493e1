"""Markdown for a README or a pull request: each published table with our runs beside it."""

import re
from collections.abc import Iterator, Sequence

from leakaudit.render import _tame
from leakaudit.render._papers import parts
from leakaudit.reproduction import Reproduction, Section, Table


def render(made: Reproduction, *, width: int) -> str:
    """The tables; `width` is the terminal's and says nothing here."""
    assert width > 0
    return "\n\n".join(_parts(_tame.plain(made))) + "\n"


def _parts(made: Reproduction) -> Iterator[str]:
    yield f"## {_text(parts.heading(made))}"
    for table in made.tables:
        yield f"### {_text(table.name)}: {_text(table.where)}"
        yield _text(" ".join(table.says))
        for section in table.sections:
            yield f"**{_text(parts.title(section))}**"
            yield _sheet(table, section)
            yield from _list(list(parts.below(section)))
        yield from _list(parts.notes(table))
    yield from map(_text, parts.closing(made))


def _sheet(table: Table, section: Section) -> str:
    columns = parts.columns(table, section)
    heads = ["row", "runs", *(f"{column.above}: {column.head}" for column in columns)]
    rules = [":--", ":--", *(":--" if column.head == "verdict" else "--:" for column in columns)]
    rows = []
    for place, line in enumerate(section.lines):
        cells = [" ".join(" ".join(filter(None, column.cells[place])).split()) for column in columns]
        rows.append([*parts.named(section, line), *cells])
    body = [rules, *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [[_text(head) for head in heads], *body])


def _list(words: Sequence[str]) -> Iterator[str]:
    if words:
        yield "\n".join(f"- {_text(each)}" for each in words)


def _text(words: str) -> str:
    """Words in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#&!~])", r"\\\1", words)
