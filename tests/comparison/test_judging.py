"""The gate against a baseline: fails on the lower bound, passes on the upper, is open where nothing was compared."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import gate
from leakaudit.audits import Audit, Gate
from leakaudit.comparison import judging
from leakaudit.comparison.comparing import Given, sides
from leakaudit.errors import InputError
from leakaudit.finding import Control
from leakaudit.report import report

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))

import synthetic

PLAIN = replace(synthetic.VANILLA, reconstruction=False, pictures=False, deep=False)
LITTLE = replace(PLAIN, name="before", strength=0.3, seed=3, model="b")
MORE = replace(PLAIN, name="after", strength=0.5, seed=4, model="c")
SAME = replace(PLAIN, name="after", strength=0.31, seed=5, model="d")


def made(plan: synthetic.Plan) -> Given:
    """A made-up audit with the controls that a pass needs."""
    return synthetic.audit(plan)


def ask(baseline: Given, limit: str) -> gate.Ask:
    """The gate as it is typed."""
    return gate.parse("max-increase", limit, gate.Past("before", *baseline))


def judged(baseline: Given, later: Given, limit: str = "0.05") -> Gate:
    """How the gate ends for the one attribute."""
    (found,) = judging.judge([ask(baseline, limit)], [later])
    return found


def changed(given: Given, change: Callable[[Audit], Audit]) -> Given:
    """The audit changed, with the same rows."""
    return change(given[0]), given[1]


def test_a_rise_above_the_limit_fails() -> None:
    """The lower bound of the increase lies above the limit: exit 1, with the bound and the rows in the reason."""
    found = judged(made(LITTLE), made(MORE))
    assert found.outcome == "failed"
    assert found.gate == "--max-increase 0.05 --baseline before"
    assert found.reason.startswith("colour: E rose by at least 0.1")
    assert found.reason.endswith("against before (95 %), the limit is a rise of 0.05, on the same 1500 rows")
    assert gate.exit_status([found], open_passes=True) == 1


def test_no_rise_passes_and_a_fall_says_so() -> None:
    """The upper bound lies at or under the limit; where it lies under 0, E fell."""
    level, fell = judged(made(LITTLE), made(SAME), "0.2"), judged(made(MORE), made(LITTLE), "0")
    assert (level.outcome, fell.outcome) == ("passed", "passed")
    assert "E rose by at most 0.0" in level.reason
    assert "E fell by at least 0.1" in fell.reason


def test_across_the_limit_it_is_open_and_says_how_many_rows_would_decide() -> None:
    """Neither bound decides: exit 3 unless that is let pass."""
    found = judged(made(LITTLE), made(SAME), "0.03")
    assert found.outcome == "open"
    assert "E changed by" in found.reason
    assert "rows would decide" in found.reason
    assert [gate.exit_status([found], open_passes=way) for way in (False, True)] == [3, 0]
    assert gate.summarise([found], open_passes=True).startswith("inconclusive, let pass: colour: E changed by")


def test_one_bound_is_the_others_turned_round() -> None:
    """What may have risen by at most so much one way has fallen by at least as much the other way."""
    there, back = (
        judging.increase(*(sides(given)["colour"] for given in pair))
        for pair in ((made(LITTLE), made(MORE)), (made(MORE), made(LITTLE)))
    )
    assert there.value == -back.value
    assert (there.lower, there.upper) == (pytest.approx(-back.upper, abs=0.01), pytest.approx(-back.lower, abs=0.01))


@pytest.mark.slow
def test_the_wrong_decision_is_rare() -> None:
    """At a true rise of the limit itself, 40 paired audits fail and pass at most 6 times each (binomial: < 1 %)."""
    ends = {"failed": 0, "passed": 0, "open": 0}
    for seed in range(40):
        plans = [replace(LITTLE, strength=strength, seed=100 + 2 * seed + i, rows=400, model="xy"[i])
                 for i, strength in enumerate((0.3, 0.4))]  # fmt: skip
        first, second = (made(replace(plan, name=f"m{i}")) for i, plan in enumerate(plans))
        ends[judged(first, second, "0.1").outcome] += 1
    assert ends["failed"] <= 6
    assert ends["passed"] <= 6
    assert ends["open"] >= 28


def test_unpaired_is_said_and_wider() -> None:
    """Without rows the two samples are set against each other, and the reason says so."""
    paired = judged(made(LITTLE), made(MORE), "0.05")
    apart = judged((made(LITTLE)[0], None), made(MORE), "0.05")
    assert "unpaired, as the rows are not known to be the same" in apart.reason
    assert "unpaired" not in paired.reason


def test_an_audit_against_itself_says_nothing() -> None:
    """The same model on the same rows is no evidence, however often it was written: open, whatever the limit."""
    one = made(LITTLE)
    again = changed(one, lambda audit: replace(audit, provenance={**audit.provenance, "command": "another"}))
    for later in (one, again):
        found = judged(one, later, "0.9")
        assert found.outcome == "open"
        assert "set against itself, it says nothing" in found.reason
    assert judged(one, made(replace(LITTLE, name="twin", model="e")), "0.9").outcome == "passed"


def test_among_several_audits_the_baseline_is_not_asked_whether_it_rose() -> None:
    """A report of old and new against old judges the new one alone, by name."""
    old, new = made(LITTLE), made(MORE)
    (found,) = report([old, new], [ask(old, "0.05")]).gates
    assert found.reason.startswith("after: colour: E rose by")
    assert len(report([new, made(SAME)], [ask(old, "0.05")]).gates) == 2


def test_a_gate_is_never_left_without_an_end() -> None:
    """Where every audit is the baseline's own, each is judged and stays open: no gate asked would be exit 0."""
    old = made(LITTLE)
    found = report([old, old], [ask(old, "0.05")]).gates
    assert [each.outcome for each in found] == ["open", "open"]
    assert gate.exit_status(found, open_passes=False) == 3


