"""Every form of a report: figures agree with the document, words keep the rules, names stay text."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import synthetic

from leakaudit import audits, catalog, gate, store
from leakaudit.render import Report
from leakaudit.report import report as make
from leakaudit.stats import Interval

FORMS = catalog.names("render")
READ = [form for form in FORMS if form not in ("json", "csv", "junit")]
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "[link](https://evil.example) | `code` | *bold*\n# head",
    "\x1b[31mred\x1b[0m",
    "x" * 10_000,
    "word " * 2_000,
    "{names} {{ 7 * 7 }} {0}",
    "colour'); DROP TABLE",
    "שלום",
)
Make = Callable[..., Report]
SHOWN: dict[tuple[str, int, int], tuple[Report, str]] = {}
"""Reports already rendered, by form, width and identity, which holds while the report is kept."""


def text(form: str, report: Report, width: int = 120) -> str:
    """The report in a form, rendered once."""
    if (form, width, id(report)) not in SHOWN:
        SHOWN[form, width, id(report)] = report, catalog.thing("render", form).render(report, width=width)
    return SHOWN[form, width, id(report)][1]


def words(form: str, report: Report) -> str:
    """The report as a reader meets it: no tags, no escapes, plain spaces and minus signs."""
    made = text(form, report)
    if form == "html":
        made = re.sub(r"<(style|script)>.*?</\1>", " ", made, flags=re.DOTALL)
        made = re.sub(r"<[^>]+>", "", made)
    return made.replace("\u202f", " ").replace("\u2212", "-").replace("**", "").replace("\\", "")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["one", "many"])
def test_the_same_report_is_the_same_bytes(form: str, name: str, request: pytest.FixtureRequest) -> None:
    """Rendering twice gives the same text."""
    report = request.getfixturevalue(name)
    assert catalog.thing("render", form).render(report, width=120) == text(form, report)


@pytest.mark.parametrize("form", READ)
def test_main_figures_agree_with_the_document(form: str, pair: Report) -> None:
    """Private accuracy, E and both their intervals stand in every form as the document has them."""
    shown = words(form, pair)
    for one in pair.audits:
        figures = one.attributes[0].figures
        for interval, scale, digits in ((figures.private_accuracy, 100, 1), (figures.excess, 1, 3)):
            value, low, high = (f"{scale * part:.{digits}f}" for part in interval)
            assert re.search(rf"{value}( %)? \[{low}, {high}\]", shown), (form, value)


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_every_finding_is_shown_with_its_figures(form: str, one: Report) -> None:
    """Each attacker's E with its interval is in the table; a screen shows the strongest, as tested beside it."""
    shown = words(form, one)
    for finding in one.audits[0].attributes[0].findings:
        value, low, high = (f"{part:.3f}" for part in finding.figures.excess)
        assert f"{value} [{low}, {high}]" in shown, (form, finding.attacker, finding.auxiliary)


