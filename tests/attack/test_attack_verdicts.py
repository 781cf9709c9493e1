"""The five verdicts are reached from real embeddings, and nothing is not taken for something."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.catalog import Call
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.protocol import DECIDERS

SUITE = tuple(Call(name, {}) for name in DECIDERS)


@pytest.mark.parametrize(
    ("leak", "tolerance", "word"),
    [(2.0, 0.1, "LEAK"), (0.8, 0.35, "DETECTED"), (0.0, 0.02, "INCONCLUSIVE")],
)
def test_a_leak_is_found_and_nothing_is_not(
    leak: float, tolerance: float, word: str, embed: Any, attacked: Any
) -> None:
    """E = 2 Phi(leak / 2) - 1 by Bayes: .68 is a leak above .1, .31 is undecided against .35, 0 against .02."""
    assert attacked(embed(400, leak=leak), tolerance=tolerance).only.verdict == word


@pytest.mark.slow
def test_absence_is_concluded_where_all_plants_are_found(embed: Any, attacked: Any) -> None:
    """NOT_FOUND: nothing detected, every plant of 2 tau found by linear and mlp together."""
    made = replace(embed(300, width=4, privates=4), logits=None)
    found = attacked(made, attackers=SUITE, tolerance=0.4).only
    assert found.verdict == "NOT_FOUND", found.reason
    assert found.upper <= 0.4
    assert all(control.passed for control in found.controls)
    assert {each.shape: each.found <= 0.8 for each in found.sensitivity} == dict.fromkeys(
        ("linear", "class-dependent", "xor"), True
    )


@pytest.mark.slow
def test_part_of_the_suite_concludes_no_absence(embed: Any, attacked: Any) -> None:
    """Without some of the suite, or with one of it weakened, nothing is NOT_FOUND: the reason names who is missing."""
    made = replace(embed(600, width=2, seed=1), logits=None)
    made = replace(made, z=made.z[:, 1:])
    weak = tuple(Call("mlp", {"epochs": 1}) if call.name == "mlp" else call for call in SUITE)
    for some, missing in ((SUITE[:1], ", ".join(DECIDERS[1:])), (weak, "mlp")):
        found = attacked(made, attackers=some, target=None, tolerance=0.45)
        assert found.audit.verdict == "INCONCLUSIVE"
        assert found.audit.suite == "1 in part"
        assert found.audit.reason.endswith(f"suite v1 was run without {missing}")
    assert attacked(made, attackers=SUITE, target=None, tolerance=0.45).audit.verdict == "NOT_FOUND"


def test_a_small_leak_is_within_a_large_tolerance(embed: Any, attacked: Any) -> None:
    """WITHIN: detected, but bounded. With one component and no target only the linear plant applies."""
    made = embed(600, width=2, leak=0.5)
    found = attacked(replace(made, z=made.z[:, 1:]), target=None, attackers=SUITE, tolerance=0.45).only
    assert found.verdict == "WITHIN", found.reason
    assert {c.control: c.passed for c in found.controls} == {
        "shuffled": True, "planted-linear": True, "planted-class-dependent": None, "planted-xor": None,
        "converged": True,
    }  # fmt: skip


def test_the_papers_protocol_clears_a_model_that_gives_everything_away(embed: Any, attacked: Any) -> None:
    """
    With z = (digit, half-strength colour) the papers' attacker reads chance and a balanced hyperplane everything.

    Its training rows agree in 99.9 %, so it learns the digit: what it names is the digit's own colour.
    """

    def rows(count: int, agree: float, seed: int) -> Embeddings:
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 10, count)
        v = np.where(rng.random(count) < agree, y, rng.integers(0, 10, count))
        v[:10] = y[:10] = np.arange(10)
        z = np.concatenate([np.eye(10)[y], 0.5 * np.eye(10)[v]], axis=1).astype(np.float32)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        names = tuple("0123456789")
        columns = {"digit": Labels(y, names), "colour": Labels(v, names)}
        made = embed(count)
        return replace(made, z=z, logits=None, columns=columns)

    found = attacked(
        rows(400, 0.0, 0), auxiliaries=("balanced", "paper"), exhibits=Exhibits(paper=rows(9000, 0.999, 1))
    ).only
    paper = next(each for each in found.findings if each.auxiliary == "paper")
    assert paper.figures.private_accuracy.value == pytest.approx(0.1, abs=0.04)
    assert paper.figures.follows_target > 0.9
    assert not paper.decides
    assert found.figures.private_accuracy.value > 0.98
    assert found.verdict == "LEAK"


def test_a_confounded_attribute_is_no_leak(embed: Any, attacked: Any) -> None:
    """The target gives the private class away in 80 % of rows, and nothing else does: E stays at zero."""
    made = [replace(embed(300, width=3, agree=0.6, seed=seed), logits=None) for seed in range(3)]
    detected = [attacked(each, tolerance=0.45).only for each in made]
    assert sum(each.p <= 0.01 for each in detected) == 0
    assert all(each.figures.accuracy.value < 0.95 and abs(each.figures.excess.value) < 0.3 for each in detected)


@pytest.mark.slow
def test_labels_of_many_groups_are_judged_by_group(embed: Any, attacked: Any) -> None:
    """Rows of one identity are alike: with 30 identities of 8 rows nothing is bounded, and chance is not a leak."""
    found = attacked(embed(240, width=3, group=30)).only
    assert found.rows.groups == 30
    assert found.verdict == "INCONCLUSIVE"
    leaky = attacked(embed(240, width=3, group=30, leak=6.0)).only
    assert leaky.verdict in {"DETECTED", "INCONCLUSIVE"}
    assert leaky.upper == 1.0
