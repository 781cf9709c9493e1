"""Forms of a sweep's table: readable at 80 and at 120 columns, with no path and no time, and whole for machines."""

import csv
import io
import json
from dataclasses import replace
from importlib import import_module

import pytest

from leakaudit.results import Result, Tally
from leakaudit.stats import Interval


def cell(recipe, seed, share, **more):
    """A finished cell."""
    figure = Interval(share, share - 0.05, share + 0.05)
    plain = Result(
        cell=f"{recipe}{seed}", recipe=recipe, settings={"dataset.rho": 0.99, "train.epochs": 5}, seed=seed, status=0,
        accuracy=figure, papers=figure, private=figure, excess=figure, verdict="LEAK", attacker="linear",
        audit="name", seconds=12345.678, device="cpu (1 threads)",
    )  # fmt: skip
    return replace(plain, **more)


MADE = Tally(
    plan="papers/tiny", text="seeds = [0]", command="leakaudit sweep papers/tiny", cells=6,
    results=(
        cell("biased-mnist/bias-contrast-balance-0.999", 0, 0.4),
        cell("biased-mnist/bias-contrast-balance-0.999", 1, 0.6),
        cell("digits/end", 0, 0.1, settings={"dataset.rho": 0.5, "train.epochs": 5}, verdict="INCONCLUSIVE"),
        cell("digits/end", 0, 0.1, status=2, message="STORE/checkpoints: No space left on device " * 3, accuracy=None,
             papers=None, private=None, excess=None, verdict=""),
        cell("openbhb/l1", 0, 0.1, accuracy=None, mae=Interval(5.125, 4, 6), papers=None),
    ),
)  # fmt: skip
FORMS = ("terminal", "markdown", "csv", "json")


def form(name, made=MADE, width=80):
    """The table in that form."""
    return import_module(f"leakaudit.render._sweep.{name}").render(made, width=width)


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_it_whole(width):
    """No line is too long; figures, ranges over seeds and why a cell failed are there, and what was not run."""
    text = form("terminal", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "papers/tiny: 6 cells, 4 finished, 1 failed, 1 not run" in text
    assert "everywhere: epochs=5" in text
    assert "digits/end  rho=0.5" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["mean", "50.00", "50.00", "50.00", "0.500", "2", "LEAK"] in lines
    assert ["range", "40.0-60.0", "40.0-60.0", "40.0-60.0", "0.400", "to", "0.600"] in lines
    assert ["0", "-", "-", "-", "-", "failed", "2"] in lines
    assert "No space left" in text
    assert "off by 5.125" in text


def test_seeds_that_disagree_are_told_within_the_width():
    """Verdicts of several seeds go on below one another where a terminal has no room beside them."""
    verdicts = ("INCONCLUSIVE", "DETECTED", "LEAK")
    found = tuple(cell("biased-mnist/end", seed, 0.4, verdict=each) for seed, each in enumerate(verdicts))
    lines = form("terminal", replace(MADE, results=found)).splitlines()
    assert max(map(len, lines)) <= 80
    start = next(number for number, line in enumerate(lines) if line.split()[:1] == ["mean"])
    assert " ".join(" ".join(line[50:] for line in lines[start : start + 3]).split()).endswith(
        "1 INCONCLUSIVE, 1 DETECTED, 1 LEAK"
    )
    assert "1 INCONCLUSIVE, 1 DETECTED, 1 LEAK" in form("terminal", replace(MADE, results=found), 120)


@pytest.mark.parametrize("name", FORMS)
def test_no_form_holds_a_time(name):
    """Two runs of the same cells give the same table however long they took."""
    later = replace(MADE, results=tuple(replace(each, seconds=1.0) for each in MADE.results))
    assert form(name) == form(name, later)
    assert "12345" not in form(name)


@pytest.mark.parametrize("name", ["terminal", "markdown", "csv"])
def test_a_table_is_the_same_from_every_machine(name):
    """The command, the device, versions and the document's own hash are no part of it."""
    other = tuple(replace(each, device="cpu (2 threads)", sha256="f", versions={"torch": "1"}) for each in MADE.results)
    assert form(name) == form(name, replace(MADE, command="leakaudit sweep --engine ray", results=other))
    assert form(name) != form(name, replace(MADE, results=MADE.results[1:]))


def test_markdown_is_inert():
    """What others wrote is words: no link, no row of its own."""
    text = form("markdown", replace(MADE, results=(replace(MADE.results[3], message="[a](b) | <i>"),)))
    assert "\\[a\\](b) \\| \\<i\\>" in text


def test_csv_holds_every_figure():
    """A line a cell, settings by their whole names, each figure with both ends; nothing where there is none."""
    lines = list(csv.DictReader(io.StringIO(form("csv"))))
    assert len(lines) == 5
    assert lines[0]["dataset.rho"] == "0.99"
    assert [float(lines[0][f"excess{end}"]) for end in ("", "_low", "_high")] == pytest.approx([0.4, 0.35, 0.45])
    assert (lines[3]["status"], lines[3]["excess"]) == ("2", "")
    assert float(lines[4]["mae"]) == 5.125


def test_json_holds_all_and_names_the_command():
    """The plan verbatim, the command, every result, and means over seeds."""
    made = json.loads(form("json"))
    assert (made["format"], made["kind"], made["cells"]) == (1, "sweep", 6)
    assert made["command"] == "leakaudit sweep papers/tiny"
    assert made["text"] == "seeds = [0]"
    assert made["results"][0]["excess"] == {"value": 0.4, "low": pytest.approx(0.35), "high": pytest.approx(0.45)}
    assert made["summary"][0]["excess"] == {"mean": 0.5, "least": 0.4, "most": 0.6}
    assert made["summary"][0]["seeds"] == [0, 1]
