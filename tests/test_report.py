"""The report verb: merging, naming, comparing, judging; a pure function of documents and outcomes."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import audits, gate, render
from leakaudit.audits import Audit
from leakaudit.errors import InputError
from leakaudit.outcomes import Outcomes
from leakaudit.report import is_reconstruction, report, uncompared
from leakaudit.stats import Interval

sys.path.insert(0, str(Path(__file__).parent / "render"))

import synthetic

Given = tuple[Audit, dict[str, Outcomes]]
PLAIN = replace(synthetic.VANILLA, reconstruction=False, pictures=False)
QUIET = replace(PLAIN, name="quiet", strength=0.0, rows=6000, verdict="NOT_FOUND", seed=7, model="e")


def rebuilt(plan: synthetic.Plan, strength: float) -> Given:
    """What `reconstruct` writes of the same subject: no findings, and a decoder that reads with `strength`."""
    one, rows = synthetic.audit(replace(plan, reconstruction=True, strength=strength / 0.9, seed=plan.seed + 50))
    (part,) = one.attributes
    bare = replace(
        part, findings=(), baselines=(), controls=(), sensitivity=(), cells=(), separation=(), verdict="LEAK"
    )
    return replace(one, attributes=(bare,)), rows


def excess(comparison: render.Comparison) -> Interval:
    """The difference of E."""
    return next(part.difference for part in comparison.differences if part.figure == "excess")


def test_a_report_is_a_pure_function() -> None:
    """The same audits give the same report."""
    given = [synthetic.audit(PLAIN), synthetic.audit(synthetic.END)]
    assert report(given, ()) == report(given, ())


def test_one_audit_is_left_as_it_was() -> None:
    """Nothing is added to a single audit, so that its document stays byte for byte."""
    one, rows = synthetic.audit(PLAIN)
    made = report([(one, rows)], ())
    assert made.audits == (one,)
    assert (made.comparisons, made.gates, made.verdict) == ((), (), one.verdict)


def test_equal_models_cannot_be_told_apart() -> None:
    """Two subjects with the same outcomes differ by nothing, and the sentence says that the data cannot tell."""
    twin = replace(PLAIN, name="twin", model="b")
    (comparison,) = report([synthetic.audit(PLAIN), synthetic.audit(twin)], ()).comparisons
    for part in comparison.differences:
        assert part.difference.value == 0
        assert part.difference.low <= 0 <= part.difference.high
    assert "the data cannot tell" in comparison.sentence


def test_the_difference_covers_the_truth_and_names_who_leaks_less() -> None:
    """Attackers that know the answer with probability .9 and .09 differ by .81 in E."""
    (comparison,) = report([synthetic.audit(PLAIN), synthetic.audit(synthetic.END)], ()).comparisons
    value = excess(comparison)
    assert value.low <= -0.81 <= value.high
    assert comparison.paired
    assert comparison.rows == PLAIN.rows
    assert comparison.sentence.startswith("digits/end leaks less than digits/vanilla, and the data can tell")


def test_figures_of_a_comparison_are_those_of_the_documents() -> None:
    """First and second are what the audits say; the difference is second minus first."""
    made = report([synthetic.audit(PLAIN), synthetic.audit(synthetic.END)], ())
    for part in made.comparisons[0].differences:
        values = [
            one.utility.accuracy.value
            if part.figure == "target_accuracy" and one.utility
            else getattr(one.attributes[0].figures, part.figure, Interval(0, 0, 0)).value
            for one in made.audits
        ]
        assert [part.first, part.second] == values
        assert part.difference.value == pytest.approx(values[1] - values[0])


def test_without_outcomes_a_comparison_is_unpaired_and_says_so() -> None:
    """Where rows cannot be matched, the distances to both bounds are summed in squares, and the sentence says so."""
    first, second = synthetic.audit(PLAIN), synthetic.audit(synthetic.END)
    (paired,) = report([first, second], ()).comparisons
    (apart,) = report([first, (second[0], None)], ()).comparisons
    assert not apart.paired
    assert apart.rows == 0
    assert "unpaired" in apart.sentence
    one, two = (part.attributes[0].figures.excess for part in (first[0], second[0]))
    low = np.hypot(two.value - two.low, one.high - one.value)
    assert excess(apart).value == excess(paired).value
    assert excess(apart).low == pytest.approx(excess(apart).value - low)


@pytest.mark.parametrize("key", ["ids", "private", "target"])
def test_other_rows_are_not_paired(key: str) -> None:
    """Rows with other identities or other labels are other rows, however many there are."""
    first, (second, rows) = synthetic.audit(PLAIN), synthetic.audit(synthetic.END)
    outcomes = rows["colour"]
    other = {"colour": replace(outcomes, **{key: np.roll(getattr(outcomes, key), 1) + 1})}
    (comparison,) = report([first, (second, other)], ()).comparisons
    assert not comparison.paired


def test_the_order_of_rows_does_not_matter() -> None:
    """Rows are matched by identity, not by place."""
    first, (second, rows) = synthetic.audit(PLAIN), synthetic.audit(synthetic.END)
    turned = np.random.default_rng(0).permutation(PLAIN.rows)
    outcomes = rows["colour"]
    arrays = {key: getattr(outcomes, key)[turned] for key in ("ids", "fold", "target", "private", "group")}
    mixed = Outcomes(**arrays, hits={name: hits[turned] for name, hits in outcomes.hits.items()})
    straight, shuffled = (report([first, (second, part)], ()) for part in (rows, {"colour": mixed}))
    assert straight == shuffled


def test_only_shared_attributes_are_compared() -> None:
    """An attribute that the first audit lacks, or has with other classes or another target, is not compared."""
    other = replace(synthetic.END, private="style")
    assert report([synthetic.audit(PLAIN), synthetic.audit(other)], ()).comparisons == ()
    blind = replace(synthetic.END, target=None)
    assert report([synthetic.audit(PLAIN), synthetic.audit(blind)], ()).comparisons == ()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_attack_and_reconstruction_of_one_subject_are_one(order: tuple[int, int]) -> None:
    """Both orders give one audit, with the attack's findings, the reconstruction, and the seals of both documents."""
    given = [synthetic.audit(PLAIN), rebuilt(PLAIN, 0.5)]
    assert [is_reconstruction(one) for one, _ in given] == [False, True]
    (merged,) = report([given[i] for i in order], ()).audits
    assert merged.attributes[0].findings == given[0][0].attributes[0].findings
    assert merged.attributes[0].reconstruction == given[1][0].attributes[0].reconstruction
    assert merged.attributes[0].attacker == "linear"
    assert merged.provenance["documents"] == [audits.document(one)["sha256"] for one, _ in given]


