"""CSV: a line for each cell, every setting and every figure with its interval, as numbers."""

import csv
import io
from typing import Any

from leakaudit import store
from leakaudit.render._sweep import parts
from leakaudit.results import Result, Tally

ENDS = ("value", "low", "high")
PLAIN = ("verdict", "attacker", "rows", "status", "message", "fingerprint", "tensors", "audit", "cell")


def render(made: Tally, *, width: int) -> str:
    """The lines; `width` is the terminal's and says nothing here."""
    assert width > 0
    knobs = sorted({knob for cell in made.results for knob in cell.settings})
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    figures = [f"{name}_{end}".removesuffix("_value") for name in parts.FIGURES for end in ENDS]
    lines.writerow(["recipe", *knobs, "seed", *figures, *PLAIN])
    lines.writerows(_line(cell, knobs) for cell in made.results)
    return text.getvalue()


def _line(cell: Result, knobs: list[str]) -> list[Any]:
    settings = [_plain(cell.settings.get(knob, "")) for knob in knobs]
    figures = [getattr(getattr(cell, name), end, "") for name in parts.FIGURES for end in ENDS]
    return [cell.recipe, *settings, cell.seed, *figures, *(getattr(cell, name) for name in PLAIN)]


def _plain(value: Any) -> Any:
    """A setting; what is no number and no text as JSON."""
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else store.canonical(value)
