"""Every share has an honest interval, and E is what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, norm

from leakaudit import stats

quick = settings(max_examples=60, deadline=None, derandomize=True)
tables = st.integers(0, 2**31).map(
    lambda seed: np.random.default_rng(seed).integers(0, 12, (3, 4)) + np.array([[1, 1, 0, 0], [0] * 4, [0, 0, 1, 1]])
)


def rows_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Target and private label of rows with this table."""
    cells = np.repeat(np.arange(table.size), table.ravel())
    return cells // table.shape[1], cells % table.shape[1]


@quick
@given(rows=st.integers(1, 400), hits=st.integers(0, 400), tail=st.sampled_from([0.025, 0.05]))
def test_bounds_are_the_exact_binomial_ones_where_rows_are_plain(rows: int, hits: int, tail: float) -> None:
    """With one cell and no groups the bounds are scipy's Clopper-Pearson."""
    hits = min(hits, rows)
    right = np.arange(rows) < hits
    low, high = stats.share(right, np.zeros(rows, np.int64), np.ones(1)).bounds(tail)
    exact = binomtest(hits, rows).proportion_ci(1 - 2 * tail, method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@quick
@given(table=tables, seed=st.integers(0, 999))
def test_excess_is_zero_whatever_the_target_alone_guesses(table: np.ndarray, seed: int) -> None:
    """A guess that depends on the target alone has E = 0 exactly, under any confounding."""
    target, private = rows_of(table)
    named = np.array(
        [np.random.default_rng(seed + y).choice(np.flatnonzero(row > 0)) for y, row in enumerate(table) if row.any()]
    )
    index = np.cumsum(table.any(axis=1)) - 1
    assert stats.excess(named[index[target]], target, private, *table.shape) == pytest.approx(0, abs=1e-12)


@quick
@given(table=tables)
def test_excess_is_one_when_everything_is_read(table: np.ndarray) -> None:
    """Right everywhere is E = 1, and wrong everywhere is as far below zero as the classes allow."""
    target, private = rows_of(table)
    assert stats.excess(private, target, private, *table.shape) == pytest.approx(1)
    _, stretch = stats.excess_weights(table)
    assert stats.excess(private + 1, target, private, *table.shape) == pytest.approx(1 - stretch)


@quick
@given(table=tables, seed=st.integers(0, 999))
def test_excess_is_the_formula_of_the_protocol(table: np.ndarray, seed: int) -> None:
    """E = sum_y pi_y (BA_y - 1/C_y) / (1 - 1/C_y) over classes present, target classes of one class left out."""
    target, private = rows_of(table)
    guess = np.random.default_rng(seed).integers(0, table.shape[1], len(target))
    kept = [y for y in range(len(table)) if (table[y] > 0).sum() > 1]
    total, expected = sum(table[y].sum() for y in kept), 0.0
    for y in kept:
        present = np.flatnonzero(table[y])
        balanced = np.mean([(guess[(target == y) & (private == v)] == v).mean() for v in present])
        expected += table[y].sum() / total * (balanced - 1 / len(present)) / (1 - 1 / len(present))
    assert stats.excess(guess, target, private, *table.shape) == pytest.approx(expected)
    weights, stretch = stats.excess_weights(table)
    part = stats.share(guess == private, target * 4 + private, weights.ravel())
    assert stats.stretched(part, stretch).value == pytest.approx(expected)


@quick
@given(table=tables)
def test_weights_are_means(table: np.ndarray) -> None:
    """The weights of every figure sum to one and fall on cells with rows."""
    for weights in (stats.excess_weights(table)[0], stats.balanced_weights(table), stats.private_weights(table)):
        assert weights.sum() == pytest.approx(1)
        assert (weights[table == 0] == 0).all()
        assert (weights >= 0).all()


def test_private_class_accuracy_makes_private_and_target_independent() -> None:
    """Recall .9 where both agree and .5 elsewhere is (.9 + .5) / 2 for two balanced targets, however rare the rest."""
    table = np.array([[990, 10], [10, 990]])
    recall = np.array([[0.9, 0.5], [0.5, 0.9]])
    assert (stats.private_weights(table) * recall).sum() == pytest.approx(0.7)


@quick
@given(seed=st.integers(0, 999), size=st.integers(2, 6))
def test_groups_and_cross_fitting_only_widen(seed: int, size: int) -> None:
    """The sandwich never makes an interval narrower than rows do, and cross-fitting doubles the variance."""
    rng = np.random.default_rng(seed)
    hits, cells, weights = rng.random(120) < 0.6, np.arange(120) % 3, np.full(3, 1 / 3)
    plain = stats.share(hits, cells, weights)
    grouped = stats.share(hits, cells, weights, np.arange(120) // size)
    doubled = stats.share(hits, cells, weights, doubled=True)
    assert grouped.interval.low <= plain.interval.low <= plain.value <= plain.interval.high <= grouped.interval.high
    assert doubled.variance == pytest.approx(2 * plain.variance)
    assert doubled.worth == pytest.approx(plain.worth / 2)


def test_rows_that_repeat_are_not_evidence() -> None:
    """Each row written ten times, grouped by its original, is worth the originals and no more."""
    hits = np.random.default_rng(0).random(200) < 0.7
    once = stats.share(hits, np.zeros(200, np.int64), np.ones(1), np.arange(200))
    tenfold = stats.share(np.repeat(hits, 10), np.zeros(2000, np.int64), np.ones(1), np.repeat(np.arange(200), 10))
    assert tenfold.interval == pytest.approx(once.interval, abs=2e-3)
    assert stats.share(np.repeat(hits, 10), np.zeros(2000, np.int64), np.ones(1)).worth > 9 * tenfold.worth


@pytest.mark.parametrize("p", [0.5, 0.55, 0.95, 0.995, 1.0])
def test_interval_of_excess_covers(p: float) -> None:
    """The two-sided 95 % interval of E covers in 93 % or more, in balanced and in confounded cells."""
    rng, rows = np.random.default_rng(1), 600
    for mix in (0.5, 0.9):
        target = np.arange(rows) % 2
        covered = 0
        for _ in range(400):
            private = np.where(rng.random(rows) < mix, target, 1 - target)
            weights, stretch = stats.excess_weights(stats.tabulate(target, private, 2, 2))
            part = stats.share(rng.random(rows) < p, target * 2 + private, weights.ravel())
            _, low, high = stats.stretched(part, stretch)
            covered += low <= 2 * p - 1 <= high
        # 400 draws of a .95 interval: .93 less two standard errors of the count
        assert covered / 400 >= 0.93 - 2 * 0.0128


def test_mde_is_the_protocols_formula_in_balanced_cells() -> None:
    """2.49 / sqrt((C - 1) n), with n halved when cross-fitted."""
    table = np.full((5, 4), 30)
    assert stats.detectable(table, doubled=False) == pytest.approx(2.49 / np.sqrt(3 * 600))
    assert stats.detectable(table, doubled=True) == pytest.approx(2.49 / np.sqrt(3 * 300))
    assert stats.balanced_rows(0.1, 4, doubled=True) == pytest.approx(2 * 24.9**2 / 3, abs=1)


def test_p_is_the_normal_one_of_the_smoothed_variance() -> None:
    """One cell per class, all alike: p = 1 - Phi(E / SE); with groups t's tail is heavier."""
    cells, weights = np.arange(400) % 4, np.full(4, 0.25)
    hits = np.arange(400) < 236
    part = stats.share(hits, cells, weights)
    z = (2 * part.value - 1) / (2 * part.variance**0.5)
    assert stats.exceeds_zero(part, 2.0) == pytest.approx(norm.sf(z))
    grouped = stats.Share(part.value, part.variance, part.worth, 5)
    assert stats.exceeds_zero(grouped, 2.0) > stats.exceeds_zero(part, 2.0)


def test_holm_controls_and_keeps_order() -> None:
    """Holm's p lie between the raw ones and Bonferroni's, in the same order, and never below Benjamini-Hochberg's."""
    p = [0.011, 0.6, 0.02, 0.049]
    adjusted = stats.holm(p)
    assert adjusted == pytest.approx([0.044, 0.6, 0.06, 0.098])
    assert (np.array(adjusted) >= false_discovery_control(p) - 1e-12).all()
    assert stats.holm([0.03]) == [0.03]


def test_redraw_keeps_the_table_and_the_groups() -> None:
    """Labels are permuted within strata: the table stays; where a group has one label, it keeps having one."""
    rng = np.random.default_rng(0)
    target, private = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    drawn = stats.redraw(target, private, None, rng)
    assert (stats.tabulate(target, drawn, 3, 4) == stats.tabulate(target, private, 3, 4)).all()
    assert (drawn != private).mean() > 0.5
    group = np.repeat(np.arange(60), 5)
    whole = stats.redraw(target, group % 4, group, rng)
    assert all(len(set(whole[group == g])) == 1 for g in range(60))


def test_redraw_trades_whole_groups_where_labels_are_mixed_inside_them() -> None:
    """One odd row does not make rows of their own of all groups: most groups keep one label, the table stays near."""
    rng = np.random.default_rng(0)
    group, target = np.repeat(np.arange(60), 20), np.repeat(np.arange(60) % 2, 20)
    private = np.repeat(rng.integers(0, 2, 60), 20)
    private[0] = 1 - private[0]
    drawn = stats.redraw(target, private, group, rng)
    assert sum(len(set(drawn[group == g])) == 1 for g in range(60)) == 59
    assert (stats.tabulate(target, drawn, 2, 2) == stats.tabulate(target, private, 2, 2)).all()
    mixed = rng.integers(0, 3, 1200)
    assert set(stats.redraw(rng.integers(0, 5, 1200), mixed, rng.integers(0, 90, 1200), rng)) == {0, 1, 2}


def test_bootstrap_over_groups_is_wider_than_over_rows() -> None:
    """Rows that repeat inside a group carry no more bits than the group."""
    values = np.repeat(np.random.default_rng(0).standard_normal(50), 8)
    alone = stats.bootstrap_mean(values, None, 1)
    grouped = stats.bootstrap_mean(values, np.repeat(np.arange(50), 8), 1)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert alone.value == grouped.value == pytest.approx(values.mean())


def test_entropy_is_that_of_the_private_class_given_the_target() -> None:
    """Two bits for four even classes; none where a target class has one."""
    assert stats.conditional_entropy(np.full((3, 4), 7)) == pytest.approx(2)
    assert stats.conditional_entropy(np.array([[5, 0], [2, 2]])) == pytest.approx(1)
