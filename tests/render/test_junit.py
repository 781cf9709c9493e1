"""JUnit XML: nothing that was not judged looks green, and Jenkins reads it, whatever a model is called."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import synthetic
import xmlschema

from leakaudit import audits, catalog, gate
from leakaudit.audits import Gate
from leakaudit.render import Report
from leakaudit.report import report as make

RULES = xmlschema.XMLSchema(str(Path(__file__).parent / "junit.xsd"))
ENDINGS = {"failure", "error", "skipped"}
HOSTILE = (
    "<script>alert(1)</script>",
    "]]> & \"'",
    "\x00\x08\x1b[31m\x7f",
    "\ud800\ufffe\uffff",
    "\u202egnp",
    "x" * 10_000,
    "two\nlines\tand a tab",
    "a.b.c",
)
Ends = list[tuple[str, str, str | None]]


def text(made: Report) -> str:
    """The report as JUnit XML."""
    return str(catalog.thing("render", "junit").render(made, width=80))


def parsed(made: Report) -> ET.Element:
    """Its root, once its bytes hold to the schema."""
    shown = text(made).encode()
    RULES.validate(shown.decode())
    return ET.fromstring(shown)  # noqa: S314 (written a moment ago)


def ends(made: Report) -> Ends:
    """(suite, case, how it ended) of every case; None where it passed."""
    return [
        (str(suite.get("name")), str(case.get("name")), next((part.tag for part in case if part.tag in ENDINGS), None))
        for suite in parsed(made).iter("testsuite")
        for case in suite.iter("testcase")
    ]


def asked(*limits: str, plans: Sequence[synthetic.Plan] = (synthetic.VANILLA, synthetic.END)) -> Report:
    """A report with gates on E; rows are not paired, since nothing here is compared."""
    return make(
        [(synthetic.audit(plan)[0], None) for plan in plans], tuple(gate.parse("max-excess", limit) for limit in limits)
    )


def with_gate(outcome: str, *, open_passes: bool = False) -> Report:
    """One audit and one gate that ended so."""
    made = make([synthetic.audit(synthetic.VANILLA)], ())
    one = Gate("--max-excess 0.5", "colour", 0.5, outcome, "a made-up reason")
    return replace(made, gates=(one,), open_passes=open_passes)


@pytest.mark.parametrize("verdict", list(synthetic.BY_VERDICT))
def test_without_a_gate_nothing_is_green(verdict: str) -> None:
    """One case per attribute, skipped, with the verdict and E; not even NOT_FOUND is a pass."""
    made = make([synthetic.audit(synthetic.BY_VERDICT[verdict])], ())
    ((_, name, end),) = ends(made)
    assert (name, end) == ("colour: measured", "skipped")
    value = made.audits[0].attributes[0].figures.excess.value
    message = next(parsed(made).iter("skipped")).get("message") or ""
    assert message.startswith(f"measured; no gate asked: {verdict}, E {value:.3f} [")


@pytest.mark.parametrize(
    ("outcome", "open_passes", "end", "words"),
    [
        ("passed", False, None, ""),
        ("failed", False, "failure", "failed: a made-up reason"),
        ("failed", True, "failure", "failed: a made-up reason"),
        ("open", False, "error", "inconclusive: a made-up reason"),
        ("open", True, "skipped", "inconclusive, let pass: a made-up reason"),
    ],
)
def test_a_gate_ends_as_it_ended(outcome: str, open_passes: bool, end: str | None, words: str) -> None:  # noqa: FBT001
    """Passed, failed, open: a pass, a failure, an error, or skipped where the open was let pass."""
    made = with_gate(outcome, open_passes=open_passes)
    assert ends(made) == [("leakaudit.digits/vanilla", "colour: --max-excess 0.5", end)]
    ended = [part for part in parsed(made).iter() if part.tag in ENDINGS]
    assert [part.get("message") for part in ended] == [words] * bool(end)
    assert [part.text for part in ended] == [words] * bool(end), "GitLab shows the text, and no attribute"


def test_counts_are_those_of_the_cases() -> None:
    """Of each suite and of all: how many cases, failures, errors and skipped."""
    made = asked("0.5", "0.05", plans=(synthetic.VANILLA, synthetic.END, synthetic.BY_VERDICT["INCONCLUSIVE"]))
    root, found = parsed(made), ends(made)
    assert root.get("tests") == str(len(found)) == str(len(made.gates)) == "6"
    for count, end in (("failures", "failure"), ("errors", "error")):
        assert int(root.get(count, "")) == sum(part[2] == end for part in found)
        for suite in root:
            inside = [part for part in found if part[0] == suite.get("name")]
            assert int(suite.get(count, "")) == sum(part[2] == end for part in inside)
            assert int(suite.get("tests", "")) == len(inside) == 2
            assert suite.get("skipped") == "0"
    assert {part[2] for part in found} >= {None, "failure"}


def test_each_gate_stands_with_the_model_it_judged() -> None:
    """Of two models one fails and one passes, and each in its own suite."""
    assert ends(asked("0.5")) == [
        ("leakaudit.digits/vanilla", "colour: --max-excess 0.5", "failure"),
        ("leakaudit.digits/end", "colour: --max-excess 0.5", None),
    ]


def test_an_attribute_that_no_gate_speaks_of_is_skipped() -> None:
    """Beside one that a gate passed: a pass of one attribute is none of another."""
    plan = replace(synthetic.END, private="style", seed=8)
    made = make([synthetic.audit(synthetic.END, plan)], (gate.parse("max-excess", "colour=0.5"),))
    assert [(name, end) for _, name, end in ends(made)] == [
        ("colour: --max-excess colour=0.5", None),
        ("style: measured", "skipped"),
    ]


def test_names_hold_over_runs_and_are_told_apart() -> None:
    """The hash of a subject is no part of a name; two of one name, or one gate asked twice, are numbered."""
    plans = [replace(synthetic.END, name=f"digits/end@{hash_}", model=hash_[0]) for hash_ in ("aaaaaaaa", "bbbbbbbb")]
    first, second = (ends(asked("0.5", plans=[plan])) for plan in plans)
    assert first == second == [("leakaudit.digits/end", "colour: --max-excess 0.5", None)]
    names = [(suite, name) for suite, name, _ in ends(asked("0.5", "0.5", plans=plans))]
    assert len(set(names)) == len(names) == 4
    assert {suite for suite, _ in names} == {"leakaudit.digits/end", "leakaudit.digits/end #2"}
    assert {name for _, name in names} == {"colour: --max-excess 0.5", "colour: --max-excess 0.5 #2"}


def test_the_file_of_a_baseline_is_no_part_of_a_name() -> None:
    """The last release is another file each time; which one it was stands in the output."""
    made = with_gate("passed")
    typed = "--max-increase colour=0.05 --baseline audits/digits-vanilla-ee263cf8.json"
    made = replace(made, gates=(replace(made.gates[0], gate=typed),))
    assert ends(made) == [("leakaudit.digits/vanilla", "colour: --max-increase colour=0.05", None)]
    assert typed in next(parsed(made).iter("system-out")).text  # type: ignore[operator]


def test_properties_hold_the_figures_and_the_seal() -> None:
    """In all their digits, as the document has them; the class of each case is its suite."""
    made = asked("0.5")
    for suite, audit in zip(parsed(made).iter("testsuite"), made.audits, strict=True):
        found = {part.get("name"): part.get("value") for part in suite.iter("property")}
        figures = audit.attributes[0].figures
        assert found["verdict"] == found["colour.verdict"] == audit.verdict
        assert found["audit.sha256"] == audits.document(audit)["sha256"]
        assert float(found["colour.excess"] or "") == figures.excess.value
        assert float(found["colour.excess.low"] or "") == figures.excess.low
        assert float(found["colour.private_accuracy.high"] or "") == figures.private_accuracy.high
        assert float(found["colour.upper"] or "") == audit.attributes[0].upper
        assert {case.get("classname") for case in suite.iter("testcase")} == {suite.get("name")}


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name)[:20] for name in HOSTILE])
def test_hostile_names_stay_text(name: str) -> None:
    """Markup, marks that XML cannot hold, and endless names are spelt out; the bytes parse and hold to the schema."""
    plan = replace(synthetic.END, name=name, private=name, target=name, rows=200)
    shown = text(asked("0.5", plans=(replace(synthetic.VANILLA, rows=200), plan)))
    RULES.validate(shown)
    first, last = ET.fromstring(shown.encode()).iter("testcase")  # noqa: S314 (written a moment ago)
    assert not {"\x00", "\x1b", "\u202e", "\ufffe"} & set(shown)
    assert "<script>" not in shown
    assert "x" * 65 not in shown
    assert first.get("classname") == "leakaudit.digits/vanilla"
    assert "." not in str(last.get("classname")).removeprefix("leakaudit.")


def test_the_schema_tells_what_is_none() -> None:
    """The positive twin: a case without a name, or an ending in the wrong place, does not hold to it."""
    shown = text(with_gate("failed"))
    assert RULES.is_valid(shown)
    assert not RULES.is_valid(shown.replace(' name="colour: --max-excess 0.5"', ""))
    assert not RULES.is_valid(shown.replace("<failure ", "<failed ").replace("</failure>", "</failed>"))
    assert not RULES.is_valid(shown.replace(' tests="1" failures="1" errors="0" skipped="0"', ""))


def test_the_command_writes_it(leakaudit_here: Callable[..., object], tmp_path: Path) -> None:
    """A gate that fails ends with 1 and leaves the failure in the file."""
    audits.save(synthetic.audit(synthetic.VANILLA)[0], tmp_path / "a.json")
    line = ("report", "a.json", "--max-excess", "0.5", "--format", "junit", "--output", "junit.xml")
    done = leakaudit_here(*line)
    assert getattr(done, "returncode", None) == 1
    RULES.validate(str(tmp_path / "junit.xml"))
    assert '<failure type="max-excess"' in (tmp_path / "junit.xml").read_text(encoding="utf-8")
