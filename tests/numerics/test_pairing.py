"""Paired differences by bootstrap: known answers, identities, and coverage."""

import numpy as np
import pytest

from leakaudit.numerics import pairing

MEASURES = (pairing.private_accuracy, pairing.excess, pairing.accuracy)


def rows_of(generator: np.random.Generator, n: int, first: float, second: float, shared: float) -> pairing.Rows:
    """`n` rows that two attackers hit with chances `first` and `second`, for the share `shared` by one common luck."""
    common = np.where(generator.random(n) < shared, generator.random(n), np.nan)
    lucks = [np.where(np.isnan(common), generator.random(n), common) for _ in range(2)]
    hits = np.stack([lucks[0] < first, lucks[1] < second]).astype(np.uint8)
    return pairing.Rows(generator.integers(0, 3, n), generator.integers(0, 4, n), None, {"nested": hits})


def test_equal_outcomes_differ_by_nearly_nothing() -> None:
    """Two attackers with the same hits have a spread of a few rows at most, on both sides of zero."""
    rows = rows_of(np.random.default_rng(0), 2000, 0.6, 0.6, 1.0)
    for spread in pairing.deviations(rows, "nested", MEASURES):
        low, high = np.quantile(spread, [0.025, 0.975])
        assert low <= 0 <= high
        assert high - low < 0.006


@pytest.mark.parametrize("size", [1, 4])
def test_what_was_never_seen_is_left_open(size: int) -> None:
    """Where all rows, or groups, agree, each bound is the rule of three's: 3 of as many as there are, not nothing."""
    target, private = np.tile([[0, 0, 1, 1], [0, 1, 0, 1]], 25)
    rows = pairing.Rows(target, private, None, {"nested": np.ones((2, 100), np.uint8)})
    if size > 1:
        columns = (np.repeat(part, size) for part in (target, private, np.arange(100)))
        rows = pairing.Rows(*columns, {"nested": np.ones((2, 100 * size), np.uint8)})
    for measure, times in ((pairing.accuracy, 1), (pairing.private_accuracy, 1), (pairing.excess, 2)):
        (spread,) = pairing.deviations(rows, "nested", (measure,))
        assert np.quantile(spread, [0.05, 0.95]) == pytest.approx([-0.03 * times, 0.03 * times], rel=0.15)
    assert pairing.error(rows, "nested") == pytest.approx(2 * np.sqrt(2 * pairing.UNSEEN) / 100)


def test_the_interval_covers_where_nearly_all_rows_agree() -> None:
    """A second model that reads what 2 % of 100 rows hide is missed by 5 % at most; by draws alone it was by 12 %."""
    generator, missed = np.random.default_rng(7), 0
    for _ in range(100):
        rows = rows_of(generator, 100, 0.98, 1.0, 1.0)
        (spread,) = pairing.deviations(rows, "nested", (pairing.accuracy,))
        value = np.diff(rows.hits["nested"].mean(axis=1))[0]
        low, high = value + np.quantile(spread, [0.025, 0.975])
        missed += not low - 1e-9 <= 0.02 <= high + 1e-9
    assert missed <= 5


@pytest.mark.slow
def test_the_interval_covers_the_truth() -> None:
    """In 200 repetitions the 95 % interval of each measure holds the truth at least 180 times (binomial: P < 0.001)."""
    generator, covered = np.random.default_rng(1), dict.fromkeys(MEASURES, 0)
    for _ in range(200):
        rows = rows_of(generator, 400, 0.5, 0.6, 0.7)
        cell = rows.target * 4 + rows.private
        count, *hits = (
            np.bincount(cell, weights=weights, minlength=12)[None].astype(float)
            for weights in (None, *rows.hits["nested"])
        )
        for measure, spread in zip(MEASURES, pairing.deviations(rows, "nested", MEASURES), strict=True):
            truth = 0.1 / (1 - (0.25 if measure is pairing.excess else 0.0))
            value = (measure(count, hits[1], (3, 4)) - measure(count, hits[0], (3, 4)))[0]
            low, high = np.quantile(spread, [0.025, 0.975])
            covered[measure] += value + low <= truth <= value + high
    assert min(covered.values()) >= 180


