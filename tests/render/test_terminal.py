"""A terminal's forty lines: what gives way where there is too much, and what never does."""

import re
import unicodedata
from collections.abc import Callable

import crowds
import numpy as np
import pytest
import synthetic

from leakaudit import gate
from leakaudit.finding import Verdict
from leakaudit.render import Report, _figures, terminal
from leakaudit.render._terminal import layout
from leakaudit.report import report as make

WIDTHS = (60, 80, 120)
Make = Callable[..., Report]


def cells(line: str) -> int:
    """Columns of a line on a screen, counted apart from the tool."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in line)
    return len(line) + wide - sum(unicodedata.combining(letter) > 0 for letter in line)


def shown(report: Report, width: int) -> str:
    """The report on a screen, after what holds for every one of them."""
    text = terminal.render(report, width=width)
    lines = text.splitlines()
    assert len(lines) <= terminal.LINES, text
    assert max(map(cells, lines)) <= width, text
    assert "--format html --output report.html" in lines[-1]
    return text


@pytest.mark.parametrize("models", [1, 2, 3, 10])
def test_whatever_the_report_it_fits_a_screen_and_every_verdict_is_there(models: int) -> None:
    """One to five attributes, any verdicts, warnings, failed controls and gates: forty lines, no wider than asked."""
    draw = np.random.default_rng(models)
    for attributes in (1, 5) if models > 3 else (1, 2, 5):
        verdicts: list[list[Verdict]] = [[draw.choice(crowds.WORDS) for _ in range(attributes)] for _ in range(models)]
        count, failed = int(draw.choice([0, 1, 3])), int(draw.choice([0, 1, 4]))
        outcomes = [(), ("failed", "passed"), ("open",), ("passed",)][int(draw.integers(4))]
        report = crowds.report(verdicts, warnings=count, failed=failed, gates=outcomes)
        for width in WIDTHS:
            text = shown(report, width)
            said = " ".join(text.split())
            assert {word for row in verdicts for word in row} <= set(re.findall(r"\b[A-Z_]{4,}\b", text))
            assert attributes == 1 or text.startswith(f"{report.verdict}   ")
            assert said.count("WARNING: ") == (count * models if f"{count * models} warnings" not in said else 1)
            assert ("No absence can be concluded" in said) == (failed > 0)
            for outcome in outcomes:
                assert re.search(rf"\b{outcome}\b", said)
            assert "Not tested" in said


@pytest.mark.parametrize("word", crowds.WORDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_screen_shows_four_figures_with_their_intervals(word: Verdict, width: int, make_report: Make) -> None:
    """Private accuracy, E, the share of what the raw input gives, E above a random encoder; UCB*, and the wording."""
    report = make_report(synthetic.BY_VERDICT[word])
    (part,) = report.audits[0].attributes
    said = " ".join(shown(report, width).split())
    assert part.share_of_raw is not None
    assert part.above_random is not None
    for interval, unit in (
        (part.figures.private_accuracy, "%"),
        (part.figures.excess, "E"),
        (part.share_of_raw, "%"),
        (part.above_random, "E"),
    ):
        assert f"{_figures.figure(interval.value, unit)} {_figures.bounds(interval, of=unit)}" in said
    assert f"UCB*, the smallest that could be passed: {part.upper:.3f}" in said
    assert "Labels needed" in said
    if word in ("WITHIN", "NOT_FOUND"):
        assert "no attacker of suite v0 exceeds τ (95 %)" in said
    if word == "NOT_FOUND":
        assert "planted leaks of 2 τ were found" in said


@pytest.mark.parametrize("width", WIDTHS)
def test_the_strongest_attackers_stand_first_and_the_rest_is_counted(width: int, make_report: Make) -> None:
    """The deciding row and the next by E; how many more there are in the document."""
    report = make_report(synthetic.VANILLA)
    (part,) = report.audits[0].attributes
    text = shown(report, width)
    found = re.search(r"and (\d+) more in the document, E up to ([\d.]+)", text)
    table = text[text.index("E vs τ") : found.start() if found else None]
    drawn = [line for line in table.splitlines()[1:] if "[" in line]
    assert "decides" in drawn[0]
    assert len(drawn) >= 4
    assert len(drawn) + (int(found[1]) if found else 0) == len(part.findings) + 2  # the chosen one, the reconstruction
    strongest = max((f for f in part.findings if f.auxiliary == "balanced"), key=lambda f: f.figures.excess.value)
    assert f"{strongest.figures.excess.value:.3f}" in drawn[1]


def test_of_a_pair_every_interval_and_difference_stands(pair: Report) -> None:
    """The four figures of both models, and every difference, whether the data can tell, at 80 columns as at 120."""
    for width in (80, 120):
        said = " ".join(shown(pair, width).split())
        for one in pair.audits:
            part = one.attributes[0]
            assert part.share_of_raw is not None
            assert part.above_random is not None
            assert f"{100 * part.share_of_raw.value:.1f} % {_figures.bounds(part.share_of_raw, of='%')}" in said
            assert f"{_figures.three(part.above_random.value)} {_figures.bounds(part.above_random)}" in said
        for difference in pair.comparisons[0].differences:
            assert " ".join(_figures.change(difference)) in said, difference.figure


def test_three_models_are_ranked() -> None:
    """Each has its rank, tied ones a range, and the ranking's own sentence."""
    text = shown(crowds.report([["LEAK"], ["LEAK"], ["DETECTED"]]), 120)
    assert re.search(r"number-0 .* 1 to 2 ", text)
    assert re.search(r"number-2 .* 2 to 3 ", text)
    assert "Ranked." in text


