"""
Long form for data frames: one figure of one row of one section per line; shares unscaled, in all their digits.

RFC 4180 as the csv module writes it; a text that a spreadsheet would run as a formula has an apostrophe before it.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

from leakaudit.render import _tame
from leakaudit.render._papers import parts
from leakaudit.reproduction import Claim, Line, Ours, Reproduction
from leakaudit.stats import Interval

COLUMNS = (
    "paper", "table", "section", "changed", "row", "recipe", "settings", "figure", "source", "value", "low", "high",
    "spread", "further_low", "further_high", "inside", "runs", "seeds", "wanted", "verdict", "note",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "'", "\t", "\r", "\n")

Row = dict[str, Any]


def render(made: Reproduction, *, width: int) -> str:
    """The table; `width` is the terminal's and says nothing here."""
    assert width > 0
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for row in _rows(_tame.plain(made)):
        table.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _rows(made: Reproduction) -> Iterator[Row]:
    for table in made.tables:
        for section in table.sections:
            about = {"paper": made.paper, "table": table.name, "section": section.kind}
            about["changed"] = " ".join(section.changed)
            for line in section.lines:
                settings = " ".join(f"{key}={value}" for key, value in line.settings.items())
                named = {"row": line.name, "recipe": line.recipe, "settings": settings, "wanted": line.wanted}
                named |= {
                    "runs": len(line.seeds),
                    "seeds": " ".join(map(str, line.seeds)),
                    "note": "; ".join(filter(None, (*line.failed, line.note))),
                }
                yield from _figures({**about, **named}, line, table.measure)


def _figures(named: Row, line: Line, measure: str) -> Iterator[Row]:
    verdict = parts.verdict(line).replace("\n", ", ")
    claims = (f"target_{measure}", line.published_target), ("private_accuracy", line.published_private)
    for figure, claim in claims:
        if claim is not None:
            yield {**named, "figure": figure, "source": "published", "runs": "", "seeds": "", **_claim(claim)}
    ours = (
        (f"target_{measure}", line.target),
        ("private_accuracy", line.papers),
        ("private_accuracy_decides", line.private),
    )
    for figure, found in ours:
        if found is not None:
            yield {**named, "figure": figure, "source": "ours", "verdict": verdict, **_ours(found)}
    if line.excess is not None:
        ends = dict(zip(("value", "low", "high"), line.excess, strict=True))
        yield {**named, "figure": "excess", "source": "ours", "verdict": verdict, **ends}
    if not line.seeds:
        yield {
            **named,
            "figure": "none",
            "source": "ours",
            "note": "; ".join(filter(None, (parts.ran(line), named["note"]))),
        }


def _claim(claim: Claim) -> Row:
    ends: Interval | None = claim.interval
    return {
        "value": claim.value, "spread": claim.spread, "low": None if ends is None else ends.low,
        "high": None if ends is None else ends.high,
    }  # fmt: skip


def _ours(ours: Ours) -> Row:
    reach = ours.further or (None, None)
    return {
        "value": ours.mean, "low": ours.low, "high": ours.high, "further_low": reach[0], "further_high": reach[1],
        "inside": ours.inside,
    }  # fmt: skip


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(float(value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
