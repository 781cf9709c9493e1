"""What an audit from a program can be made into: every form is the command line's, and names stay text."""

import csv
import dataclasses
import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import leakaudit
from leakaudit import archive, audits, catalog
from leakaudit import report as reporting
from leakaudit.python.result import COUNTS, FORMS, NUMBERS, TRUTHS, WIDE
from leakaudit.stats import Interval

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))
import markup

FIGURES = ("excess", "private_accuracy", "balanced_accuracy", "bits")


class Table(HTMLParser):
    """The tags of a page, and the text of every cell by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Begin a row, or a cell of it."""
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        """Add to the last cell."""
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.mark.parametrize("form", ["json", "html", "markdown", "csv", "junit", "terminal"])
def test_every_form_is_the_command_lines(found, form, tmp_path):
    """What is made of a result, and saved, is what `leakaudit report` renders of its document."""
    suffix = next(end for end, name in FORMS.items() if name == form)
    path = found.save(tmp_path / f"report{suffix}")
    whole = reporting.report([(found.audits[0], None)], ())
    assert path.read_bytes().decode() == catalog.thing("render", form).render(whole, width=WIDE)
    made = {"json": found.to_json, "html": found.to_html, "markdown": found.to_markdown, "terminal": found.__str__}
    assert form not in made or made[form]() == path.read_bytes().decode()


def test_a_saved_document_is_read_back_with_its_rows(found, tmp_path):
    """The document is whole and sealed, and the per-row outcomes beside it pair it with others."""
    path = found.save(tmp_path / "audit.json")
    audit, rows = archive.read(path)
    assert audit == found.audits[0]
    assert rows is not None
    assert set(rows) == {"gender"}
    again = found.compare(path)
    assert len(again.audits) == 2
    assert again.comparisons[0].paired
    assert again.comparisons[0].differences[0].difference.value == 0
    assert json.loads(again.to_json())["kind"] == "report"


def test_the_frame_is_the_csv(found, tmp_path):
    """Same rows, same columns, same numbers to the last digit; a class called NA is no missing value."""
    frame = found.to_frame()
    text = found.save(tmp_path / "audit.csv").read_text(encoding="utf-8")
    assert ",".join(frame.columns) == text.splitlines()[0]
    cells = list(csv.DictReader(text.splitlines()))
    assert len(frame) == len(cells)
    for name in frame.columns:
        read = ["" if pd.isna(cell) else cell for cell in frame[name]]
        same = [
            cell == (float(there) if there and name in NUMBERS else there)
            for cell, there in zip(read, ([row[name] for row in cells]), strict=True)
        ]
        assert all(same) or name in COUNTS + TRUTHS, name
    assert frame["rows"].dropna().tolist() == [int(row["rows"]) for row in cells if row["rows"]]
    assert frame["decides"].dropna().tolist() == [row["decides"] == "True" for row in cells if row["decides"]]
    own = frame[(frame["kind"] == "attribute") & (frame["attribute"] == "gender")].set_index("metric")["value"]
    figures = found.attribute("gender").figures
    for name in FIGURES:
        interval = getattr(figures, name)
        assert isinstance(interval, Interval)
        assert own[name] == interval.value


def test_a_result_says_what_the_document_says(found):
    """Verdict, attributes and findings are the document's; nothing of it can be set."""
    document = json.loads(found.to_json())
    assert found.verdict == document["verdict"]
    assert "embeddings (numbers and labels in memory), sha256" in found.to_html()
    assert [part.private for part in found.attributes] == ["gender"]
    named = [(each.attacker, each.auxiliary) for each in found.findings]
    assert named == [(each["attacker"], each["auxiliary"]) for each in document["attributes"][0]["findings"]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.given = ()
    with pytest.raises(AttributeError):
        found.verdict = "NOT_FOUND"
    with pytest.raises(leakaudit.InputError, match=r"'gendr' was not attacked. Did you mean 'gender'"):
        found.attribute("gendr")
    with pytest.raises(leakaudit.InputError, match=r"a name that ends in \.json, \.html"):
        found.save("report.pdf")


def test_a_notebook_shows_one_table(found):
    """One table of plain tags: four figures in words, scopes for readers of screens, no colour, script or picture."""
    page = found._repr_html_()
    markup.check(page, {"br"})
    table = Table(page)
    assert {tag for tag, _ in table.tags} <= {
        *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "strong", "bdi", "br"),
    }
    assert [tag for tag, _ in table.tags].count("table") == 1
    assert {attrs.get("scope") for tag, attrs in table.tags if tag == "th"} == {"col", "row"}
    assert {value for _, attrs in table.tags for name, value in attrs.items() if name == "style"} <= {
        "text-align: left",
        "text-align: right; white-space: nowrap",
    }
    head, row, foot = table.rows
    assert len(head) == len(row) == 6
    assert row[:2] == ["gender", found.verdict]
    figures = found.attribute("gender").figures
    assert row[2].startswith(f"{100 * figures.private_accuracy.value:.1f} % [")
    assert row[4:] == ["\N{EN DASH}"] * 2
    assert "embeddings alone" in foot[0]
    assert row[3].startswith(f"{figures.excess.value:.3f} [")
    assert "another attacker may read more" in foot[0]


def test_hostile_names_stay_text(two):
    """Names of attributes, classes and models that are markup, or turn a line around, are shown and do nothing."""
    page = two._repr_html_()
    table = Table(page)
    markup.check(page, {"br"})
    assert not {tag for tag, _ in table.tags} & {"script", "img", "b"}
    assert {name for _, attrs in table.tags for name in attrs} <= {"style", "scope", "colspan"}
    assert any('"><img src=x onerror=alert(1)>' in cell for row in table.rows for cell in row)
    for text in (page, repr(two), str(two), two.to_markdown(), two.to_html()):
        assert "\u202e" not in text
    assert "<img src" not in page + two.to_html()


def test_a_terminal_shows_a_few_lines(found, two):
    """`repr` is the verdict and the figures: two lines an attribute; `print` is the report."""
    assert len(repr(found).splitlines()) == 2
    assert repr(found).startswith(f"{found.verdict}   ")
    assert f"E {found.attribute('gender').figures.excess.value:.3f}" in repr(found)
    assert len(repr(two).splitlines()) == 4
    assert len(str(found).splitlines()) > len(repr(found).splitlines())


def test_several_stand_side_by_side(found, two):
    """A notebook names the model of each row where there are several."""
    head, *rows = Table(found.compare(two)._repr_html_()).rows
    assert head[0] == "model"
    assert len(rows) == 1 + 2 + 1
    assert audits.worst(tuple(found.compare(two).attributes)).verdict == found.compare(two).verdict
