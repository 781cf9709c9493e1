"""Every figure beside E, accuracy and bits stands in every form, in words that keep to what it says."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import synthetic
from made_up import ages, erased
from reader import AGE, FORMS, entry, known, words

from leakaudit import audits, record, store
from leakaudit.finding import Learned, Operating
from leakaudit.render import Report, _figures, _further, _words
from leakaudit.render._entries import entries, rows
from leakaudit.render._html import deeper
from leakaudit.report import report as make
from leakaudit.stats import Interval

Make = Callable[..., Report]


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_every_figure_stands_in_every_form(form: str, make_report: Make) -> None:
    """AUC, true positives, labels, both tests, worst stratum, shares, LEACE, regression; a screen has no room."""
    report = make_report(AGE)
    shown, part = words(form, report), report.audits[0].attributes[0]
    assert part.figures.auc is not None
    assert (
        f"{part.figures.auc.value:.2f}" if form == "html" else _figures.with_bounds(part.figures.auc, "AUC")
    ) in shown
    assert part.worst is not None
    assert f"E {part.worst.excess.value:.3f} [{part.worst.excess.low:.3f}, {part.worst.excess.high:.3f}]" in shown
    assert part.share_of_raw is not None
    assert re.search(rf"{100 * part.share_of_raw.value:.1f} % \[", shown)
    top = max(point.value.value for point in part.figures.tpr if point.value)
    assert f"{100 * top:.1f} %" in shown
    for said in (
        "permutation test p < 0.001 (200 permutations, most by ridge per target class), chosen attacker p < 0.001",
        "after LEACE a linear attacker is blind (E",
        "; quadratic still reads E",
        "below that of an untrained encoder",
        f" {_figures.about(part.labels_needed or 0)} ",
    ):
        assert said.lower() in shown.lower(), (form, said)
    for found in ages():
        for value in (found.mae.value, found.mae_target, found.gain.value, found.r2.value):
            assert f"{value:.2f}" in shown


@pytest.mark.parametrize("form", FORMS)
def test_an_audit_of_before_renders_without_them(form: str, make_report: Make) -> None:
    """Where nothing of it was asked, no heading and no label stands over nothing."""
    shown = words(form, make_report(replace(synthetic.VANILLA, deep=False)))
    for label in ("AUC", "Labels needed", "Surely named", "LEACE", "As a number", "Ranking", "permutation test"):
        assert label not in shown, (form, label)


def test_an_audit_document_of_before_is_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A document without the later fields loads, and has none of their figures."""
    made, _ = synthetic.audit(replace(synthetic.VANILLA, deep=False))
    body = {"format": 1, "kind": "audit", **record.to_json(made)}
    later = {"p_h", "p_i", "h_family", "h_draws", "learning", "labels_needed", "learning_note", "share_of_raw",
             "share_of_raw_note", "above_random", "above_random_note", "regression", "worst", "seeds",
             "h_rows", "memorisation", "memorisation_note", "bottleneck"}  # fmt: skip
    part = body["attributes"][0]
    assert later <= set(part)
    body["attributes"][0] = {name: value for name, value in part.items() if name not in later}
    for figures in (part["figures"], *(one["figures"] for one in part["findings"])):
        del figures["auc"], figures["tpr"]
    path = tmp_path / "old.json"
    store.write_json(path, {**body, "sha256": store.digest(store.canonical(body))})
    assert replace(audits.load(path), provenance=made.provenance) == made


