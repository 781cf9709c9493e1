"""The gate: fails on the lower bound, passes on the upper, and says when it can do neither."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from leakaudit import gate
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.comparison import judging
from leakaudit.errors import InputError
from leakaudit.finding import Baseline, Control, Coverage, Figures, Finding
from leakaudit.stats import Interval


def figures(low: float, high: float) -> Figures:
    """Figures whose private-class accuracy and E both lie between `low` and `high`."""
    middle = Interval((low + high) / 2, low, high)
    return Figures(
        private_accuracy=middle,
        accuracy=middle,
        balanced_accuracy=middle,
        excess=middle,
        lower=low,
        upper=high,
        private_upper=high,
        private_lower=low,
        bits=None,
        follows_target=0.1,
    )


def judged(asks: Sequence[gate.Ask], audit: Audit) -> tuple[Gate, ...]:
    """How these gates end for one audit."""
    judging.check(asks, [(audit, None)])
    return judging.judge(asks, [(audit, None)])


@pytest.fixture
def make_audit():
    """An audit of a ten-class attribute, with one attacker whose figures lie between two bounds."""

    def make(low: float, high: float, *, converged: bool = True, passed: bool = True) -> Audit:
        found = figures(low, high)
        attribute = Attribute(
            private="colour",
            target="digit",
            classes=tuple("0123456789"),
            target_classes=tuple("0123456789"),
            verdict="DETECTED",
            reason="",
            p=0.01,
            attacker="linear",
            auxiliary="balanced",
            winners=("linear",) * 5,
            figures=found,
            upper=high,
            mde=0.05,
            entropy=3.3,
            rows=Coverage(900, 0, 0, None, 900, 1.0, 100, 100, 810, (), "cross-fit 5", 9400),
            findings=(Finding("linear", "balanced", decides=True, converged=converged, figures=found),),
            controls=(Control("planted-xor", passed, 0.2, (), 3),),
        )
        return Audit("DETECTED", "", 0.1, "0", {"name": "m"}, {}, {}, (attribute,))

    return make


@pytest.mark.parametrize(
    ("low", "high", "outcome", "status"),
    [(0.3, 0.4, "failed", 1), (0.1, 0.2, "passed", 0), (0.15, 0.3, "open", 3)],
)
@pytest.mark.parametrize("kind", ["max-private-accuracy", "max-excess"])
def test_a_gate_fails_by_the_lower_and_passes_by_the_upper_bound(make_audit, kind, low, high, outcome, status):
    """Wholly above the limit fails, wholly at or under it passes, across it stays open."""
    gates = judged([gate.parse(kind, "0.2")], make_audit(low, high))
    assert [found.outcome for found in gates] == [outcome]
    assert gate.exit_status(gates, open_passes=False) == status
    assert "colour" in gate.summarise(gates)


@pytest.mark.parametrize("doubt", [{"converged": False}, {"passed": False}])
def test_nothing_passes_in_doubt(make_audit, doubt):
    """An attacker that did not converge, or a control that failed, forbids a pass but not a failure."""
    ask = gate.parse("max-private-accuracy", "0.2")
    assert judged([ask], make_audit(0.1, 0.15))[0].outcome == "passed"
    assert judged([ask], make_audit(0.1, 0.15, **doubt))[0].outcome == "open"
    assert judged([ask], make_audit(0.3, 0.4, **doubt))[0].outcome == "failed"


def test_nothing_passes_that_was_asked_in_part_or_without_a_plant(make_audit):
    """A low bound of part of the suite, or of one that found no planted leak, is no absence."""
    ask, quiet = gate.parse("max-excess", "0.2"), make_audit(0.1, 0.15)
    assert judged([ask], quiet)[0].outcome == "passed"
    part = judged([ask], replace(quiet, suite="0 in part"))[0]
    assert (part.outcome, "only in part" in part.reason) == ("open", True)
    for controls in ((), (Control("planted-xor", None, 0.2, (), 0),)):
        bare = replace(quiet, attributes=(replace(quiet.attributes[0], controls=controls),))
        assert judged([ask], bare)[0].outcome == "open"


def test_the_papers_attacker_raises_no_doubt_but_its_bound_counts(make_audit):
    """It stops where its schedule ends; what it reads is a reading all the same."""
    ask, quiet = gate.parse("max-private-accuracy", "0.2"), make_audit(0.1, 0.15)
    (part,) = quiet.attributes
    for high, outcome in ((0.12, "passed"), (0.4, "open")):
        paper = Finding("linear-sgd", "paper", decides=False, converged=False, figures=figures(0.1, high))
        both = replace(quiet, attributes=(replace(part, findings=(*part.findings, paper)),))
        assert judged([ask], both)[0].outcome == outcome


def test_rows_that_would_decide_are_those_of_the_limit(make_audit):
    """The bound of the side the point lies on has to shrink to the limit; the verdict's own count is another's."""
    (near,) = judged([gate.parse("max-excess", "0.19")], make_audit(0.1, 0.2))
    assert "about 1,407 rows would decide" in near.reason  # 900 x (0.05 / 0.04) squared
    (over,) = judged([gate.parse("max-excess", "0.14")], make_audit(0.1, 0.2))
    assert "about 37,500 rows would decide" in over.reason  # 900 x (0.05 / 0.01) squared, in a split
    (level,) = judged([gate.parse("max-excess", "0.15")], make_audit(0.1, 0.2))
    assert "would decide" not in level.reason


def test_what_the_target_alone_names_fails_no_gate(make_audit):
    """Where cells are empty the target gives classes away: a limit under that is open, one above it fails as ever."""
    leaky = make_audit(0.5, 0.7)
    known = Baseline("target-only", None, figures(0.35, 0.45))
    audit = replace(leaky, attributes=(replace(leaky.attributes[0], baselines=(known,)),))
    for limit, outcome in (("0.3", "open"), ("0.45", "failed")):
        (found,) = judged([gate.parse("max-private-accuracy", limit)], audit)
        assert found.outcome == outcome
        assert ("the target alone names 40.0 %" in found.reason) == (outcome == "open")
    assert judged([gate.parse("max-excess", "0.3")], audit)[0].outcome == "failed"


def test_a_decoder_that_reads_more_fails_the_gate(make_audit):
    """What is read from reconstructions counts as an attack."""
    from leakaudit.audits import Reconstruction

    quiet = make_audit(0.1, 0.15)
    read = figures(0.5, 0.6)
    rebuilt = Reconstruction(
        "convolutional", Interval(20, 19, 21), Interval(0.5, 0.4, 0.6), read, read, (10, 0.1), (12, 0.2), read
    )
    attribute = replace(quiet.attributes[0], reconstruction=rebuilt)
    ask = gate.parse("max-private-accuracy", "0.2")
    assert judged([ask], quiet)[0].outcome == "passed"
    assert judged([ask], replace(quiet, attributes=(attribute,)))[0].outcome == "failed"


def test_several_gates_end_by_the_worst(make_audit):
    """1 before 3 before 0, and an open gate is let pass only when that is asked for."""
    audit = make_audit(0.15, 0.3)
    opened, failed = gate.parse("max-excess", "0.2"), gate.parse("max-excess", "colour=0.12")
    assert gate.exit_status(judged([opened, failed], audit), open_passes=False) == 1
    assert gate.exit_status(judged([opened], audit), open_passes=False) == 3
    assert gate.exit_status(judged([opened], audit), open_passes=True) == 0
    assert gate.exit_status((), open_passes=False) == 0


@pytest.mark.parametrize("text", ["", "nan", "-0.1", "1.5", "colour=", "=0.2", "colour=x"])
def test_what_is_no_limit_is_refused(text):
    """A limit is a number between 0 and 1."""
    with pytest.raises(InputError, match="between 0 and 1"):
        gate.parse("max-excess", text)
    assert gate.parse("max-excess", "a=b=0.2") == gate.Ask("max-excess", "a=b", 0.2)


def test_a_gate_that_decides_nothing_is_refused(make_audit):
    """A limit at guessing, and an attribute that is not attacked, are refused with what there is."""
    with pytest.raises(InputError, match=r"guessing already names 10\.0 % of 10 classes"):
        judged([gate.parse("max-private-accuracy", "0.1")], make_audit(0.1, 0.2))
    with pytest.raises(InputError, match="Did you mean 'colour'"):
        judged([gate.parse("max-excess", "color=0.1")], make_audit(0.1, 0.2))


def test_too_few_rows_pass_no_gate_whatever_was_planted(make_audit) -> None:
    """A loose tolerance plants leaks that any rows show; the audit says INCONCLUSIVE, and so does its gate."""
    audit = make_audit(0.01, 0.15)
    part = audit.attributes[0]
    few = replace(audit, attributes=(replace(part, mde=0.32),))
    for kind in ("max-excess", "max-private-accuracy"):
        asks = [gate.parse(kind, "0.2")]
        assert [each.outcome for each in (*judged(asks, audit), *judged(asks, few))] == ["passed", "open"]
    assert "the smallest detectable E is 0.32" in judged(asks, few)[0].reason
    assert judged([gate.parse("max-excess", "0.005")], few)[0].outcome == "failed"


def test_plants_far_above_the_limit_say_nothing_of_it(make_audit) -> None:
    """Planted leaks of .9 that were found are no sign that one of .2 would have been."""
    audit = make_audit(0.01, 0.15)
    part = audit.attributes[0]
    large = tuple(replace(each, size=0.9 if each.size is not None else None) for each in part.controls)
    loose = replace(audit, attributes=(replace(part, controls=large),))
    assert judged([gate.parse("max-excess", "0.2")], loose)[0].outcome == "open"
    assert "a --tolerance of 0.20 plants smaller ones" in judged([gate.parse("max-excess", "0.2")], loose)[0].reason
    assert judged([gate.parse("max-excess", "0.45")], loose)[0].outcome == "passed"
    assert judged([gate.parse("max-private-accuracy", "0.5")], loose)[0].outcome == "open"  # E of .44 among ten classes
