"""How well the model does its own task: worst group and equalised-odds gap, with the bounds of extremes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import recall_score

from leakaudit.audits import Utility
from leakaudit.embeddings import Embeddings
from leakaudit.inquest import portrait
from leakaudit.labels import labelled
from leakaudit.stats import clopper_pearson


def used(subject: Embeddings, private: str = "colour") -> Utility:
    """The utility of a model on all rows."""
    found = portrait.utility(
        subject, labelled(subject, np.ones(len(subject), bool), (private,), "digit")[private], "digit"
    )
    assert found is not None
    return found


@pytest.fixture(name="unfair")
def made_unfair(embed: Any) -> Embeddings:
    """A model that takes the first digit for the second in two thirds of the rows of the second colour."""
    subject: Embeddings = embed(600, targets=3, seed=2)
    y, v = (subject.column(name).values for name in ("digit", "colour"))
    logits = np.eye(3)[y] * 3
    wrong = (y == 0) & (v == 1) & (np.arange(600) % 3 > 0)
    logits[wrong] = [0, 5, 0]
    return replace(subject, logits=logits.astype(np.float32))


def test_the_gap_and_the_worst_group_are_those_of_scikit_learn(unfair: Embeddings) -> None:
    """Recalls inside each colour give the worst group, and their difference is the gap; both say where they are."""
    y, v = (unfair.column(name).values for name in ("digit", "colour"))
    assert unfair.logits is not None
    recalls = np.array([recall_score(y[v == c], unfair.logits.argmax(axis=1)[v == c], average=None) for c in (0, 1)])
    found = used(unfair)
    assert found.worst_cell == "0, c1"
    assert found.worst_cell_accuracy.value == pytest.approx(recalls.min())
    assert found.odds is not None
    assert found.odds.value == pytest.approx((recalls.max(axis=0) - recalls.min(axis=0)).max())
    assert found.odds.low > 0.4
    assert found.odds_note == "0 named right, more often of c0 than of c1"


def test_bounds_allow_for_all_the_cells_that_were_looked_at(unfair: Embeddings) -> None:
    """The upper bound of the worst cell is wider than that cell's own, the lower bound no wider than that of any."""
    y, v = (unfair.column(name).values for name in ("digit", "colour"))
    rows = int(((y == 0) & (v == 1)).sum())
    found = used(unfair).worst_cell_accuracy
    low, high = clopper_pearson(found.value, rows, 0.025)
    assert found.low == pytest.approx(low)
    assert found.high > high


def test_copies_of_an_identity_do_not_narrow_the_bounds(unfair: Embeddings) -> None:
    """Groups are what the bounds count, and without them the same rows pretend to more."""
    four = unfair.take(np.repeat(np.arange(len(unfair)), 4))
    apart, together = used(four), used(replace(four, group=np.repeat(np.arange(len(unfair)), 4)))
    once = used(unfair)
    assert once.odds is not None
    assert apart.odds is not None
    assert together.odds is not None
    assert together.odds == pytest.approx(once.odds, abs=0.02)
    assert apart.odds.low > once.odds.low + 0.03
    assert together.worst_cell_accuracy == pytest.approx(once.worst_cell_accuracy, abs=0.02)


def test_where_no_two_classes_have_rows_enough_it_says_so(unfair: Embeddings) -> None:
    """Four rows of the second colour in each digit: no gap, with the reason; the small cells are left out."""
    y, v = (unfair.column(name).values for name in ("digit", "colour"))
    few = np.concatenate([np.flatnonzero((y == digit) & (v == 1))[:4] for digit in range(3)])
    found = used(unfair.take(np.concatenate([np.flatnonzero(v == 0), few])))
    assert found.odds is None
    assert found.odds_note == "no target class has 5 rows or groups of each of two private classes"
    assert found.worst_cell.endswith("c0")
    some = used(unfair.take(np.concatenate([np.flatnonzero((v == 0) | (y == 0)), few[4:]])))
    assert some.odds is not None
    assert some.odds_note.endswith("; 2 of 6 cells under 5 rows or groups left out")