@pytest.mark.parametrize("where", ["sha256", "fingerprint"])
def test_another_subject_is_not_merged(where: str) -> None:
    """Other tensors or other rows are another subject."""
    one, rows = rebuilt(PLAIN, 0.5)
    one = replace(one, subject={**one.subject, where: "9" * 64}, data={**one.data, where: "9" * 64})
    assert len(report([synthetic.audit(PLAIN), (one, rows)], ()).audits) == 2


def test_a_decoder_that_reads_more_decides() -> None:
    """A reconstruction above the strongest attacker counts as an attacker: it raises UCB*, the verdict and says why."""
    (merged,) = report([synthetic.audit(QUIET), rebuilt(QUIET, 0.5)], ()).audits
    (part,) = merged.attributes
    assert part.reconstruction is not None
    assert part.verdict == merged.verdict == "LEAK"
    assert part.attacker == "reconstruction by convolutional"
    assert part.figures == part.reconstruction.private
    assert part.upper >= part.reconstruction.private.upper
    assert "read from the reconstructions" in part.reason
    assert "NOT_FOUND" in part.reason


@pytest.mark.parametrize(("before", "after"), [("INCONCLUSIVE", "DETECTED"), ("NOT_FOUND", "WITHIN")])
def test_what_a_decoder_detects_is_detected(before: str, after: str) -> None:
    """A leak read from reconstructions exists, also where the attackers on the bottleneck found nothing."""
    (one, rows), (other, _) = synthetic.audit(replace(QUIET, tolerance=0.9)), rebuilt(QUIET, 0.5)
    one = replace(one, attributes=(replace(one.attributes[0], verdict=before),), verdict=before)
    (merged,) = report([(one, rows), (other, None)], ()).audits
    assert merged.verdict == merged.attributes[0].verdict == after
    assert "read from the reconstructions" in merged.attributes[0].reason


def test_too_few_groups_for_bounds_tell_nothing() -> None:
    """Where an audit has no bounds, no difference to it is called one that the data can tell."""
    first, (second, rows) = synthetic.audit(PLAIN), synthetic.audit(synthetic.END)
    (part,) = second.attributes
    few = replace(part, figures=replace(part.figures, private_lower=0.0, private_upper=1.0))
    (comparison,) = report([first, (replace(second, attributes=(few,)), rows)], ()).comparisons
    assert "cannot tell" in comparison.sentence
    assert "too few groups" in comparison.sentence


