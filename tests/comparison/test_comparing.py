"""Two audits against each other: known answers, both ways round, the same twice, and what is left out."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit.audits import Audit
from leakaudit.comparison import comparing
from leakaudit.comparison.comparing import Given, compare
from leakaudit.outcomes import Outcomes
from leakaudit.render import Comparison, Difference
from leakaudit.stats import Interval

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))

import synthetic

PLAIN = replace(synthetic.VANILLA, reconstruction=False, pictures=False)
END = replace(synthetic.END, reconstruction=False, pictures=False)
FIGURES = ["private_accuracy", "excess", "bits", "target_accuracy", "worst_group", "equalised_odds"]


def known(plan: synthetic.Plan, seed: int = 0) -> Given:
    """A made-up audit whose rows say what they tell, and whose utility has an equalised-odds gap."""
    audit, rows = synthetic.audit(plan)
    assert audit.utility is not None
    part, outcomes = audit.attributes[0], rows[plan.private]
    gains = np.random.default_rng(seed).normal(plan.strength, 0.5, plan.rows).astype(np.float32)
    bits = Interval(float(gains.mean()), float(gains.mean()) - 0.05, float(gains.mean()) + 0.05)
    use = replace(audit.utility, odds=Interval(0.3 * plan.strength, 0.1 * plan.strength, 0.5 * plan.strength))
    return (
        replace(audit, utility=use, attributes=(replace(part, figures=replace(part.figures, bits=bits)),)),
        {plan.private: replace(outcomes, gains=gains)},
    )


def only(comparisons: list[Comparison]) -> Comparison:
    """The one comparison."""
    (comparison,) = comparisons
    return comparison


def by_name(comparison: Comparison) -> dict[str, Difference]:
    """Differences by figure."""
    return {part.figure: part for part in comparison.differences}


def with_utility(given: Given, **changes: object) -> Given:
    """The same audit with another utility."""
    assert given[0].utility is not None
    return replace(given[0], utility=replace(given[0].utility, **changes)), given[1]


def test_every_figure_is_compared_in_its_order() -> None:
    """Where both documents and both rows files are new, nothing is left out."""
    found = only(compare(known(PLAIN), known(END)))
    assert found.paired
    assert [part.figure for part in found.differences] == FIGURES


@pytest.mark.parametrize("paired", [True, False])
def test_swapping_two_audits_turns_every_difference_round(*, paired: bool) -> None:
    """Values are negated exactly, and so are the ends: to the bootstrap's own error where rows are drawn."""
    first, second = known(PLAIN), known(END)
    if not paired:
        first = (first[0], None)
    there, back = (by_name(only(compare(*pair))) for pair in ((first, second), (second, first)))
    for name, part in there.items():
        value, low, high = back[name].difference
        assert part.difference.value == -value
        assert (part.first, part.second) == (back[name].second, back[name].first)
        assert part.difference.low == pytest.approx(-high, abs=0.01)
        assert part.difference.high == pytest.approx(-low, abs=0.01)


@pytest.mark.parametrize("paired", [True, False])
def test_the_same_audit_twice_differs_by_nothing(*, paired: bool) -> None:
    """Every difference is 0, no interval lies on one side of it, and no model is said to leak less."""
    one = known(PLAIN)
    twin = (replace(one[0], subject={**one[0].subject, "name": "twin"}), one[1] if paired else None)
    found = only(compare(one, twin))
    assert found.paired == paired
    for part in found.differences:
        assert part.difference.value == 0
        assert part.difference.low <= 0 <= part.difference.high
    assert "the data cannot tell" in found.sentence


def test_bits_are_paired_by_what_each_row_tells() -> None:
    """The interval is that of the mean of the rows' differences, widened by the root of two for cross-fitting."""
    first, second = known(PLAIN, 1), known(END, 2)
    assert first[1] is not None
    assert second[1] is not None
    step = second[1]["colour"].gains - first[1]["colour"].gains
    part = by_name(only(compare(first, second)))["bits"].difference
    assert part.value == pytest.approx(step.mean(), abs=1e-6)
    expected = 2 * 1.96 * np.sqrt(2) * step.std() / np.sqrt(len(step))
    assert part.high - part.low == pytest.approx(expected, rel=0.06)


