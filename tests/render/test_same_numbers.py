"""One report, every form: the same verdicts, figures, intervals and outcomes of gates, to the digit that is printed."""

import csv as tables
import dataclasses
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import crowds
import pytest
import synthetic

from leakaudit import audits, catalog, gate
from leakaudit.render import Report, _measures
from leakaudit.report import report as make
from leakaudit.stats import Interval

FORMS = catalog.names("render")
READ = ("terminal", "markdown", "html")
INTERVAL = re.compile(r"(?<![\d.])([+-]?[\d,]*\.?\d+)(?: %)?(?: of \d\.\d\d)? \[([+-]?[\d,.]+), ([+-]?[\d,.]+)\]")
"""A figure and its bounds, as they are read."""


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """One model, a pair with its gates, and a pair of which every figure is compared."""
    one, two = synthetic.audit(synthetic.VANILLA), synthetic.audit(synthetic.END)
    asks = (gate.parse("max-private-accuracy", "0.5"), gate.parse("max-excess", "0.15"))
    return {
        "one": make([one], asks),
        "pair": make([one, two], asks),
        "six": crowds.report([["LEAK"], ["DETECTED"]], gates=("failed", "open")),
    }


RENDERED: dict[tuple[str, int], tuple[Report, str]] = {}
"""Reports already rendered, by form and identity, which holds while the report is kept."""


def rendered(form: str, report: Report) -> str:
    """The report in a form, rendered once."""
    if (form, id(report)) not in RENDERED:
        RENDERED[form, id(report)] = report, catalog.thing("render", form).render(report, width=120)
    return RENDERED[form, id(report)][1]


def shown(form: str, report: Report) -> str:
    """The form as it is read, on one line."""
    made = rendered(form, report)
    if form == "html":
        made = re.sub(r"<(style|script)>.*?</\1>", " ", made, flags=re.DOTALL)
        made = html.unescape(re.sub(r"<[^>]+>", " ", made))
    made = made.replace("\u202f", " ").replace("\u2212", "-").replace("**", "").replace("\\", "")
    return " ".join(made.split())