def test_a_baseline_from_which_nothing_can_rise_is_named_in_a_pass() -> None:
    """Where E of the baseline is within the limit of 1, nothing could fail: a pass says so, and only such a one."""
    high, level = made(replace(LITTLE, strength=0.98)), made(replace(MORE, strength=0.98))
    assert judged(high, level).outcome == "passed"
    assert judged(high, level).reason.endswith("from where no rise exceeds the limit")
    assert "beware" not in judged(made(LITTLE), made(SAME), "0.2").reason
    assert "beware" not in judged(high, made(LITTLE)).reason  # it fell: that says something


def test_agreement_on_every_row_is_no_proof_that_nothing_rose() -> None:
    """Two models read alike on 1,500 rows may differ on the next: a limit of 0 stays open, one of .01 passes."""
    one, other = made(LITTLE), made(replace(LITTLE, name="after", model="e"))
    assert [judged(one, other, limit).outcome for limit in ("0", "0.01")] == ["open", "passed"]


def test_a_decoder_that_was_run_and_did_not_win_is_not_missing() -> None:
    """The baseline was read best from rebuilt images; a later audit rebuilt by the same decoder is not short of it."""
    first, later = made(replace(MORE, reconstruction=True)), made(replace(LITTLE, reconstruction=True))
    made_by = first[0].attributes[0].reconstruction
    assert made_by is not None

    def won(audit: Audit) -> Audit:
        attacker = f"reconstruction by {made_by.decoder}"
        return replace(audit, attributes=(replace(audit.attributes[0], attacker=attacker),))

    assert judged(changed(first, won), later).outcome == "passed"
    assert "unlike attackers" in judged(changed(first, won), made(LITTLE)).reason


@pytest.mark.parametrize("doubt", ["control", "converged", "suite"])
def test_nothing_passes_in_doubt_but_what_rose_still_fails(doubt: str) -> None:
    """A failed control, an attacker that did not converge, or part of the suite forbid a pass, not a failure."""

    def doubted(audit: Audit) -> Audit:
        part = audit.attributes[0]
        loose = tuple(replace(each, converged=False) for each in part.findings)
        changes = {
            "control": {"controls": (Control("planted-xor", False, 0.2, (), 0),)},
            "converged": {"findings": loose},
            "suite": {},
        }[doubt]
        suite = f"{audit.suite} in part" if doubt == "suite" else audit.suite
        return replace(audit, suite=suite, attributes=(replace(part, **changes),))

    assert judged(made(MORE), made(LITTLE)).outcome == "passed"
    assert judged(made(MORE), changed(made(LITTLE), doubted)).outcome == "open"
    assert judged(made(LITTLE), changed(made(MORE), doubted)).outcome == "failed"


def test_what_unlike_attackers_made_is_open() -> None:
    """A rise that a new attacker read is no rise of the model; a fall without one that read before is no fall."""

    def fewer(audit: Audit) -> Audit:
        part = audit.attributes[0]
        return replace(audit, attributes=(replace(part, findings=part.findings[:1]),))

    rose, fell = judged(changed(made(LITTLE), fewer), made(MORE)), judged(made(MORE), changed(made(LITTLE), fewer))
    assert (rose.outcome, fell.outcome) == ("open", "open")
    assert "unlike attackers (mlp)" in rose.reason
    assert judged(changed(made(MORE), fewer), made(LITTLE)).outcome == "passed"  # attacked by more, it fell still
    other = judged(changed(made(MORE), lambda audit: replace(audit, suite="7")), made(LITTLE))
    assert other.outcome == "open"
    assert "suite v0 here and suite v7 in the baseline" in other.reason