def test_a_deep_audit_is_saved_and_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Saving and loading is identity for every new record."""
    made, _ = known()
    audits.save(made, tmp_path / "audit.json")
    assert replace(audits.load(tmp_path / "audit.json"), provenance=made.provenance) == made


def test_labels_needed_says_what_was_not_enough() -> None:
    """A curve that never rises above 0 names the most labels that were given, not a number of labels needed."""
    flat = tuple(Learned(n, Interval(0.0, -0.1, 0.1), -0.08) for n in (100, 200, 400))
    never, always = entry(learning=flat, labels_needed=None), entry()
    assert _further.labels(never) == "more than the 400 that an attacker was given"
    assert re.match("(about|at most) ", _further.labels(always))
    assert "does not show after 400" in _further.shows([never])
    assert _further.shows([always, never]).endswith("; not after 400 of digits/vanilla.")
    assert _further.labels(entry(learning=(), labels_needed=None)) == ""


def test_a_curve_that_shows_from_its_first_point_gives_no_more_than_a_ceiling() -> None:
    """Where the fewest labelled rows that were tried are enough, fewer might be: at most so many."""
    steep = tuple(Learned(n, Interval(0.5, 0.4, 0.6), 0.42) for n in (32, 64))
    assert _further.labels(entry(learning=steep, labels_needed=32)) == "at most 32 of 1,500"
    assert _further.labels(entry(learning=steep, labels_needed=64)) == "about 64 of 1,500"


def test_a_count_is_rounded_to_two_digits() -> None:
    """396 labelled rows are about 400, and 1,234 about 1,200."""
    assert [_figures.about(rows) for rows in (7, 37, 396, 1234, 81_234)] == ["7", "37", "400", "1,200", "81,000"]


@pytest.mark.parametrize("value", [0.0, 0.00012, 0.0512, 6.129, 41.26, 1204.4, 2.5e12, -3.456])
def test_a_number_of_unknown_unit_keeps_three_digits(value: float) -> None:
    """What is written can be read back within half a percent, or half of the last digit before the point."""
    assert float(_figures.number(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3, abs=5.1e-4)


@pytest.mark.parametrize(
    ("linear", "quadratic", "said"),
    [
        (0.0, 0.5, "a linear attacker is blind (E {l}); quadratic still reads E {q}"),
        (0.0, 0.0, "a linear attacker is blind (E {l}); quadratic shows nothing either, E {q}"),
        (0.5, 0.6, "a linear attacker still reads (E {l}); quadratic still reads E {q}"),
    ],
)
def test_erasure_is_told_in_branches(linear: float, quadratic: float, said: str) -> None:
    """Blind or not, in words that follow the intervals."""
    figures = known()[0].attributes[0].figures
    intervals = [Interval(value, value - 0.05, value + 0.05) for value in (linear, quadratic)]
    found = erased(*(replace(figures, excess=interval) for interval in intervals))
    low, high = map(_figures.with_bounds, intervals)
    assert _further.erased(entry(baselines=(found,))) == f"after LEACE {said.format(l=low, q=high)}"


def test_operating_points_that_are_refused_give_their_reason() -> None:
    """Without 299 negatives there is the reason and no percentage."""
    point = Operating("old", 0.01, None, 120, "refused: 120 negatives, 299 are needed")
    assert _further.operating((point,)) == "at 1 % false positives: refused: 120 negatives, 299 are needed"
    known = replace(point, value=Interval(0.4, 0.3, 0.5), negatives=400, note="")
    assert _further.operating((point, known)) == "at 1 % false positives: 40.0 % [30.0, 50.0] of old; refused for 1"


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval(0.3, 0.2, 0.4), "E is 0.300 [0.200, 0.400] above"),
        (Interval(-0.3, -0.4, -0.2), "E is 0.300 [0.200, 0.400] below"),
        (Interval(0.0, -0.1, 0.1), "cannot tell them apart"),
    ],
)
def test_training_is_compared_with_none(interval: Interval, said: str) -> None:
    """Above, below, or not to be told, by the paired interval."""
    assert said in _further.above(entry(above_random=interval))


def test_an_attacker_that_was_always_chosen_stands_once() -> None:
    """The deciding row is its row; one chosen in some folds only keeps its own."""
    part = known()[0].attributes[0]
    linear = next(one for one in part.findings if (one.attacker, one.auxiliary) == ("linear", "balanced"))
    always = rows(entry(figures=linear.figures, winners=("linear",) * 5))
    assert [row.decides for row in always if row.figures is linear.figures] == [True]
    assert sum((row.attacker, row.auxiliary) == ("linear", "balanced") for row in rows(entry())) == 1


def test_baselines_that_apply_to_nothing_take_no_row(make_report: Make) -> None:
    """They are named under the table with their reason, and only there."""
    report = make_report(replace(AGE, target=None, targets=("all",)))
    shown = words("html", report)
    assert "Not applicable: the target (no target)." in shown
    assert "its label alone" not in shown
    assert "its label alone" in words("html", make_report(AGE))


@pytest.mark.parametrize(
    ("served", "said"), [(0, ""), (1500, ""), (900, " of 900 of 1,500 rows"), (9000, " of 9,000 rows")]
)
def test_the_permutation_test_names_its_rows_where_they_are_others(served: int, said: str) -> None:
    """Fewer rows than were attacked, or all of a file, are printed; the same ones need no word."""
    shown = _further.both_tests(entry(h_rows=served), brief=False)
    assert f"(200 permutations{said}, most by" in shown


@pytest.mark.parametrize("form", FORMS)
def test_rows_without_a_label_are_counted(form: str) -> None:
    """Rows left out for want of a label stand beside those that were scored, and nothing does where there are none."""
    made, outcomes = known()
    part = made.attributes[0]
    assert "lack a label" not in words(form, make([(made, outcomes)], ()))
    part = replace(part, rows=replace(part.rows, missing=125))
    assert "125 more lack a label" in words(form, make([(replace(made, attributes=(part,)), outcomes)], ()))


def test_rows_that_would_decide_are_said_once() -> None:
    """The limits repeat nothing that the reason says."""
    quiet, loud = entry(verdict="DETECTED"), entry(verdict="DETECTED", reason="about 4,200 rows would decide")
    assert "would decide" in _words.limits(quiet)
    assert "would decide" not in _words.limits(loud)


def test_notes_of_attackers_are_kept_for_every_attribute() -> None:
    """Two attributes whose attackers have other notes lose none of them."""
    made, outcomes = synthetic.audit(synthetic.VANILLA, replace(synthetic.VANILLA, private="style"))
    parts = [
        replace(part, findings=tuple(replace(one, notes=(f"chosen for {part.private}",)) for one in part.findings))
        for part in made.attributes
    ]
    shown = words("html", make([(replace(made, attributes=tuple(parts)), outcomes)], ()))
    assert shown.count("chosen for colour") == shown.count("chosen for style") > 1


@pytest.mark.parametrize("form", FORMS)
def test_too_few_groups_leave_every_comparison_open(form: str) -> None:
    """Without bounds no interval is said to lie above the tolerance, and no count of labels to suffice or not."""
    made, outcomes = known()
    sure = words(form, make([(made, outcomes)], ()))
    assert "too few groups for bounds" not in sure
    part = made.attributes[0]
    figures = replace(part.figures, private_lower=0.0, private_upper=1.0, lower=-1.0, upper=1.0)
    findings = tuple(
        replace(one, figures=replace(one.figures, private_lower=0.0, private_upper=1.0)) for one in part.findings
    )
    part = replace(part, figures=figures, findings=findings, labels_needed=None, reconstruction=None)
    report = make([(replace(made, attributes=(part,)), outcomes)], ())
    assert {row.against.split(",")[0] for row in rows(entries(report)[0])} <= {"open", "drawn only", "compared only"}
    shown = words(form, report)
    assert "too few groups for bounds" in shown
    assert "not known: " in shown
    assert "that an attacker was given" not in shown


def test_a_curve_names_its_models_where_they_were_not_learned_alike() -> None:
    """One attacker for all is said once; two are told apart by the models that each was best on."""
    first, second = entry(learning_note="by linear"), entry(learning_note="by quadratic")._replace(name="other")
    assert deeper._by("by linear", [first, first]) == "Learnt by linear."
    assert deeper._by("by linear", [first, second]) == f"Learnt by linear (of {first.name})."
    assert deeper._by("by quadratic", [first, second]) == "Learnt by quadratic (of other)."


def test_what_was_not_detected_is_never_said_to_show() -> None:
    """One point of a learning curve above 0 is chance where nothing was detected; else the labels are named."""
    made, outcomes = synthetic.audit(synthetic.VANILLA)
    for p, said in ((0.2, "does not show after"), (0.001, "shows after")):
        part = replace(made.attributes[0], p=p)
        assert part.labels_needed is not None
        group = entries(make([(replace(made, attributes=(part,)), outcomes)], ()))
        assert said in _further.shows(group)
        assert ("more than the" in _further.labels(group[0])) == (p == 0.2)


def test_a_share_of_uneven_classes_is_said_to_be_a_mean_over_them() -> None:
    """Of even classes the share of rows and the mean over classes are one; of uneven ones the sentence says which."""
    made, outcomes = synthetic.audit(synthetic.VANILLA)
    for short, said in ((0.0, False), (0.2, True)):
        part = replace(made.attributes[0], entropy=math.log2(len(made.attributes[0].classes)) - short)
        (found,) = entries(make([(replace(made, attributes=(part,)), outcomes)], ()))
        assert ("each class counting alike; guessing" in "".join(_words.says(found))) == said


def test_where_no_class_is_dominant_nothing_is_said_to_draw() -> None:
    """A count of nothing beside a chance of nothing is no finding."""
    made, outcomes = synthetic.audit(synthetic.VANILLA)
    plot = made.attributes[0].bottleneck
    assert plot is not None
    assert plot.away
    bare = replace(plot, centroids=tuple(replace(place, dominant=None) for place in plot.centroids))
    for found, said in ((plot, False), (bare, True)):
        part = replace(made.attributes[0], bottleneck=found)
        (one,) = entries(make([(replace(made, attributes=(part,)), outcomes)], ()))
        assert ("no colour dominates there" in _further.attracted(one)) == said