def intervals(value: Any) -> Iterator[Interval]:
    """Every interval in a report."""
    if isinstance(value, Interval):
        yield value
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            yield from intervals(getattr(value, part.name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from intervals(each)


def printed(interval: Interval) -> Iterator[tuple[str, str, str]]:
    """The ways in which an interval may be printed: in each unit's digits, with signs, or by its size."""
    size = Interval(-interval.value, -interval.high, -interval.low)
    for one in (interval, size):
        for scale, digits in ((1, 3), (100, 1), (1, 2), (1, 1)):
            for sign in ("", "+"):
                value, low, high = (plain(f"{scale * part:{sign}.{digits}f}") for part in one)
                yield value, low, high


def plain(figure: str) -> str:
    """Without a sign where it is nothing."""
    return figure.lstrip("+-") if not figure.strip("+-0.") else figure


def strangers(text: str, report: Report) -> list[tuple[str, ...]]:
    """Figures with bounds in a text that no interval of the report gives."""
    known = {way for interval in intervals(report) for way in printed(interval)}
    return [found for found in INTERVAL.findall(text) if found not in known]


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("name", ["one", "pair", "six"])
def test_no_form_prints_a_figure_that_the_document_does_not_hold(
    form: str, name: str, reports: dict[str, Report]
) -> None:
    """Each figure with bounds is one of the report's, rounded to the digits of its unit: nothing is computed again."""
    text = shown(form, reports[name])
    assert len(INTERVAL.findall(text)) >= 8
    assert strangers(text, reports[name]) == []


@pytest.mark.parametrize("form", READ)
def test_another_rounding_or_interval_is_found_out(form: str, reports: dict[str, Report]) -> None:
    """The twin: one digit more, the last digit off, or bounds of another figure, and the test above fails."""
    text, part = shown(form, reports["one"]), reports["one"].audits[0].attributes[0]
    value, low, high = (f"{x:.3f}" for x in part.figures.excess)
    assert f"{value} [{low}, {high}]" in text
    for changed in (
        f"{value} [{low}, {float(high) + 0.001:.3f}]",
        f"{part.figures.excess.value:.4f} [{low}, {high}]",
        f"{value} [{part.figures.lower:.3f}, {part.figures.upper:.3f}]",
    ):
        assert strangers(text.replace(f"{value} [{low}, {high}]", changed), reports["one"]) != []


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("name", ["one", "pair", "six"])
def test_every_form_that_is_read_shows_the_headline(form: str, name: str, reports: dict[str, Report]) -> None:
    """Verdict, private accuracy, E, both shares with their bounds, UCB*, and how each gate ended."""
    text = shown(form, reports[name])
    for audit in reports[name].audits:
        (part,) = audit.attributes
        assert part.share_of_raw is not None
        assert part.above_random is not None
        assert part.verdict in text
        assert f"{part.upper:.3f}" in text
        for interval, scale, digits in (
            (part.figures.private_accuracy, 100, 1),
            (part.figures.excess, 1, 3),
            (part.share_of_raw, 100, 1),
            (part.above_random, 1, 3),
        ):
            value, low, high = (re.escape(plain(f"{scale * x:.{digits}f}")) for x in interval)
            assert re.search(rf"(?<![\d.]){value}( %)? \[{low}, {high}\]", text), (form, value)
    for judged in reports[name].gates:
        assert re.search(rf"\b{judged.outcome}\b", text)
        assert judged.gate in text


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("name", ["pair", "six"])
def test_every_form_that_is_read_shows_the_differences(form: str, name: str, reports: dict[str, Report]) -> None:
    """Both values, the difference with its bounds and signs, in the unit of the one table of figures."""
    text = shown(form, reports[name])
    for part in reports[name].comparisons[0].differences:
        scale, digits = {"%": (100, 1), "points": (100, 1), "E": (1, 3), "bits": (1, 2)}[_measures.unit(part.figure)]
        for value in (part.first, part.second):
            assert re.search(rf"(?<![\d.]){scale * value:.{digits}f}(?![\d])", text), (form, part.figure)
        value, low, high = (re.escape(plain(f"{scale * x:+.{digits}f}")) for x in part.difference)
        assert re.search(rf"(?<![\d.]){value} \[{low}, {high}\]", text), (form, part.figure)


@pytest.mark.parametrize("name", ["one", "pair", "six"])
def test_machine_forms_hold_the_documents_own_numbers(name: str, reports: dict[str, Report]) -> None:
    """JSON, CSV and JUnit give the same floats back, the same verdicts, and the same outcomes of gates."""
    report = reports[name]
    document = json.loads(rendered("json", report))
    held = document["audits"] if document["kind"] == "report" else [document]
    rows = list(tables.DictReader(io.StringIO(rendered("csv", report))))
    suites = ET.fromstring(rendered("junit", report))  # noqa: S314 (its own output)
    for audit, body, suite in zip(report.audits, held, suites, strict=True):
        (part,), (data,) = audit.attributes, body["attributes"]
        said = {one.get("name"): one.get("value") for one in suite.iter("property")}
        mine = {row["metric"]: row for row in rows if row["kind"] == "attribute" and row["audit"] == audit.name}
        assert data["verdict"] == said[f"{part.private}.verdict"] == mine["excess"]["verdict"] == part.verdict
        assert data["upper"] == float(said[f"{part.private}.upper"] or 0) == float(mine["upper"]["value"]) == part.upper
        for figure, interval in (
            ("excess", part.figures.excess),
            ("private_accuracy", part.figures.private_accuracy),
            ("share_of_raw", part.share_of_raw),
            ("above_random", part.above_random),
        ):
            assert interval is not None
            row = [float(mine[figure][end]) for end in ("value", "low", "high")]
            there = data[figure] if figure in data else data["figures"][figure]
            assert row == [there["value"], there["low"], there["high"]] == list(interval)
            if f"{part.private}.{figure}" in said:
                ends = [said[f"{part.private}.{figure}{end}"] for end in ("", ".low", ".high")]
                assert list(map(float, filter(None, ends))) == list(interval)
    for compared in report.comparisons:
        for one in compared.differences:
            (row_of,) = [r for r in rows if (r["kind"], r["metric"]) == ("comparison", one.figure)]
            assert [float(row_of[end]) for end in ("value", "low", "high")] == list(one.difference)
    outcomes = sorted(judged.outcome for judged in report.gates)
    assert sorted(row["outcome"] for row in rows if row["kind"] == "gate") == outcomes
    ways = {"failed": "failure", "open": "error"}
    for outcome, tag in ways.items():
        assert len(list(suites.iter(tag))) == outcomes.count(outcome)


def test_the_one_table_names_every_figure_that_is_compared() -> None:
    """Each has a label with its unit, a direction, and words for the better model; an unknown one keeps its name."""
    for figure in (*_measures.COMPARED, *_measures.HEADLINE):
        label = _measures.label(figure, private="colour", target="digit")
        assert "{" not in label
        assert _measures.unit(figure) in ("E", "bits") or re.search("%|points", label)
    assert [_measures.better(figure, -0.1) for figure in _measures.COMPARED] == [1, 1, 1, 0, 0, 1]
    assert [_measures.better(figure, 0.1) for figure in _measures.COMPARED] == [0, 0, 0, 1, 1, 0]
    assert _measures.better("excess", 0.0) is None
    assert _measures.label("some_thing", private="a", target="b") == "some thing"
    assert _measures.label("private_accuracy", private="{target}", target="b") == "{target} named right, %"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["one", "pair", "six"])
def test_no_form_calls_anything_what_no_audit_can_show(form: str, name: str, reports: dict[str, Report]) -> None:
    """Neither the annex, nor gates that passed, nor comparisons use a word of praise, or say that there is no leak."""
    made = rendered(form, reports[name])
    assert not re.search(r"\b(safe|compliant|anonymous)\b|no leak\b|is private\b", made, flags=re.IGNORECASE)


def test_a_saved_document_renders_as_the_one_that_was_made(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Saving loses no digit: every form that is read is the same from the file."""
    made, rows = synthetic.audit(synthetic.VANILLA)
    audits.save(made, tmp_path / "audit.json")
    for form in READ:
        assert shown(form, make([(audits.load(tmp_path / "audit.json"), rows)], ())) == shown(
            form, make([(made, rows)], ())
        )