def test_a_rise_over_a_baseline_that_did_not_converge_is_open() -> None:
    """What an attacker missed then it may have found now: that is no rise of the model."""

    def loose(audit: Audit) -> Audit:
        part = audit.attributes[0]
        findings = tuple(replace(each, converged=each.attacker != "mlp") for each in part.findings)
        return replace(audit, attributes=(replace(part, findings=findings),))

    found = judged(changed(made(LITTLE), loose), made(MORE))
    assert found.outcome == "open"
    assert "unlike attackers (mlp that converged)" in found.reason


def test_a_pass_says_what_to_beware_of() -> None:
    """A model that hardly does its own task gives nothing away: the reason of a pass ends with that warning."""
    warned = changed(made(LITTLE), lambda audit: replace(audit, warnings=("the model hardly names the digit",)))
    assert judged(made(MORE), warned).reason.endswith("; beware: the model hardly names the digit")
    (other,) = judging.judge([gate.parse("max-excess", "0.9")], [warned])
    assert other.reason.endswith("; beware: the model hardly names the digit")


def test_without_groups_enough_nothing_is_decided() -> None:
    """Too few groups for bounds: open, whichever way E went."""

    def few(audit: Audit) -> Audit:
        part = audit.attributes[0]
        wide = replace(part.figures, private_lower=0.0, private_upper=1.0, lower=-1 / 3, upper=1.0)
        return replace(audit, attributes=(replace(part, figures=wide),))

    for pair in ((made(LITTLE), changed(made(MORE), few)), (changed(made(MORE), few), made(LITTLE))):
        assert judged(*pair).outcome == "open"
        assert "too few groups for bounds" in judged(*pair).reason
        assert "would decide" not in judged(*pair).reason


def test_a_baseline_that_speaks_of_something_else_is_refused() -> None:
    """Another attribute, another target or other classes are input to correct, and the line says what there is."""
    new = made(MORE)
    others = {
        "the baseline has no attribute 'colour'. There are: style": made(replace(LITTLE, private="style")),
        "the baseline's target is None, here it is 'digit'": made(replace(LITTLE, target=None)),
        "the baseline's classes are red, green, blue; here they are red, green, blue, yellow": made(
            replace(LITTLE, classes=("red", "green", "blue"))
        ),
    }
    for words, old in others.items():
        with pytest.raises(InputError, match="--baseline before") as caught:
            report([new], [ask(old, "0.05")])
        assert words in str(caught.value)
        assert judged(old, new).outcome == "open"  # found out late, it costs no audit


def test_limits_are_checked_before_anything_is_computed() -> None:
    """What is known of the classes is checked; what is not yet known is left for later."""
    asked = [ask(made(LITTLE), "colour=0.05")]
    gate.check_past(asked, {"colour": ()}, "digit")
    gate.check_past(asked, {"colour": PLAIN.classes, "style": ("a", "b")}, "digit")
    with pytest.raises(InputError, match="classes"):
        gate.check_past(asked, {"colour": ("a", "b")}, "digit")
    with pytest.raises(InputError, match="target"):
        gate.check_past(asked, {"colour": ()}, "hair")


def test_guessing_is_looked_at_in_every_audit() -> None:
    """A limit above guessing among four classes but not among two is refused where one audit has two."""
    two = made(replace(LITTLE, classes=("red", "green"), name="two"))
    for order in ([two, made(MORE)], [made(MORE), two]):
        with pytest.raises(InputError, match=r"guessing already names 50\.0 % of 2 classes"):
            report(order, [gate.parse("max-private-accuracy", "0.4")])


def test_a_figure_is_not_printed_as_the_limit_that_it_is_not() -> None:
    """Digits are added until both differ, and the limit keeps all that it has."""
    assert gate.apart(0.20004, 0.2, 3) == "0.20004"
    assert gate.apart(20.04, 20.0, 1) == "20.04"
    assert gate.apart(0.5, 0.2, 3) == "0.500"
    assert gate.apart(12.345, 12.345, 1) == "12.345"
    assert gate.apart(100 * 0.2, 100 * 0.2, 1) == "20.0"
    assert np.isclose(float(gate.apart(1 / 3, 1 / 3, 3)), 1 / 3)