def test_extremes_differ_by_what_both_intervals_allow() -> None:
    """Worst group and equalised-odds gap: from low against high to high against low."""
    found = by_name(only(compare(known(PLAIN), known(END))))
    one, two = (given[0].utility for given in (known(PLAIN), known(END)))
    assert one is not None
    assert two is not None
    assert one.odds is not None
    assert two.odds is not None
    gap, worst = found["equalised_odds"].difference, found["worst_group"].difference
    assert gap == pytest.approx(
        (two.odds.value - one.odds.value, two.odds.low - one.odds.high, two.odds.high - one.odds.low)
    )
    assert worst.high == pytest.approx(two.worst_cell_accuracy.high - one.worst_cell_accuracy.low)


def test_an_older_rows_file_leaves_bits_out() -> None:
    """Bits of a paired comparison are not made up from intervals where rows do not say what they told."""
    first, (audit, rows) = known(PLAIN), known(END)
    assert rows is not None
    older = {"colour": replace(rows["colour"], gains=None)}
    assert "bits" in by_name(only(compare(first, (audit, rows))))
    assert "bits" not in by_name(only(compare(first, (audit, older))))
    assert "bits" in by_name(only(compare(first, (audit, None))))  # unpaired, and said so


def test_an_older_document_leaves_the_gap_out() -> None:
    """Without a gap there is no difference of gaps; a note that says why there is none does not make one."""
    first, second = known(PLAIN), known(END)
    for changes in ({"odds": None}, {"odds": None, "odds_note": "too few rows"}):
        assert "equalised_odds" not in by_name(only(compare(first, with_utility(second, **changes))))


def test_the_worst_group_of_an_older_document_is_counted_again_or_left_out() -> None:
    """Its bounds were those of one cell: they are counted from the rows where these say the same, else left out."""
    (audit, rows), second = known(PLAIN), known(END)
    assert rows is not None
    assert audit.utility is not None
    outcomes = rows["colour"]
    cell = outcomes.target * 4 + outcomes.private
    share = np.bincount(cell, outcomes.hits["model"]) / np.bincount(cell)
    told = Interval(float(share.min()), float(share.min()) - 0.01, float(share.min()) + 0.01)
    older = with_utility((audit, rows), odds=None, worst_cell_accuracy=told)
    found = by_name(only(compare(older, second)))["worst_group"]
    assert found.first == told.value
    assert second[0].utility is not None
    assert found.difference.low < second[0].utility.worst_cell_accuracy.low - told.high - 0.01
    assert "worst_group" not in by_name(only(compare((older[0], None), second)))
    other = with_utility(older, worst_cell_accuracy=Interval(0.2, 0.1, 0.3))
    assert "worst_group" not in by_name(only(compare(other, second)))


def test_utility_is_compared_for_one_target_and_the_first_attribute() -> None:
    """Another target is another task; the worst group and the gap are stated for the first attribute only."""
    assert not set(FIGURES[3:]) & set(by_name(only(compare(known(PLAIN), with_utility(known(END), target="style")))))
    pairs = []
    for plan in (PLAIN, END):
        audit, rows = synthetic.audit(plan, replace(plan, private="style"))
        assert audit.utility is not None
        pairs.append((replace(audit, utility=replace(audit.utility, odds=Interval(0.3, 0.2, 0.4))), rows))
    colour, style = compare(*pairs)
    assert {"worst_group", "equalised_odds"} <= set(by_name(colour))
    assert not {"worst_group", "equalised_odds"} & set(by_name(style))
    assert "target_accuracy" in by_name(style)


def test_without_groups_enough_every_difference_is_open() -> None:
    """Too few groups bound nothing: differences of what is read reach over all that there can be."""
    first, (audit, rows) = known(PLAIN), known(END)
    part = audit.attributes[0]
    few = replace(part.figures, private_lower=0.0, private_upper=1.0, lower=-1 / 3, upper=1.0)
    found = only(compare(first, (replace(audit, attributes=(replace(part, figures=few),)), rows)))
    for name in ("private_accuracy", "excess"):
        assert by_name(found)[name].difference.low < 0 < by_name(found)[name].difference.high
    assert "bits" not in by_name(found)
    assert "too few groups" in found.sentence
    sides = [comparing.sides(given)["colour"] for given in (first, (audit, rows))]
    assert np.isfinite(comparing.error(*sides))
    assert np.isinf(comparing.error(sides[0], sides[1]._replace(attribute=replace(part, figures=few))))


