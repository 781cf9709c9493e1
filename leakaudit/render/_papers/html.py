"""One self-contained HTML file, in the visual language of the audit's page: no script, no network."""

from pathlib import Path
from typing import Any

from leakaudit import __version__
from leakaudit.render import _tame
from leakaudit.render._html import setting
from leakaudit.render._papers import parts
from leakaudit.reproduction import Reproduction, Section, Table

FOLDER = Path(__file__).parent


def render(made: Reproduction, *, width: int) -> str:
    """The page; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.plain(made)
    style = setting.style(setting.file(FOLDER / "style.css"))
    return setting.environment(FOLDER).get_template("page.j2").render(
        made=tamed,
        tables=[_table(table) for table in tamed.tables],
        closing=list(parts.closing(tamed)),
        style=style,
        style_hash=setting.named(style),
        version=__version__,
    )  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    return {
        "table": table,
        "sections": [_section(table, section) for section in table.sections],
        "notes": parts.notes(table),
    }


def _section(table: Table, section: Section) -> dict[str, Any]:
    columns = parts.columns(table, section)
    return {
        "title": parts.title(section),
        "columns": columns,
        "lines": [
            (parts.named(section, line), [(column.head, column.cells[place]) for column in columns])
            for place, line in enumerate(section.lines)
        ],
        "below": list(parts.below(section)),
    }
