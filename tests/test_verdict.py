"""The verdict rule, branch by branch."""

from dataclasses import replace

import pytest

from leakaudit.verdict import WORST_FIRST, Evidence, needed, rule

NULL = Evidence(
    tolerance=0.1, p=0.4, excess=0.01, error=0.03, lower=-0.04, upper=0.08, mde=0.07, rows=2000, off_majority=1000,
    classes=2, doubled=True,
)  # fmt: skip
LEAKY = replace(NULL, p=1e-9, excess=0.5, lower=0.45, upper=0.55)
SMALL = replace(NULL, p=0.001, excess=0.06, lower=0.03, upper=0.09)
OPEN = replace(NULL, p=0.001, excess=0.14, lower=0.08, upper=0.2)

BRANCHES = [
    ("NOT_FOUND", NULL, "no attacker of suite v1 exceeds 0.10 (95 %); planted leaks of 0.20 were found"),
    ("LEAK", LEAKY, "E is at least 0.45 (95 %), above the tolerance 0.10"),
    ("WITHIN", SMALL, "a leak exists; no attacker of suite v1 exceeds 0.10 (95 %)"),
    ("DETECTED", OPEN, "whether it exceeds 0.10 is open"),
    ("DETECTED", replace(OPEN, excess=0.101), "more than 100 times as many rows would decide"),
    ("INCONCLUSIVE", replace(NULL, mde=0.21), "too few rows in which target and private attribute disagree"),
    ("INCONCLUSIVE", replace(LEAKY, mde=0.21), "too few rows in which target and private attribute disagree"),
    ("INCONCLUSIVE", replace(NULL, mde=0.21, conditioned=False), "too few rows outside the commonest class"),
    ("INCONCLUSIVE", replace(NULL, upper=0.11), "E up to 0.11 cannot be excluded"),
    ("INCONCLUSIVE", replace(NULL, upper=0.1012), "E up to 0.101 cannot be excluded (95 %), above the tolerance 0.10"),
    ("LEAK", replace(LEAKY, lower=0.1004), "E is at least 0.1004 (95 %), above the tolerance 0.10"),
    ("INCONCLUSIVE", replace(NULL, mde=0.12), "the smallest detectable E is 0.12, above the tolerance"),
    ("INCONCLUSIVE", replace(NULL, failed=("control planted-xor failed",)), "control planted-xor failed"),
    ("INCONCLUSIVE", replace(NULL, unconverged=("mlp",)), "not converged: mlp"),
    ("INCONCLUSIVE", replace(NULL, left_out=("mlp",)), "suite v1 was run without mlp"),
    ("INCONCLUSIVE", replace(NULL, bounded=False), "bounds need 200 groups"),
    ("DETECTED", replace(SMALL, failed=("control planted-xor failed",)), "control planted-xor failed"),
    ("DETECTED", replace(SMALL, unconverged=("mlp",)), "not converged: mlp"),
    ("DETECTED", replace(SMALL, left_out=("mlp",)), "suite v1 was run without mlp"),
    ("LEAK", replace(LEAKY, left_out=("mlp",)), "E is at least"),
    ("DETECTED", replace(LEAKY, bounded=False), "bounds need 200 groups"),
    ("LEAK", replace(LEAKY, failed=("control planted-xor failed",), unconverged=("mlp",)), "E is at least"),
    ("LEAK", replace(LEAKY, alarm="control shuffled failed"), "beware: control shuffled failed"),
    ("DETECTED", replace(OPEN, alarm="control shuffled failed"), "beware: control shuffled failed"),
    ("LEAK", replace(LEAKY, mde=0.21, cells=0.05), "E is at least"),
    ("INCONCLUSIVE", replace(NULL, mde=0.21, cells=0.05), "the smallest detectable E is 0.21, above the tolerance"),
]


@pytest.mark.parametrize(("word", "evidence", "reason"), BRANCHES)
def test_each_branch_has_its_word_and_its_reason(word: str, evidence: Evidence, reason: str) -> None:
    """The rule of the protocol's section 6, with the reason in words."""
    ruling = rule(evidence)
    assert ruling.verdict == word
    assert reason in ruling.reason


def test_no_reason_calls_a_model_harmless() -> None:
    """No sentence says safe, private, anonymous or compliant of a model."""
    for _, evidence, _ in BRANCHES:
        words = rule(evidence).reason.replace("private attribute", "").split()
        assert not {"safe", "private", "anonymous", "compliant"} & {word.strip(".,;:") for word in words}


def test_every_word_is_reached() -> None:
    """The branches above cover the five words, and there are no others."""
    assert {rule(evidence).verdict for _, evidence, _ in BRANCHES} == set(WORST_FIRST)


def test_rows_that_would_decide_follow_the_protocol() -> None:
    """N (UCB*/tau)^2; for DETECTED with E above tau N (2.49 SE / (E - tau))^2; for the MDE both mixes."""
    assert rule(replace(NULL, upper=0.2)).would_decide == 8000
    assert rule(replace(OPEN, error=0.04)).would_decide == pytest.approx(2000 * (2.49 * 0.04 / 0.04) ** 2, abs=1)
    ruling = rule(replace(NULL, mde=0.3))
    assert ruling.would_decide == 18_000
    assert "about 18,000 rows of this mix, or 1,241 balanced within target" in ruling.reason
    assert rule(NULL).would_decide is None


def test_a_tolerance_looser_than_the_bound_always_turns_inconclusive() -> None:
    """UCB* is the smallest tolerance that a sound null audit passes."""
    assert rule(replace(NULL, tolerance=NULL.upper)).verdict == "NOT_FOUND"
    assert rule(replace(NULL, tolerance=NULL.upper - 1e-9)).verdict == "INCONCLUSIVE"


def test_rows_needed_know_that_large_audits_are_split():
    """Half the error needs four times the rows; from 20,000 on three tenths count instead of half."""
    assert needed(2_000, 2.0, doubled=True) == 8_000
    assert needed(10_000, 2.0, doubled=True) == pytest.approx(40_000 * 0.5 / 0.3, abs=1)
    assert needed(21_000, 2.0, doubled=False) == 84_000


def test_balanced_rows_are_those_of_the_audit_that_would_be_made():
    """A split audit that lacks rows names as many balanced ones as a cross-fitted one: so few are cross-fitted."""
    words = [rule(replace(NULL, mde=0.3, doubled=doubled)).reason.split(" or ")[1] for doubled in (True, False)]
    assert words[0] == words[1]
    assert words[0].startswith("1,241 balanced")
