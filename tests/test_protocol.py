"""Rows are dealt and weighted as the protocol says."""

import numpy as np
import pytest

from leakaudit import protocol, stats
from leakaudit.errors import InputError


def labels(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A target of three classes and a private label that leans on it."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    return target, np.where(rng.random(rows) < 0.6, target, rng.integers(0, 4, rows))


@pytest.mark.parametrize(("rows", "parts"), [(900, (5, 0.2)), (20_000, (1, 0.3))])
def test_every_row_is_scored_at_most_once(rows: int, parts: tuple[int, float]) -> None:
    """Five folds below 20,000 rows, one split 50/20/30 from there; the parts of a fold are disjoint."""
    target, private = labels(rows)
    folds = protocol.folds(target, private[None], np.arange(rows), protocol.chance("fp", 0, "folds"))
    assert len(folds) == parts[0]
    tests = np.concatenate([fold.test for fold in folds])
    assert len(np.unique(tests)) == len(tests) == pytest.approx(parts[0] * parts[1] * rows, rel=0.02)
    for fold in folds:
        whole = np.concatenate([fold.train, fold.validation, fold.test])
        assert sorted(whole) == list(range(rows))
        assert (fold.seen == np.concatenate([fold.train, fold.validation])).all()
        assert len(fold.train) / len(fold.seen) == pytest.approx(0.75 if parts[0] == 5 else 5 / 7, abs=0.01)


@pytest.mark.parametrize("rows", [900, 20_000])
def test_every_cell_is_dealt_evenly(rows: int) -> None:
    """The folds hold each (target, private) cell in its share, to within two rows."""
    target, private = labels(rows)
    whole = stats.tabulate(target, private, 3, 4)
    for fold in protocol.folds(target, private[None], np.arange(rows), protocol.chance("fp", 1, "folds")):
        for part in (fold.test, fold.validation, fold.train):
            held = stats.tabulate(target[part], private[part], 3, 4)
            assert np.abs(held - whole * len(part) / rows).max() <= 2.5


def test_a_group_never_stands_on_both_sides() -> None:
    """All rows of a group are in one part of every fold."""
    target, private = labels(800)
    group = np.random.default_rng(1).integers(0, 90, 800)
    for fold in protocol.folds(target, private[None], group, protocol.chance("fp", 0, "folds")):
        parts = [set(group[part]) for part in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, parts)) == len(set().union(*parts))


def test_folds_come_from_data_and_seed_alone() -> None:
    """Same fingerprint and seed: the same folds. Another of either: others."""
    target, private = labels(300)

    def dealt(fingerprint: str, seed: int) -> list[int]:
        folds = protocol.folds(target, private[None], np.arange(300), protocol.chance(fingerprint, seed, "folds"))
        return folds[0].test.tolist()

    assert dealt("a", 0) == dealt("a", 0)
    assert dealt("a", 0) != dealt("a", 1)
    assert dealt("a", 0) != dealt("b", 0)


def test_balanced_makes_private_independent_of_target() -> None:
    """Weighted rows: private classes alike inside every target class, target classes as they were; mean weight 1."""
    target, private = labels(2000)
    weight = protocol.weights("balanced", target, private)
    cells = np.bincount(target * 4 + private, weight, minlength=12).reshape(3, 4)
    expected = np.bincount(target)[:, None] / 4
    assert cells == pytest.approx(np.broadcast_to(expected, (3, 4)) * cells.sum() / expected.sum() / 4, rel=1e-4)
    assert weight.mean() == pytest.approx(1)


def test_matched_has_the_table_recorded_with_the_checkpoint() -> None:
    """Weighted rows have the training table; without one, and for `paper`, rows count as they came."""
    target, private = labels(2000)
    table = np.array([[90, 5, 3, 2], [1, 50, 1, 1], [2, 2, 80, 9]])
    weight = protocol.weights("matched", target, private, table)
    cells = np.bincount(target * 4 + private, weight, minlength=12).reshape(3, 4)
    assert cells / cells.sum() == pytest.approx(table / table.sum(), rel=1e-4)
    assert (protocol.weights("matched", target, private) == 1).all()
    assert (protocol.weights("paper", target, private, table) == 1).all()


def test_numbers_are_cut_into_quantile_bins() -> None:
    """Bins hold equal counts and are named by their ends; ties are never split; equal numbers are refused."""
    codes, names = protocol.bins(np.arange(100, dtype=np.float32), 5, "age")
    assert np.bincount(codes).tolist() == [20] * 5
    assert names[0].startswith("< ")
    assert names[-1].startswith(">= ")
    tied, names = protocol.bins(np.array([0.0] * 90 + [1.0] * 10), 10, "age")
    assert np.bincount(tied).tolist() == [90, 10]
    assert len(names) == 2
    with pytest.raises(InputError, match="age: every row has the same value, 3"):
        protocol.bins(np.full(5, 3.0), 5, "age")


@pytest.mark.parametrize(("groups", "enough"), [(400, True), (190, False)])
def test_few_groups_bound_nothing(groups: int, *, enough: bool) -> None:
    """Bounds want 200 groups in all, and 10 in every scored cell."""
    group = np.arange(1600) % groups
    target, private = group % 2, (group // 2) % 2
    table = stats.tabulate(target, private, 2, 2)
    assert protocol.bounded(table, target, private, group) is enough
    rare = np.where(group < 9, 2, private)
    assert not protocol.bounded(stats.tabulate(target, rare, 2, 3), target, rare, group)
