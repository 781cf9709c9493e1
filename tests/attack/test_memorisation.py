"""The memorisation gap: rows that the model was trained on beside attack rows, compared like with like."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from leakaudit import stats
from leakaudit.attack import Exhibits
from leakaudit.audits import Attribute
from leakaudit.catalog import Call
from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.finding import Memorisation
from leakaudit.inquest.contest import entrants
from leakaudit.inquest.repeats import MOST, Gap, difference, memorised, shared
from leakaudit.labels import labelled
from leakaudit.stats import Interval


def trained(made: Embeddings) -> Embeddings:
    """The same rows under identities of their own."""
    return replace(made, ids=identify("made/train", [str(i) for i in range(len(made))]))


def compared(attacked: Embeddings, studied: Embeddings, name: str = "colour") -> Gap:
    """The gap alone, without the audit around it."""
    chosen = labelled(attacked, np.ones(len(attacked), bool), (name,), "digit")
    (linear,) = entrants([Call("linear", {})])
    run = memorised(attacked, trained(studied), chosen, "digit", linear, seed=0, device="cpu")
    while True:
        try:
            next(run)
        except StopIteration as end:
            found: Gap = end.value[name]
            return found


def measured(attacked: Embeddings, studied: Embeddings, name: str = "colour") -> Memorisation:
    """The gap, which is there."""
    found = compared(attacked, studied, name)
    assert isinstance(found, Memorisation), found
    return found


def test_a_model_that_shows_more_of_its_own_rows_has_a_gap(embed: Any) -> None:
    """Rows trained on that give the attribute away stand above attack rows that hardly do, and the other way round."""
    little, much = embed(600, leak=0.5, seed=1), embed(600, leak=2.5, seed=2)
    more, less = measured(little, much).gap, measured(much, little).gap
    assert more.low > 0.2
    assert less.high < -0.2
    bayes = 2 * ndtr([1.25, 0.25]) - 1
    assert abs(more.value - (bayes[0] - bayes[1])) < 0.12


def test_rows_of_one_kind_have_no_gap(embed: Any) -> None:
    """Where training changed nothing, the interval of the gap spans zero: in 11 of 12 at least, at a level of 95 %."""
    gaps = [measured(embed(300, leak=1, seed=i), embed(300, leak=1, seed=100 + i)).gap for i in range(12)]
    assert sum(gap.low <= 0 <= gap.high for gap in gaps) >= 11
    assert len({gap.value for gap in gaps}) == 12


def test_a_skew_of_the_training_rows_is_no_gap(embed: Any) -> None:
    """Training rows in which the colour mostly follows the digit are compared with attack rows of the same mix."""
    fair, skewed = embed(1500, leak=1.5, seed=3), embed(1500, leak=1.5, agree=0.8, seed=4)
    found = measured(fair, skewed)
    assert found.gap.low <= 0 <= found.gap.high
    tables = [
        stats.tabulate(made.column("digit").values, made.column("colour").values, 2, 2) for made in (fair, skewed)
    ]
    assert found.rows == np.minimum(*tables).sum() < 1500


def test_numbers_are_compared_in_the_bins_of_the_attack_rows(embed: Any) -> None:
    """A continuous attribute of the rows trained on falls into the attack rows' own quantile bins."""

    def aged(made: Embeddings, seed: int) -> Embeddings:
        age = np.random.default_rng(seed).normal(40, 10, len(made)).astype(np.float32)
        age[:20] = np.nan
        z = made.z.copy()
        z[:, 2] += np.nan_to_num(age - 40) / 3
        return replace(made, z=z, columns={**made.columns, "age": Labels(age)})

    found = measured(aged(embed(800, seed=5), 5), aged(embed(800, seed=6), 6), "age")
    assert found.rows > 600
    assert found.trained.excess.low > 0.3
    assert found.gap.low <= 0 <= found.gap.high


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=60), st.lists(st.integers(-1, 5), min_size=1, max_size=60))
def test_both_kinds_have_the_same_rows_in_every_cell(first: list[int], second: list[int]) -> None:
    """A cell has the fewer rows of the two; a target class with a single private class has none."""
    codes = [np.array(part, np.int64) for part in (first, second)]
    table = shared(codes[0], codes[1], (2, 3))
    counts = [np.array([(part == cell).sum() for cell in range(6)]).reshape(2, 3) for part in codes]
    fewer = np.minimum(*counts)
    assert (table == np.where((fewer > 0).sum(axis=1, keepdims=True) > 1, fewer, 0)).all()


def test_very_many_rows_are_thinned_and_no_cell_is_lost() -> None:
    """Above the most that is attacked every cell shrinks alike, the rarest to one row at least."""
    codes = np.repeat(np.arange(4), [60_000, 3, 20_000, 20_000])
    table = shared(codes, codes, (2, 2))
    assert table.sum() <= MOST + 4
    assert table[0].tolist() == [5999, 1]
    assert shared(codes[-50:], codes, (2, 2)).sum() == 0


def test_a_difference_is_turned_by_turning_its_sides() -> None:
    """One less the other is minus the other less the one, as wide, and as wide as either where one is known."""
    one, other = Interval(0.6, 0.5, 0.65), Interval(0.2, 0.1, 0.4)
    there, back = difference(one, other), difference(other, one)
    assert there == pytest.approx((0.4, 0.4 - np.hypot(0.1, 0.2), 0.4 + np.hypot(0.05, 0.1)))
    assert back == pytest.approx((-there.value, -there.high, -there.low))
    assert difference(one, Interval(0, 0, 0)) == pytest.approx(one)


def test_the_gap_is_no_part_of_the_verdict(embed: Any, attacked: Any) -> None:
    """With it or without, every other figure is the same; without, nothing is said of it."""
    made, studied = embed(240, leak=1), trained(embed(240, leak=3, seed=9))
    known = Exhibits(trained=studied.ids)
    without = attacked(made, exhibits=known).only
    with_it: Attribute = attacked(made, exhibits=replace(known, studied=studied)).only
    assert (without.memorisation, without.memorisation_note) == (None, "")
    assert with_it.memorisation is not None
    assert with_it.memorisation.gap.low > 0
    assert replace(with_it, memorisation=None) == without


def test_rows_trained_on_among_the_data_are_compared_unasked(embed: Any, attacked: Any) -> None:
    """Rows of DATA that the checkpoint was trained on are not attacked, and serve for the gap; few of them say so."""
    made = embed(400, leak=1)
    half = attacked(made, exhibits=Exhibits(trained=made.ids[200:])).only
    assert half.rows.rows == half.rows.trained == 200
    assert half.memorisation is not None
    assert 100 < half.memorisation.rows <= 200
    few = attacked(made, exhibits=Exhibits(trained=made.ids[-12:])).only
    assert few.memorisation is None
    assert few.memorisation_note.endswith("too few to compare")


def test_rows_trained_on_must_have_the_labels(embed: Any, attacked: Any) -> None:
    """A label that the training rows lack is refused before anything is attacked."""
    made, studied = embed(200), trained(embed(200, seed=1))
    nameless = replace(studied, columns={"digit": studied.columns["digit"]})
    with pytest.raises(InputError, match="no label 'colour'"):
        attacked(made, exhibits=Exhibits(trained=studied.ids, studied=nameless))


def test_few_groups_leave_the_gap_open(embed: Any) -> None:
    """With fewer groups than bounds take, the interval says nothing, and a note says why."""
    found = measured(embed(400, leak=3, group=40, seed=1), embed(400, leak=0.2, group=40, seed=2))
    assert found.notes == ("too few groups for bounds",)
    assert found.gap.low < -0.5 < 0.5 < found.gap.high