def test_too_many_for_a_table_each_are_counted_and_the_worst_stand_first() -> None:
    """Fifty verdicts: how many of each, the leaks a line each, and how many more there are."""
    verdicts: list[list[Verdict]] = [[crowds.WORDS[(i + j) % 5] for j in range(5)] for i in range(10)]
    text = shown(crowds.report(verdicts), 100)
    assert text.startswith("LEAK   50 verdicts on 5 attributes of 10 models: LEAK 10, DETECTED 10, INCONCLUSIVE 10,")
    lines = [line.split()[0] for line in text.splitlines() if "number-" in line]
    assert lines[:10] == ["LEAK"] * 10
    assert f"and {50 - len(lines)} more in the document" in text


@pytest.mark.parametrize("width", [60, 120])
def test_a_gate_that_failed_is_told_whatever_else_there_is(width: int) -> None:
    """Of forty gates the one that failed stands with its reason, and the others are counted."""
    outcomes = ["passed"] * 40
    outcomes[33] = "failed"
    verdicts: list[list[Verdict]] = [["LEAK"] * 4 for _ in range(10)]
    said = " ".join(shown(crowds.report(verdicts, gates=outcomes, warnings=2, failed=4), width).split())
    assert "failed, models/number-8: attribute-1 is read at 47.1 %" in said
    assert "1 failed, 39 passed" in said


def test_hostile_names_of_any_letters_keep_the_width() -> None:
    """Wide, combining and endless letters; braces stay as they are."""
    for name in ("語" * 200, "e\u0301" * 90, "x" * 10_000, "{} {private} {target} \x1b[31m\u202e"):
        held = name.replace("{}", "{{}}").replace("{private}", "{{private}}").replace("{target}", "{{target}}")
        for verdicts in ([["NOT_FOUND"]], [["LEAK"], ["WITHIN"]]):
            report = crowds.report(verdicts, name=held + "{}", private=held + "{}", warnings=1)  # type: ignore[arg-type]
            for width in (60, 97):
                assert "\x1b" not in shown(report, width)


