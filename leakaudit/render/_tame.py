"""Names that others chose, made printable: control and direction marks spelt out, endless words cut in the middle."""

import dataclasses
import re
import unicodedata
from typing import Any

from leakaudit.audit import Pictures
from leakaudit.render import Report
from leakaudit.stats import Interval

LONGEST = 64
"""Letters of a name that are shown; of longer ones the middle is left out. A sha256 just fits."""


def tame(report: Report) -> Report:
    """The report with every text printable: control and direction marks spelt out, endless names cut in the middle."""
    tamed: Report = _tame(report, "")
    return tamed


def _tame(value: Any, name: str) -> Any:
    if isinstance(value, str) and name == "command":
        return "\n".join(_printable(line, cut=False) for line in value.split("\n"))
    if isinstance(value, str):
        return _printable(value, cut=name not in ("sentence", "reason"))
    if isinstance(value, (Pictures, Interval)):
        return dataclasses.replace(value, labels=_tame(value.labels, "")) if isinstance(value, Pictures) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{key: _tame(part, key) for key, part in parts.items()})
    if isinstance(value, dict):
        return {_printable(str(key), cut=True): _tame(part, str(key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_tame(part, name) for part in value)
    return value


def _printable(text: str, *, cut: bool) -> str:
    shown = "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter
        for letter in " ".join(text.split())[: 40 * LONGEST]
    )
    shown = re.sub(rf"\S{{{2 * LONGEST + 1},}}", lambda found: _middle(found[0]), shown)
    return _middle(shown) if cut and len(shown) > LONGEST and " " not in shown else shown


def _middle(text: str) -> str:
    return f"{text[: LONGEST - 20]}…{text[-19:]}" if len(text) > LONGEST else text