def test_pairing_pays_where_luck_is_shared() -> None:
    """Rows that are hard for both make the paired spread narrower than that of independent rows."""
    generator = np.random.default_rng(2)
    apart = pairing.deviations(rows_of(generator, 2000, 0.5, 0.5, 0.0), "nested", (pairing.excess,))[0]
    shared = pairing.deviations(rows_of(generator, 2000, 0.5, 0.5, 0.9), "nested", (pairing.excess,))[0]
    assert shared.std() < 0.5 * apart.std()


def test_copies_of_a_row_are_one_group() -> None:
    """Four copies of each row, grouped, tell as much as the rows themselves; ungrouped they pretend to tell twice."""
    rows = rows_of(np.random.default_rng(3), 600, 0.4, 0.6, 0.3)
    four = np.repeat(np.arange(600), 4)
    copies = pairing.Rows(rows.target[four], rows.private[four], four, {"nested": rows.hits["nested"][:, four]})
    (plain,), (grouped,) = (pairing.deviations(part, "nested", (pairing.excess,)) for part in (rows, copies))
    (naive,) = pairing.deviations(copies._replace(group=None), "nested", (pairing.excess,))
    assert grouped.std() == pytest.approx(plain.std(), rel=0.12)
    assert naive.std() == pytest.approx(plain.std() / 2, rel=0.12)


def test_e_is_zero_for_knowing_the_target_and_one_for_knowing_all() -> None:
    """Following the target alone has E 0, being right E 1; an empty cell and a lone class count for nothing."""
    rows = np.array([[30.0, 10.0, 0.0], [5.0, 5.0, 10.0], [20.0, 0.0, 0.0]]).reshape(1, 9)
    follows = np.array([[30.0, 0.0, 0.0], [0.0, 0.0, 10.0], [20.0, 0.0, 0.0]]).reshape(1, 9)
    assert pairing.excess(rows, follows, (3, 3)) == pytest.approx(0.0)
    assert pairing.excess(rows, rows, (3, 3)) == pytest.approx(1.0)
    assert pairing.private_accuracy(rows, rows, (3, 3)) == pytest.approx(1.0)


def test_draws_are_the_same_twice() -> None:
    """The bootstrap is seeded: a report is a pure function."""
    rows = rows_of(np.random.default_rng(4), 300, 0.4, 0.6, 0.3)
    grouped = rows._replace(group=np.arange(300) // 3)
    for part in (rows, grouped):
        one, two = (pairing.deviations(part, "nested", (pairing.excess,))[0] for _ in range(2))
        assert np.array_equal(one, two)


def test_the_closed_error_is_the_bootstraps() -> None:
    """Of E and of a mean, by row and by group, the standard error in closed form is that of the draws."""
    rows = rows_of(np.random.default_rng(5), 1200, 0.4, 0.6, 0.5)
    for part in (rows, rows._replace(group=np.arange(1200) // 4)):
        (spread,) = pairing.deviations(part, "nested", (pairing.excess,))
        assert pairing.error(part, "nested") == pytest.approx(spread.std(), rel=0.06)
    copies = rows._replace(
        target=np.repeat(rows.target, 4), private=np.repeat(rows.private, 4), group=np.repeat(np.arange(1200), 4),
        hits={"nested": np.repeat(rows.hits["nested"], 4, axis=1)},
    )  # fmt: skip
    assert pairing.error(copies, "nested") == pytest.approx(pairing.error(rows, "nested"), rel=0.06)


def test_the_error_of_a_mean_is_that_of_its_rows_or_groups() -> None:
    """The standard deviation of the steps over the root of their number; copies in groups tell no more."""
    gains = np.random.default_rng(6).normal(size=(2, 500)).astype(np.float32)
    expected = (gains[1] - gains[0]).std(ddof=1) / np.sqrt(500)
    assert pairing.error_of_mean(gains, None) == pytest.approx(expected, rel=1e-5)
    four = np.repeat(np.arange(500), 4)
    assert pairing.error_of_mean(gains[:, four], four) == pytest.approx(expected, rel=1e-5)
    assert pairing.error_of_mean(gains[:, four], None) == pytest.approx(expected / 2, rel=1e-2)


def test_equal_gains_have_no_error() -> None:
    """Two attackers of whom no row tells anything apart differ by nothing in bits."""
    assert pairing.error_of_mean(np.ones((2, 30), np.float32), None) == 0
