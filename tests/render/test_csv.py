"""The long form: every figure of the documents, in all its digits, and nothing that a spreadsheet would run."""

import csv
import io
from collections.abc import Callable
from dataclasses import fields, replace

import pandas as pd
import pytest
import synthetic

from leakaudit import audits, catalog, gate
from leakaudit.render import Report
from leakaudit.render.csv import COLUMNS, UNITS
from leakaudit.report import report as make
from leakaudit.stats import Interval

Make = Callable[..., Report]
PLAIN = ("private_accuracy", "accuracy", "balanced_accuracy", "excess", "bits", "auc")


def text(made: Report) -> str:
    """The report in long form."""
    return str(catalog.thing("render", "csv").render(made, width=80))


def frame(made: Report) -> pd.DataFrame:
    """As the docstring of the form says that pandas reads it."""
    return pd.read_csv(
        io.StringIO(text(made)),
        keep_default_na=False,
        na_values=[""],
        dtype={"label": str},
    )


def one_of(table: pd.DataFrame, **wanted: object) -> pd.Series:
    """The only row with these values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1, wanted
    return table.iloc[0]


def test_the_header_is_the_documented_columns(one: Report) -> None:
    """In the order in which they are explained, and every row has as many cells; lines end as RFC 4180 says."""
    shown = text(one)
    lines = list(csv.reader(io.StringIO(shown, newline="")))
    assert lines[0] == list(COLUMNS)
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert shown.count("\r\n") == shown.count("\n") == len(lines)
    assert all(COLUMNS.values())


def test_every_finding_is_there_in_all_its_digits(pair: Report) -> None:
    """Value and bounds of each figure of each attacker are the same floats as in the document."""
    table = frame(pair)
    keys = ["audit", "attacker", "auxiliary", "metric"]
    table = table[(table["kind"] == "finding") & table["metric"].isin(PLAIN)].set_index(keys)
    assert table.index.is_unique
    known = table.to_dict("index")
    for audit in pair.audits:
        for found in audit.attributes[0].findings:
            for metric in PLAIN:
                row = known[audit.name, found.attacker, found.auxiliary, metric]
                value: Interval = getattr(found.figures, metric)
                assert (row["value"], row["low"], row["high"]) == tuple(value)
                assert (row["decides"], row["converged"]) == (found.decides, found.converged)
                assert (row["verdict"], row["tolerance"]) == (audit.attributes[0].verdict, audit.tolerance)
                assert row["sha256"] == audits.document(audit)["sha256"]
                assert (row["seed"], row["layer"], row["data"]) == (0, "bottleneck", "digits:rho=0.8 test")


def test_the_deciding_figures_are_those_of_the_document(one: Report) -> None:
    """Those of the nested winner, with UCB*, p and the smallest detectable E."""
    part = one.audits[0].attributes[0]
    table = frame(one)
    table = table[table["kind"] == "attribute"]
    for metric in PLAIN:
        assert one_of(table, metric=metric)["value"] == getattr(part.figures, metric).value
    for metric in ("upper", "mde", "p", "p_h", "entropy"):
        values = table[table["metric"] == metric]["value"].tolist()
        assert getattr(part, metric) in values
    assert len(table[table["metric"] == "tpr"]) == len(part.classes)


def test_every_kind_that_an_audit_holds_has_rows() -> None:
    """What is measured stands there under its kind, and each kind is explained."""
    plan = replace(synthetic.VANILLA, number=True)
    audit, rows = synthetic.audit(plan)
    part = replace(audit.attributes[0], seeds=(0.5, 0.25), crossing=((7,) * 4,) * 5)
    given = [(replace(audit, attributes=(part,)), rows)]
    given += [synthetic.audit(replace(synthetic.END, name=f"m{i}", model="bcd"[i])) for i in range(3)]
    table = frame(make(given, (gate.parse("max-excess", "0.5"),)))
    found = set(table["kind"])
    assert found >= {"attribute", "finding", "baseline", "control", "sensitivity", "cell", "worst", "learning", "seed"}
    assert found >= {"regression", "reconstruction", "separation", "bottleneck", "coverage", "crossing", "utility"}
    assert found >= {"gate", "comparison"}
    words = COLUMNS["kind"].replace(",", " ").split()
    assert found <= set(words), found - set(words)
    assert set(table["unit"]) <= set(UNITS) | {"none"}
    seeds = table[table["kind"] == "seed"]
    assert list(zip(seeds["step"], seeds["value"], strict=True)) == [(1, 0.5), (2, 0.25)]
    assert table[table["kind"] == "crossing"]["value"].tolist() == [7] * 20


def test_comparisons_and_gates_are_rows_of_their_own(pair: Report) -> None:
    """A difference is later less earlier, with how it was told; a gate has its limit and its outcome."""
    asked = make(
        [synthetic.audit(plan) for plan in (synthetic.VANILLA, synthetic.END)], (gate.parse("max-excess", "0.5"),)
    )
    table = frame(asked)
    (comparison,) = pair.comparisons
    for part in comparison.differences:
        row = one_of(table, kind="comparison", metric=part.figure)
        assert (row["value"], row["low"], row["high"]) == tuple(part.difference)
        assert (row["audit"], row["other"], row["item"]) == (comparison.second, comparison.first, "paired")
        assert row["outcome"] == ("cannot tell" if part.difference.low <= 0 <= part.difference.high else "can tell")
    gates = table[table["kind"] == "gate"]
    assert gates["outcome"].tolist() == [part.outcome for part in asked.gates]
    assert gates["value"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "'quoted'", "\uff1d1+1"])
def test_a_name_is_never_a_formula(name: str) -> None:
    """An apostrophe stands before what a spreadsheet would run, and taking it away gives the name back."""
    plan = replace(synthetic.END, name=name, private=name, classes=(name, "b", "c", "d"), targets=(name, "1"))
    shown = list(csv.DictReader(io.StringIO(text(make([synthetic.audit(plan)], ())), newline="")))
    for row in shown:
        for column in set(COLUMNS) - {"value", "low", "high", "step"}:
            assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r")), (column, row[column])
        assert row["audit"] == f"'{name}"
        assert row["audit"][1:] == name


def test_negative_numbers_stay_numbers() -> None:
    """The apostrophe is for text alone."""
    table = frame(make([synthetic.audit(synthetic.BY_VERDICT["NOT_FOUND"])], ()))
    assert (table["low"] < 0).any()
    assert table["value"].dtype == float


@pytest.mark.parametrize("name", ["None", "NA", "nan", 'a "quoted", name', "two\nlines", "null"])
def test_a_name_is_no_missing_value(name: str) -> None:
    """Read as the docstring says, a class called None is a class."""
    plan = replace(synthetic.END, classes=(name, "b", "c", "d"))
    table = frame(make([synthetic.audit(plan)], ()))
    assert " ".join(name.split()) in set(table["label"].dropna())


def test_nothing_of_single_rows_is_told() -> None:
    """Misclassified rows, which the document places in cells of a plot, have no row here."""
    audit, rows = synthetic.audit(synthetic.VANILLA)
    plain = frame(make([(audit, rows)], ()))
    found = audit.attributes[0].bottleneck
    assert found is not None
    metrics = set(plain[plain["kind"] == "bottleneck"]["metric"])
    assert {"rows", "wrong", "away", "shared", "p"} <= metrics
    assert not metrics & {"marks", "centroids", "x", "y"}
    assert "marks" in {field.name for field in fields(found)}
