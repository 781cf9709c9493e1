"""What was asked once more: attack seeds point by point, and the memorisation gap, each apart from the verdict."""

import re
from dataclasses import replace

import numpy as np
import pytest
import synthetic
from reader import AGE, FORMS, entry, known, words

from leakaudit.finding import Memorisation
from leakaudit.render import _figures, _further
from leakaudit.report import report as make
from leakaudit.stats import Interval

SEEDS = (0.871, 0.934)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("models", [1, 2])
def test_every_attack_seed_is_a_point(form: str, models: int) -> None:
    """With `--seeds` every point stands in every form, named for what it scatters; with one seed nothing does."""
    made = [synthetic.audit(plan) for plan in (synthetic.VANILLA, synthetic.END)[:models]]
    silent = words(form, make(made, ()))
    assert "attack seed" not in silent.lower()
    again = [(replace(a, attributes=(replace(a.attributes[0], seeds=SEEDS),)), rows) for a, rows in made]
    shown, first = words(form, make(again, ())), made[0][0].attributes[0].figures.excess.value
    for value in (first, *SEEDS):
        assert re.search(rf"{value:.3f} \((seed )?\d", shown), (form, value)
    assert f"{max(first, *SEEDS) - min(first, *SEEDS):.3f}" in shown
    assert "spread of attack seeds alone" in shown
    assert "of test sampling" in shown


def test_of_many_attack_seeds_a_sentence_names_the_ends() -> None:
    """Twenty points stand in a sentence; of more the lowest and the highest, and the page draws them all."""
    few, lots = (tuple(0.5 + i / 1000 for i in range(count)) for count in (19, 60))
    assert _further.seeds(entry(seeds=few)).count("(") == 20
    said = _further.seeds(entry(seeds=lots))
    assert "0.500 (1)" in said
    assert "..." in said
    assert said.count("(") == 2 * _further.SHOWN
    assert len(_further.points(entry(seeds=lots))) == 61


def test_a_decoder_that_decides_is_no_point_of_the_attack() -> None:
    """Where images read more, the first seed's own E is not known, and no other figure stands for it."""
    found = _further.points(entry(seeds=SEEDS))
    assert found[0] == ("0, decides", known()[0].attributes[0].figures.excess.value)
    assert _further.points(entry(seeds=SEEDS, attacker="reconstruction by convolutional")) == found[1:]


def remembered(gap: Interval) -> Memorisation:
    """A made-up memorisation gap."""
    seen, unseen = (synthetic.figures(AGE, synthetic.guess(AGE, s, np.random.default_rng(5))) for s in (0.7, 0.4))
    return Memorisation("linear", 1234, seen, unseen, gap, ("by a made-up attacker",))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("models", [1, 2])
def test_the_memorisation_gap_is_a_figure_of_its_own(form: str, models: int) -> None:
    """Both kinds of rows stand with E, its interval and how many; without it nothing is said, and the verdict stays."""
    made = [synthetic.audit(plan) for plan in (synthetic.VANILLA, synthetic.END)[:models]]
    assert "memorisation" not in words(form, make(made, ())).lower()
    found = remembered(Interval(0.312, 0.207, 0.413))
    with_it = [(replace(a, attributes=(replace(a.attributes[0], memorisation=found),)), rows) for a, rows in made]
    shown = words(form, make(with_it, ()))
    for figures in (found.trained, found.unseen):
        assert _figures.bounds(figures.excess) in shown
        assert f"{100 * figures.private_accuracy.value:.1f}" in shown
    for said in ("1,234", "0.312 [0.207, 0.413]", "by a made-up attacker", "no part of the verdict", "Memorisation"):
        assert said in shown.replace("1 234", "1,234"), (form, said)
    assert make(with_it, ()).verdict == make(made, ()).verdict


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Interval(0.3, 0.2, 0.4), "more is read from rows that it was trained on, by 0.300 [0.200, 0.400]"),
        (Interval(-0.3, -0.4, -0.2), "less is read from rows that it was trained on, by 0.300 [0.200, 0.400]"),
        (Interval(0.1, -0.1, 0.3), "the gap of 0.100 [-0.100, 0.300] may be chance"),
    ],
)
def test_the_memorisation_gap_is_told_in_branches(gap: Interval, said: str) -> None:
    """More, less, or not to be told."""
    assert said in _further.memorisation(entry(memorisation=remembered(gap)))


@pytest.mark.parametrize("form", FORMS)
def test_a_gap_that_was_asked_for_in_vain_gives_its_reason(form: str) -> None:
    """Where too few rows were trained on, the report says so rather than nothing."""
    made, outcomes = known()
    part = replace(made.attributes[0], memorisation_note="only 12 rows: too few to compare")
    shown = words(form, make([(replace(made, attributes=(part,)), outcomes)], ()))
    assert "only 12 rows: too few to compare" in shown
    assert "Memorisation" in shown