def test_a_baseline_that_was_refused_gives_its_reason(make_report: Make) -> None:
    """Where the share of the raw input is not known, the figure says so and why."""
    from dataclasses import replace

    made, rows = synthetic.audit(synthetic.VANILLA)
    raw = "the raw input holds hardly anything"
    part = replace(made.attributes[0], share_of_raw=None, share_of_raw_note=raw, baselines=())
    said = shown(make([(replace(made, attributes=(part,)), rows)], ()), 120)
    assert re.search(rf"share of what the raw input gives, % +not known +{raw}", said)
    assert "not known" not in shown(make_report(synthetic.VANILLA), 120)


def test_a_gate_stands_at_the_end_as_it_was_typed() -> None:
    """Name, limit, outcome, reason; last but the line that says where the rest is."""
    report = make([synthetic.audit(synthetic.VANILLA)], (gate.parse("max-private-accuracy", "0.5"),))
    lines = shown(report, 120).splitlines()
    assert re.match(r"  Gate +--max-private-accuracy 0.5: failed, colour is read at ", lines[-3])


@pytest.mark.parametrize("width", [14, 20, 40])
def test_words_are_wrapped_and_none_is_lost(width: int) -> None:
    """Endless words are cut into pieces, in order; with a limit the end is left out, and marked."""
    words = "a bb ccc " * 9 + "x" * 70 + " 語" * 12 + " end"
    lines = layout.wrap(words, width, first="  L: ", rest="    ")
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "L:" + "".join(words.split())
    cut = layout.wrap(words, width, most=2)
    assert len(cut) == 2
    assert cut[1].endswith("…")
    assert layout.wrap("short", width, most=2) == ("  short",)


@pytest.mark.parametrize("size", range(1, 12))
def test_a_clipped_text_keeps_both_ends(size: int) -> None:
    """Of at most so many columns; what fits is left as it is."""
    for text in ("abcdefghijkl", "語語語語語語語"):
        cut = layout.clip(text, size)
        assert cells(cut) <= size
        assert "…" in cut
        assert size < 5 or (cut[0] == text[0] and cut[-1] == text[-1])
        assert layout.clip(text, size, end=True).endswith("…")
    assert layout.clip("abc", 3) == "abc"


def test_a_table_leaves_out_columns_before_it_cuts_them() -> None:
    """The least needed first; then the longest of those that may be cut; an empty column has no head."""
    columns = [
        layout.Column("name", least=8),
        layout.Column("acc", right=True),
        layout.Column("bounds", gap=1, drop=1),
        layout.Column("none"),
    ]
    rows = [["a" * 20, "81.9", "[80.0, 82.1]", ""], ["b", "1.9", "[0.0, 2.1]", ""]]
    assert layout.roomy(columns, rows, 41)
    assert not layout.roomy(columns, rows, 40)
    assert layout.table(columns, rows, 41)[1] == f"  {'a' * 20}  81.9 [80.0, 82.1]"
    assert layout.table(columns, rows, 35)[1] == f"  {layout.clip('a' * 20, 14)}  81.9 [80.0, 82.1]"
    assert layout.table(columns, rows, 28)[1] == f"  {'a' * 20}  81.9"
    assert layout.table(columns, rows, 20)[1] == f"  {layout.clip('a' * 20, 12)}  81.9"
    assert all("none" not in line for line in layout.table(columns, rows, 60))


def test_what_is_let_go_of_first_is_exchanged_first() -> None:
    """By how hard it is kept, later blocks first; what never gives way makes it None."""
    long, short = ("a", "b", "c"), ("d",)
    easy, hard = layout.block((long, 1), (short, layout.NEVER)), layout.block((long, 2), ((), layout.NEVER))
    assert layout.fit([[hard], [easy]], 7) == [*long, "", *long]
    assert layout.fit([[hard], [easy]], 5) == [*long, "", *short]
    assert layout.fit([[hard], [easy]], 2) == ["d"]
    assert layout.fit([[easy, easy]], 2) == ["d", "d"]
    assert layout.fit([[easy], [easy]], 2) == ["d", "d"]
    assert layout.fit([[easy, easy]], 1) is None
