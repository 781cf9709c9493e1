"""Attacks on labels of which a class is all but absent, and bits of guesses that carry a prior."""

from dataclasses import replace

import numpy as np
import pytest

from leakaudit import protocol, stats
from leakaudit.dataset import Labels
from leakaudit.errors import InputError
from leakaudit.inquest import detection
from leakaudit.inquest.arena import Arena, Case
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.numerics import plants
from leakaudit.numerics.permutation import Permuted
from leakaudit.protocol import Fold


def test_a_split_that_scores_no_row_of_the_rare_class_is_refused(embed, attacked):
    """One row in 20,000 is attacked on, and never scored: that is said instead of a figure over nothing."""
    subject = embed(20_000, width=2, seed=3)
    target = subject.columns["digit"].values
    for row in range(40):
        codes = np.zeros(20_000, np.int64)
        codes[row] = 1
        chance = protocol.chance(subject.origin.fingerprint, 0, "folds")
        (fold,) = protocol.folds(target, codes[None], np.arange(20_000), chance)
        if row not in fold.test:
            break
    rare = replace(subject, columns={**subject.columns, "colour": Labels(codes, ("c0", "c1"))})
    with pytest.raises(InputError, match="function of 'digit' in the 6000 scored rows of 20000"):
        attacked(rare)


def test_a_control_whose_scored_rows_have_one_class_is_not_detected():
    """Shuffled labels may leave the scored rows with one class: nothing is found, and nothing breaks."""
    labels = np.array([1, 1, 0, 0, 0, 0])
    rows = np.arange(6)
    arena = Arena(
        np.zeros((6, 1), np.float32), np.zeros(6, np.int64), 1, rows, (Fold(rows[:2], rows[2:3], rows[3:]),), 0, "cpu"
    )
    case = Case("v", arena, labels, 2, grouped=False, usual=None, fingerprint="", draws=99)
    nothing = Permuted(p=1.0, statistic=0.0, family="", relabellings=1, rows=6)
    assert detection.trial(case, {}, labels, nothing, "p").detected is False
    table = case.answers().table
    assert plants.plant("linear", 0.2, table, np.random.default_rng(0)).amplitude == 0


def test_bits_are_those_of_guesses_without_a_prior(embed, attacked):
    """What learns from rows as they came carries the prior already: no bits are printed of it."""
    found = attacked(embed(300, agree=0.7, leak=1.0), auxiliaries=("balanced", "matched")).only.findings
    assert {each.auxiliary: each.figures.bits is None for each in found} == {"balanced": False, "matched": True}


def test_the_papers_attacker_is_not_trained_on_images_that_are_attacked(embed, attacked):
    """Training rows of the images under attack are left out; where no other is left, it does not apply."""
    subject, training = embed(300, seed=1), embed(500, seed=2)
    found = attacked(subject, auxiliaries=("balanced", "paper"), exhibits=Exhibits(paper=training)).only.findings
    assert [each.notes[0] for each in found if each.auxiliary == "paper"] == [
        "trained on 200 training rows, scored on all attack rows"
    ]
    same = attacked(subject, auxiliaries=("balanced", "paper"), exhibits=Exhibits(paper=embed(300, seed=2)))
    assert {each.auxiliary for each in same.only.findings} == {"balanced"}


def test_shuffled_labels_of_groups_with_several_targets_tell_nothing():
    """A group's commonest target may tell its label; shuffled among such groups, labels stay readable."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(300), 10)
    target = (rng.random(3000) < rng.random(300)[group]).astype(np.int64)
    common = (np.bincount(group, target) > 5).astype(np.int64)
    private = np.where(rng.random(300) < 0.85, common, 1 - common)[group]
    arena = Arena(np.zeros((3000, 1), np.float32), target, 2, group, (), 0, "cpu")
    case = Case("v", arena, private, 2, grouped=True, usual=None, fingerprint="", draws=99)
    free, tied = (stats.excess(common[group], target, case.redraw("", least), 2, 2) for least in (1.0, 0.0))
    assert abs(free) < 0.2
    assert tied > 0.4
    pure = replace(case, arena=replace(arena, target=common[group]))
    assert pure.purity == 1 > case.purity
    made = pure.redraw("", 1.0)
    assert (stats.tabulate(common[group], made, 2, 2) == stats.tabulate(common[group], private, 2, 2)).all()
