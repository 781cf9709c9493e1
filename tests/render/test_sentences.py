"""Sentences that open a section: each stands alone, none says more than its table."""

from collections.abc import Callable
from dataclasses import replace

import crowds
import synthetic

from leakaudit.render import Comparison, Difference, Report, _words, terminal
from leakaudit.render._html import lanes, view
from leakaudit.report import report
from leakaudit.stats import Interval

Make = Callable[..., Report]


def test_each_model_has_a_sentence_of_its_own(make_report: Make) -> None:
    """A verdict that needs a semicolon is not joined to the next by another."""
    said = _words.verdicts(make_report(synthetic.BY_VERDICT["NOT_FOUND"], synthetic.BY_VERDICT["LEAK"]))
    assert "; planted leaks of 2 τ were found. Colour can be read from digits/vanilla. " in said


def test_attributes_that_end_alike_are_said_once() -> None:
    """Of many only how many there are; one that ends otherwise is named."""
    said = _words.verdicts(crowds.report([["LEAK"] * 9 + ["WITHIN"]], name="m"))
    assert said == "9 attributes: LEAK for m. Attribute-9: WITHIN for m."


def test_no_estimate_says_that_all_of_a_leak_is_gone() -> None:
    """How far a model went towards guessing is said while something is left, not where the estimate is at nothing."""
    given = crowds.report([["LEAK"], ["NOT_FOUND"]], name="m{}")

    def told(first: float, second: float) -> str:
        change = Interval(second - first, second - first - 0.01, second - first + 0.01)
        excess = Difference("excess", first, second, change)
        compared = Comparison("attribute-0", "m0", "m1", True, 9, (excess,), "")
        return view.traded(replace(given, comparisons=(compared,)), {"m0": "m0", "m1": "m1"})

    assert told(0.8, 0.2) == "m1 went 75.0 % of the way from m0's leak to guessing."
    assert told(0.8, -0.01) == "m1 gives away less of the attribute-0 than m0."
    assert told(0.2, 0.8) == "m1 gives away more of the attribute-0 than m0."


def test_rows_of_a_class_are_those_of_every_model(make_report: Make) -> None:
    """Where models were scored on unlike rows, the fewest and the most stand in the table of classes."""
    small = replace(synthetic.END, rows=300)
    for plans, apart in (((synthetic.VANILLA, small), True), ((synthetic.VANILLA, synthetic.END), False)):
        both = make_report(*plans)
        section = lanes.classes(both)
        assert section is not None
        counts = [sorted({audit.attributes[0].cells[y].rows for audit in both.audits}) for y in range(5)]
        shown = [row["rows"] for row in section.body["tables"][0]["rows"]]
        assert shown == [f"{low[0]} to {low[-1]}" if apart else f"{low[0]}" for low in counts]


def test_limits_of_models_side_by_side_are_those_of_all(make_report: Make) -> None:
    """The fewest and the most rows, and every suite; a screen names no single model's for all."""
    both = make_report(synthetic.VANILLA, replace(synthetic.END, rows=300))
    newer = replace(both, audits=(both.audits[0], replace(both.audits[1], suite="1")))
    said = " ".join(terminal.render(newer, width=120).split())
    assert "Only colour, one checkpoint each, suite v0 and 1, 300 to 1500 images; figures are floors." in said


def test_a_name_of_spaces_says_so_and_parts_no_words() -> None:
    """A name of nothing is called so; a space at the end of a column's name takes none from a sentence."""
    made, _ = synthetic.audit(replace(synthetic.VANILLA, name=" ", private="gender ", classes=("", "b", "c", "d")))
    said = replace(made.attributes[0], reason="the gender column is read")
    shown = terminal.render(report([(replace(made, attributes=(said,)), None)], ()), width=120)
    assert shown.startswith("LEAK   gender can be read from (no name)")
    assert "the gender column is read" in shown