def test_a_decoder_that_reads_less_changes_nothing_but_stands_beside() -> None:
    """A weaker reconstruction never betters a verdict."""
    (merged,) = report([synthetic.audit(PLAIN), rebuilt(PLAIN, 0.1)], ()).audits
    (part,) = merged.attributes
    assert (part.verdict, part.attacker) == ("LEAK", "linear")
    assert part.reconstruction is not None


def test_subjects_of_one_name_get_a_name_each() -> None:
    """By training seed where that tells them apart, else by tensors, else by number; comparisons use the new names."""
    first, second = synthetic.audit(PLAIN), synthetic.audit(replace(PLAIN, model="b", seed=1))
    made = report([first, second], ())
    assert [one.name for one in made.audits] == ["digits/vanilla (aaaaaaaa)", "digits/vanilla (bbbbbbbb)"]
    assert {made.comparisons[0].first, made.comparisons[0].second} == {one.name for one in made.audits}
    reseeded = (replace(second[0], subject={**second[0].subject, "seed": 1}), second[1])
    assert [one.name for one in report([first, reseeded], ()).audits] == [
        "digits/vanilla (seed 0)",
        "digits/vanilla (seed 1)",
    ]
    assert [one.name for one in report([first, first], ()).audits] == ["digits/vanilla", "digits/vanilla #2"]


def test_gates_speak_of_each_model_by_name() -> None:
    """A gate is judged on every audit; with several the reason begins with the subject."""
    given = [synthetic.audit(PLAIN), synthetic.audit(synthetic.END)]
    gates = report(given, (gate.parse("max-private-accuracy", "0.5"),)).gates
    assert [part.outcome for part in gates] == ["failed", "passed"] or gates[1].outcome == "open"
    assert gates[0].reason.startswith("digits/vanilla: ")
    assert gates[1].reason.startswith("digits/end: ")
    assert not report(given[:1], (gate.parse("max-excess", "0.5"),)).gates[0].reason.startswith("digits/vanilla: ")


def test_a_gate_on_no_attribute_is_refused() -> None:
    """A gate that speaks of an attribute no audit holds is input to correct."""
    with pytest.raises(InputError, match="style"):
        report([synthetic.audit(PLAIN)], (gate.parse("max-excess", "style=0.5"),))


def test_the_verdict_is_the_worst() -> None:
    """One LEAK among others makes the report's verdict LEAK."""
    others = [synthetic.audit(plan) for plan in synthetic.BY_VERDICT.values()]
    assert report(others, ()).verdict == "LEAK"
    assert report(others[1:], ()).verdict == "DETECTED"
    assert report(others[3:], ()).verdict == "WITHIN"


def test_ten_audits_are_compared_and_ranked_in_a_moment() -> None:
    """Nine comparisons and 45 pairs of audits with 900 rows each take less than two seconds of one core."""
    plans = [replace(PLAIN, name=f"m{i}", model="0123456789"[i], seed=i, strength=i / 10, rows=900) for i in range(10)]
    given = [synthetic.audit(plan) for plan in plans]
    start = time.process_time()
    made = report(given, ())
    assert time.process_time() - start < 2
    assert len(made.comparisons) == 9
    assert [place.name for place in made.rankings[0].places[-2:]] == ["m8", "m9"]


def test_what_is_not_compared_is_named_with_the_reason() -> None:
    """Audits of one attribute with another target or other classes stand side by side; nobody is left to wonder why."""
    first, (audit, rows) = synthetic.audit(PLAIN), synthetic.audit(synthetic.END)
    part = audit.attributes[0]
    reasons = {
        "its target is style, that of the first is digit": {"target": "style"},
        "its classes stand in another order": {"classes": part.classes[::-1]},
        "it has other classes": {"classes": part.classes[:-1]},
        "its target has more or fewer classes": {"target_classes": part.target_classes[:-1]},
    }
    for reason, changes in reasons.items():
        made = report([first, (replace(audit, attributes=(replace(part, **changes),)), None)], ())
        assert made.comparisons == ()
        assert uncompared(made) == (f"colour of {audit.name} is not compared with that of {first[0].name}: {reason}",)
    assert uncompared(report([first, (audit, rows)], ())) == ()