@pytest.mark.parametrize("form", READ)
def test_comparisons_agree_with_the_document(form: str, pair: Report) -> None:
    """The difference of E and its interval are those of the comparison, and whether the data can tell is said."""
    (comparison,) = pair.comparisons
    shown = words(form, pair)
    excess = next(part for part in comparison.differences if part.figure == "excess")
    value, low, high = (f"{part:.3f}" for part in excess.difference)
    assert f"{value} [{low}, {high}]" in shown
    assert "the data can tell" in shown
    assert "unpaired" not in shown.replace("unpaired:", "")


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("verdict", list(synthetic.BY_VERDICT))
def test_every_verdict_has_its_words(form: str, verdict: str, make_report: Make) -> None:
    """The word, the reason and the wording that PROTOCOL binds stand in the report of each verdict."""
    report = make_report(synthetic.BY_VERDICT[verdict])
    shown = words(form, report)
    assert verdict in shown
    assert "made-up reason about colour" in shown
    if verdict in ("WITHIN", "NOT_FOUND"):
        assert "no attacker of suite v0 exceeds τ (95 %)" in shown
    if verdict == "NOT_FOUND":
        assert "planted leaks of 2 τ were found" in shown
    if verdict in ("DETECTED", "INCONCLUSIVE"):
        assert re.search("About 4[, ]200 rows of this mix would decide", " ".join(shown.split()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("verdict", list(synthetic.BY_VERDICT))
def test_no_form_praises_a_model(form: str, verdict: str, make_report: Make) -> None:
    """No rendered form calls a model safe, compliant or anonymous, nor says that there is no leak."""
    shown = text(form, make_report(synthetic.BY_VERDICT[verdict]))
    assert not re.search(r"\b(safe|compliant|anonymous)\b|no leak\b|is private\b", shown, flags=re.IGNORECASE)


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(form: str, name: str, make_report: Make) -> None:
    """Tags, quotes, escape codes, direction marks and endless names are shown as text, and shortened."""
    plan = replace(synthetic.END, name=name, private=name, target=name, classes=(name, "b", "c", "d"))
    shown = text(form, make_report(synthetic.VANILLA, plan))
    if form == "markdown":
        shown = re.sub(r"^(`{3,})\n.*?^\1$", "", shown, flags=re.DOTALL | re.MULTILINE)  # a fence holds text alone
    if form != "terminal":
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "x" * 65 not in shown
    assert "word " * 20 not in shown
    assert len(shown) < 250_000
    if form == "markdown":
        assert "](https:" not in re.sub(r"`[^`\n]+`|<code>.*?</code>", "", shown)  # in code it is text
        assert "\n# head" not in shown


@pytest.mark.parametrize("form", FORMS)
def test_missing_parts_are_left_out(form: str) -> None:
    """An audit without target, baselines, controls, curves, pictures, utility or bits still renders."""
    plan = replace(synthetic.END, target=None, baselines=False, paper=False, utility=False)
    one, rows = synthetic.audit(plan)
    part = one.attributes[0]
    empty = replace(
        part,
        findings=(), controls=(), sensitivity=(), cells=(), separation=(),
        figures=replace(part.figures, bits=None),
    )  # fmt: skip
    bare = replace(one, attributes=(empty,), threat={}, provenance={}, subject={"name": "bare"}, data={})
    shown = text(form, make([(bare, rows)], ()))
    assert "bare" in shown
    assert not re.search(r"\bNone\b(?! of)", shown)


def test_json_of_one_audit_is_the_saved_document(one: Report, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """`--format json` of one audit is byte for byte what `audits.save` wrote."""
    path = tmp_path / "audit.json"
    audits.save(one.audits[0], path)
    assert text("json", one) == path.read_text(encoding="utf-8")


def test_json_of_several_holds_whole_documents(pair: Report, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A report document holds each audit as a sealed document that can be read back."""
    path = tmp_path / "report.json"
    path.write_text(text("json", pair), encoding="utf-8")
    document = store.read_json(path)
    assert (document["kind"], document["verdict"], len(document["audits"])) == ("report", "LEAK", 2)
    assert set(document) == {"format", "kind", "verdict", "audits", "comparisons", "gates", "rankings"}
    store.write_json(path, document["audits"][1])
    assert audits.load(path) == pair.audits[1]


@pytest.mark.parametrize("width", [72, 80, 100, 120])
@pytest.mark.parametrize("name", ["one", "pair", "many"])
def test_the_terminal_keeps_its_width(width: int, name: str, request: pytest.FixtureRequest) -> None:
    """No line is wider than the terminal, and the verdict comes in its first line's first words."""
    shown = text("terminal", request.getfixturevalue(name), width)
    assert max(map(len, shown.split("\n"))) <= width
    assert "\x1b" not in shown
    assert "LEAK" in shown.split("\n")[0] + shown.split("\n")[1]


def test_style_colours_two_things_only(one: Report) -> None:
    """`style` reddens the word LEAK and emboldens the deciding row; without codes the words are the same."""
    from leakaudit.render import terminal

    plain = terminal.render(one, width=120)
    styled = terminal.style(plain)
    assert re.sub(r"\x1b\[[0-9;]*m", "", styled) == plain
    assert styled.startswith("\x1b[1;31mLEAK\x1b[0m")
    (bold,) = [line for line in styled.split("\n") if line.startswith("\x1b[1m")]
    assert "decides" in bold


def test_markdown_speaks_first_and_folds_the_rest(pair: Report) -> None:
    """The verdict is the first heading; every fold is closed."""
    shown = text("markdown", pair)
    assert shown.startswith("## LEAK: ")
    assert shown.count("<details>") == shown.count("</details>") >= 4
    for line in shown.split("\n"):
        if line.startswith("|"):
            assert line.endswith("|")


@pytest.mark.parametrize("form", FORMS)
def test_gates_are_shown_with_how_they_ended(form: str) -> None:
    """Each gate stands in the report as it was typed, with its outcome and its reason."""
    given = [synthetic.audit(synthetic.VANILLA), synthetic.audit(synthetic.END)]
    report = make(given, (gate.parse("max-private-accuracy", "0.5"),))
    shown = " ".join(words(form, report).replace('", "', " ").split())
    assert "--max-private-accuracy 0.5" in shown
    for part in report.gates:
        assert part.outcome in shown
        assert part.reason in shown or form == "terminal"
    assert {part.outcome for part in report.gates} >= {"failed"}


@pytest.mark.parametrize("form", READ)
def test_the_papers_figure_stands_beside_the_audits(form: str, pair: Report) -> None:
    """What the papers' protocol would have said is told with both models' figures, and never decides."""
    found = [part for one in pair.audits for part in one.attributes[0].findings if part.auxiliary == "paper"]
    said = [f"{100 * part.figures.private_accuracy.value:.1f} %" for part in found]
    shown = " ".join(words(form, pair).replace("\u2019", "'").split())
    assert f"The papers' protocol would have said {said[0]} for vanilla and {said[1]} for end" in shown
    assert "never decides" in shown


@pytest.mark.parametrize("form", READ)
def test_no_figure_is_minus_nothing_and_no_path_loses_its_points(form: str) -> None:
    """What is less than nothing by less than a digit is 0.000; a model that is called by its path keeps it."""
    made = []
    for plan in (synthetic.VANILLA, synthetic.END):
        whole, _ = synthetic.audit(replace(plan, name=f"../../{plan.name}", private="v.."))
        (part,) = whole.attributes
        tiny = replace(part.figures, excess=Interval(-0.0001, -0.0002, 0.0001))
        made.append((replace(whole, attributes=(replace(part, figures=tiny),)), None))
    both, alone = words(form, make(made, ())), words(form, make(made[:1], ()))
    assert not re.search(r"-0\.000\b", both + alone)
    assert "../../digits/vanilla" in alone
    assert "v.." in alone
