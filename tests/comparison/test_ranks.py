"""Rankings: ties where the data cannot tell, ranges of ranks that hold at once, and sentences that name both."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit.comparison.ranks import rank, surely_less
from leakaudit.render import Place
from leakaudit.report import report

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))

import synthetic

PLAIN = replace(synthetic.VANILLA, reconstruction=False, pictures=False, rows=800, deep=False)


def given(*strengths: float, private: str = "colour") -> list[synthetic.Plan]:
    """Plans of models that leak so much, each its own name and luck."""
    return [
        replace(PLAIN, name=f"m{i}", model="abcdefgh"[i], seed=i, strength=strength, private=private)
        for i, strength in enumerate(strengths)
    ]


def ranked(*strengths: float) -> list[tuple[str, int, int]]:
    """Name, best and worst rank of each model."""
    (found,) = rank([synthetic.audit(plan) for plan in given(*strengths)])
    return [(place.name, place.best, place.worst) for place in found.places]


def test_models_far_apart_have_a_rank_each() -> None:
    """The least E first, whatever the order given; the sentence says which leaks least, and that the data can tell."""
    assert ranked(0.9, 0.1, 0.5) == [("m1", 1, 1), ("m2", 2, 2), ("m0", 3, 3)]
    (found,) = rank([synthetic.audit(plan) for plan in given(0.9, 0.1, 0.5)])
    assert found.private == "colour"
    assert found.sentence == "m1 leaks least, and the data can tell (of 3 models, all pairs at once, 95 %)."


def test_models_alike_are_tied_and_named() -> None:
    """Ranks that the data allow overlap, and the sentence names the tied and says that the others leak more."""
    (found,) = rank([synthetic.audit(plan) for plan in given(0.30, 0.31, 0.9)])
    assert {(place.best, place.worst) for place in found.places[:2]} == {(1, 2)}
    assert found.places[2] == Place("m2", 3, 3)
    first, second = (place.name for place in found.places[:2])
    assert f"the data cannot tell: {first} and {second} are tied, and every other surely leaks more" in found.sentence
    (level,) = rank([synthetic.audit(plan) for plan in given(0.3, 0.3, 0.3)])
    assert {(place.best, place.worst) for place in level.places} == {(1, 3)}
    assert "every other" not in level.sentence


def test_two_audits_make_no_ranking() -> None:
    """Two are compared; three or more of one attribute, target and classes are ranked."""
    two = [synthetic.audit(plan) for plan in given(0.9, 0.1)]
    other = synthetic.audit(replace(PLAIN, name="other", target=None))
    assert rank(two) == rank([*two, other]) == ()
    assert len(rank([*two, synthetic.audit(*given(0.5)[:1])])) == 1
    assert len(report([*two, synthetic.audit(replace(PLAIN, name="third"))], ()).rankings) == 1


def test_each_attribute_is_ranked_for_itself() -> None:
    """In the order in which they are first named."""
    audits = [
        synthetic.audit(plan, replace(plan, private="style", strength=1 - plan.strength))
        for plan in given(0.9, 0.1, 0.5)
    ]
    colour, style = rank(audits)
    assert (colour.private, style.private) == ("colour", "style")
    assert [place.name for place in style.places] == [place.name for place in reversed(colour.places)]


def test_what_is_unbounded_is_tied_with_everything() -> None:
    """A model with too few groups for bounds may have any rank, and leaves the others theirs but for one."""
    audits = [synthetic.audit(plan) for plan in given(0.9, 0.1, 0.5)]
    part = audits[1][0].attributes[0]
    few = replace(part, figures=replace(part.figures, private_lower=0.0, private_upper=1.0))
    audits[1] = (replace(audits[1][0], attributes=(few,)), audits[1][1])
    (found,) = rank(audits)
    assert {place.name: (place.best, place.worst) for place in found.places} == {
        "m1": (1, 3), "m2": (1, 2), "m0": (2, 3)
    }  # fmt: skip


def test_unpaired_models_are_ranked_by_their_own_intervals() -> None:
    """Without rows the ranges are no narrower."""
    plans = given(0.9, 0.1, 0.5, 0.52)
    paired, apart = (
        {
            place.name: place
            for place in rank([(audit, rows if keep else None) for audit, rows in map(synthetic.audit, plans)])[
                0
            ].places
        }
        for keep in (True, False)
    )
    for name, place in apart.items():
        assert place.best <= paired[name].best
        assert place.worst >= paired[name].worst


def test_a_hundred_names_make_no_long_sentence() -> None:
    """Five tied names are said, and how many more there are."""
    audits = [synthetic.audit(plan) for plan in given(*[0.3] * 8)]
    (found,) = rank(audits)
    assert found.sentence.count("m") - found.sentence.count("models") - found.sentence.count("more") == 5
    assert "and 3 more are tied" in found.sentence


def test_with_ties_no_pair_is_called_the_wrong_way_round_too_often() -> None:
    """Of six models four are truly equal: at most 5 % of 2,000 samples part two of these (binomial: 6.5 %)."""
    rng, truth, wrong, told = np.random.default_rng(0), np.array([0.2, 0.2, 0.2, 0.2, 0.3, 0.9]), 0, 0
    scale = np.full(6, 0.02)
    errors = np.hypot(scale[:, None], scale[None])
    for _ in range(2000):
        less = surely_less(truth + rng.normal(0, scale), errors)
        wrong += bool((less & (truth[:, None] >= truth[None])).any())
        told += bool(less[:, 5][:5].all())
    assert wrong / 2000 <= 0.065
    assert told == 2000


@pytest.mark.parametrize("errors", [0.0, np.inf])
def test_without_error_order_decides_and_without_knowledge_nothing(errors: float) -> None:
    """Zero errors part all but equal values; infinite errors part none."""
    found = surely_less(np.array([0.1, 0.2, 0.2]), np.full((3, 3), errors))
    assert found.sum() == (2 if errors == 0 else 0)


def test_audits_of_equally_leaky_models_are_tied() -> None:
    """Of 12 rankings of three models that leak the same, on the same rows, at most 3 part any (binomial: P < 0.01)."""
    parted = 0
    for seed in range(12):
        plans = [
            replace(PLAIN, name=f"m{i}", model="abc"[i], seed=3 * seed + i, strength=0.4, rows=300) for i in range(3)
        ]
        (found,) = rank([synthetic.audit(plan) for plan in plans])
        parted += any((place.best, place.worst) != (1, 3) for place in found.places)
    assert parted <= 3


def test_what_was_attacked_by_less_is_ranked_above_nothing() -> None:
    """A model that fewer attackers read may leak the most, however little they read; others keep their ranks."""
    audits = [synthetic.audit(plan) for plan in given(0.9, 0.1, 0.5)]
    part = audits[1][0].attributes[0]
    audits[1] = (replace(audits[1][0], attributes=(replace(part, findings=part.findings[:1]),)), audits[1][1])
    (found,) = rank(audits)
    assert [(place.name, place.best, place.worst) for place in found.places] == [
        ("m1", 1, 3),
        ("m2", 1, 2),
        ("m0", 2, 3),
    ]
    assert "the data cannot tell" in found.sentence
