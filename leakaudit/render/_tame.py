"""Names that others chose, made printable: control and direction marks spelt out, endless ones cut in the middle."""

import dataclasses
import re
import unicodedata
from typing import Any, TypeVar

from leakaudit.audits import Pictures
from leakaudit.render import Report
from leakaudit.stats import Interval

LONGEST = 64
"""Letters of a name that are shown; of longer ones the middle is left out. A sha256 just fits."""
LINES = 40
"""Times that, of a sentence."""
NAMES = (
    "name",
    "private",
    "target",
    "classes",
    "target_classes",
    "left_out",
    "labels",
    "worst_cell",
    "first",
    "second",
)
"""Fields that hold names: cut however many words they have."""
CALLED = ("name", "private", "target", "classes", "target_classes", "first", "second")
"""Those of them that somebody is called by, so that none is empty."""
NAMELESS = "(no name)"
PLAIN = (bool, int, float)

Swaps = dict[str, str]
Record = TypeVar("Record")


def tame(report: Report) -> Report:
    """The report with every text printable; a name is the same in all sentences that speak of it."""
    names = {audit.name for audit in report.audits}
    names |= {part.private for audit in report.audits for part in audit.attributes}
    names |= {part.target for audit in report.audits for part in audit.attributes if part.target}
    longest = sorted(names, key=len, reverse=True)
    swaps = {name: _name(name) for name in longest if _name(name) not in (" ".join(name.split()), NAMELESS)}
    tamed: Report = _tame(report, "", swaps)
    return tamed


def plain(record: Record) -> Record:
    """Any frozen record with every text printable, and no name endless."""
    tamed: Record = _tame(record, "", {})
    return tamed


def _tame(value: Any, field: str, swaps: Swaps) -> Any:
    """The value with every text in it printable; the value itself where all is."""
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, str):
        said = _text(value, field, swaps)
        return value if said == value else said
    if isinstance(value, Interval):
        return value
    if isinstance(value, Pictures):
        rows = tuple((_name(name), png) for name, png in value.rows)
        return dataclasses.replace(value, labels=_tame(value.labels, "labels", swaps), rows=rows)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
        made = {
            name: tamed
            for name, part in parts.items()
            if part is not None and type(part) not in PLAIN and (tamed := _tame(part, name, swaps)) is not part
        }
        return dataclasses.replace(value, **made) if made else value
    if isinstance(value, dict):
        return {_name(str(key)): _tame(part, str(key), swaps) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        if all(type(part) in PLAIN for part in value):
            return value
        each = [_tame(part, field, swaps) for part in value]
        return value if all(new is old for new, old in zip(each, value, strict=True)) else type(value)(each)
    return value


def _text(text: str, field: str, swaps: Swaps) -> str:
    if field in NAMES:
        return swaps.get(text) or (_name(text) if text or field in CALLED else "")
    for long, short in swaps.items():
        text = text.replace(long, short)
    if field == "command":
        return "\n".join(map(_printable, text.split("\n")))
    return re.sub(rf"\S{{{2 * LONGEST + 1},}}", lambda found: _middle(found[0]), _printable(text))


def _name(text: str) -> str:
    """A name that can be read: one of nothing but spaces says so."""
    return _middle(_printable(text)) or NAMELESS


def _printable(text: str) -> str:
    plain = " ".join(text[: LINES * LONGEST].split())
    if plain.isprintable():
        return plain
    return "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter
        for letter in plain
    )


def _middle(text: str) -> str:
    return f"{text[: LONGEST - 20]}…{text[-19:]}" if len(text) > LONGEST else text