def test_the_closed_error_is_that_of_the_bootstrap() -> None:
    """The standard error for many pairs agrees with the paired interval of a comparison, paired and unpaired."""
    first, second = known(PLAIN), known(END)
    for given in (first, (first[0], None)):
        value, low, high = by_name(only(compare(given, second)))["excess"].difference
        sides = [comparing.sides(each)["colour"] for each in (given, second)]
        assert comparing.error(*sides) == pytest.approx((high - low) / 2 / 1.96, rel=0.1)
        rose = comparing.increase(*sides)
        assert rose.value == value
        assert low < rose.lower < value < rose.upper < high
        assert rose.rows == (PLAIN.rows if given[1] else 0)


def test_of_one_name_with_two_targets_the_attack_stands() -> None:
    """A reconstruction of the same attribute for another target does not take the attack's place."""
    audit, _ = known(PLAIN)
    other = replace(audit.attributes[0], target="style", reason="other")
    both: tuple[Audit, dict[str, Outcomes] | None] = (replace(audit, attributes=(*audit.attributes, other)), None)
    assert comparing.sides(both)["colour"].attribute == audit.attributes[0]


def with_part(given: Given, **changes: object) -> Given:
    """The same audit with another attribute."""
    return replace(given[0], attributes=(replace(given[0].attributes[0], **changes),)), given[1]


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_attacked_by_less_is_never_said_to_leak_less(*, turned: bool) -> None:
    """Nobody knows what an attacker that was not run would read: no figure tells on that side, and the sentence why."""
    much, little = known(PLAIN), known(END)
    weaker = with_part(little, findings=little[0].attributes[0].findings[:1])
    pair = (weaker, much) if turned else (much, weaker)
    found = only(compare(*pair))
    for name in FIGURES[:3]:
        part, most = by_name(found)[name], 2.0 if name == "bits" else 1.0  # of four classes
        assert part.difference.low < 0 < part.difference.high
        open_end, other = (part.difference.low, part.second) if turned else (part.difference.high, part.first)
        assert open_end == pytest.approx((other - most) if turned else (most - other))
    assert "the data cannot tell" in found.sentence
    assert found.sentence.endswith(f"but {little[0].name} was read without mlp.")
    stronger = with_part(much, findings=much[0].attributes[0].findings[:1])
    assert "and the data can tell" in only(compare(stronger, little)).sentence  # attacked by more, it leaks less still


def test_an_attacker_that_did_not_converge_is_one_that_was_not_run() -> None:
    """Loose convergence hides what would be read: the model it was loose on is not said to leak less, the other is."""
    much, little = known(PLAIN), known(END)

    def loose(given: Given) -> Given:
        findings = given[0].attributes[0].findings
        return with_part(given, findings=tuple(replace(each, converged=each.attacker != "linear") for each in findings))

    assert only(compare(much, loose(little))).sentence.endswith("was read without linear that converged.")
    assert "and the data can tell" in only(compare(loose(much), little)).sentence


def test_audits_by_unlike_suites_are_not_told_apart() -> None:
    """What one suite reads is no measure of what another would."""
    much, (audit, rows) = known(PLAIN), known(END)
    found = only(compare(much, (replace(audit, suite="7"), rows)))
    assert found.sentence.endswith(f"but {audit.name} was read by suite v7, and {much[0].name} by suite v0.")
    assert "and the data can tell" in only(compare(much, (replace(audit, suite="0 in part"), rows))).sentence


def test_other_data_are_said_in_the_sentence() -> None:
    """Audits of data of another name or split may differ by the data: a sentence about the model says so."""
    first, (audit, _) = known(PLAIN), known(END)
    for changes in ({"name": "other"}, {"split": "train"}):
        other = replace(audit, data={**audit.data, **changes})
        assert "unlike names or splits, which may make the difference" in only(compare(first, (other, None))).sentence
    assert "unlike names" not in only(compare(first, (audit, None))).sentence


def test_audits_with_more_or_fewer_target_classes_are_not_compared() -> None:
    """E counts what goes beyond the target: with other target classes it is another figure."""
    first, second = known(PLAIN), known(END)
    fewer = with_part((second[0], None), target_classes=second[0].attributes[0].target_classes[:2])
    assert len(compare(first, second)) == 1
    assert compare(first, fewer) == []
