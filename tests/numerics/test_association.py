"""Cramer's V is the library's, its bounds hold, and what the target tells is counted right."""

import numpy as np
import pytest
from scipy.stats import contingency
from sklearn.metrics import balanced_accuracy_score

from leakaudit.numerics.association import FEWEST, association, cramers_v, told


def drawn(rows: int, strength: float, shape: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of rows in which the column is the line's own in a share `strength`, and the table of them."""
    random = np.random.default_rng(seed)
    y = random.integers(shape[0], size=rows)
    v = np.where(random.random(rows) < strength, y % shape[1], random.integers(shape[1], size=rows))
    cells = y * shape[1] + v
    return cells, np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (12, 2), (10, 10)])
@pytest.mark.parametrize("strength", [0.0, 0.4, 0.9])
def test_v_is_that_of_scipy(shape: tuple[int, int], strength: float) -> None:
    """Plain, without Yates' or any other correction."""
    _, table = drawn(700, strength, shape, seed=1)
    assert cramers_v(table) == pytest.approx(contingency.association(table, method="cramer"), abs=1e-12)


def test_lines_without_rows_do_not_count() -> None:
    """A class that a split lacks changes nothing; one class alone has no V."""
    table = np.array([[30, 10], [0, 0], [5, 25]])
    assert cramers_v(table) == pytest.approx(contingency.association(table[[0, 2]], method="cramer"))
    assert cramers_v(np.array([[30, 10], [0, 0]])) is None
    assert cramers_v(np.array([[7, 0], [0, 9]])) == pytest.approx(1.0)


@pytest.mark.parametrize(("rows", "strength", "shape"), [(60, 0.0, (2, 2)), (150, 0.0, (10, 2)), (200, 0.5, (2, 2))])
def test_bounds_hold_the_truth(rows: int, strength: float, shape: tuple[int, int]) -> None:
    """In 95 % of samples at least, but for 3 of 60 by chance; the plain V of few rows lies above the truth."""
    truth, found, plain = strength, [], []
    for seed in range(60):
        cells, table = drawn(rows, strength, shape, seed)
        interval = association(cells, table, None, seed)
        assert interval is not None
        found.append(interval.low <= truth <= interval.high)
        plain.append(cramers_v(table))
    assert sum(found) >= 54
    if not strength:
        assert np.mean(plain) > 0.05


def test_rows_of_a_group_count_as_one() -> None:
    """Ten copies of each row, as groups, are no better known than the rows; taken for rows of their own, they are."""
    cells, table = drawn(120, 0.3, (2, 2), seed=3)
    many, whole = np.repeat(cells, 10), table * 10
    alone, grouped, copied = (
        association(cells, table, None, 0),
        association(many, whole, np.repeat(np.arange(120), 10), 0),
        association(many, whole, None, 0),
    )
    assert alone is not None
    assert grouped is not None
    assert copied is not None
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.2)
    assert copied.high - copied.low < 0.6 * (alone.high - alone.low)


def test_nothing_is_said_of_few_rows_or_of_certainty() -> None:
    """Below the fewest rows, and where all draws are the same, there are no bounds; above there are."""
    cells, table = drawn(FEWEST - 1, 0.5, (2, 2), seed=0)
    assert association(cells, table, None, 0) is None
    sure = np.repeat([0, 3], 50)
    assert association(sure, np.array([[50, 0], [0, 50]]), None, 0) is None
    assert association(*drawn(FEWEST + 1, 0.5, (2, 2), seed=0), None, 0) is not None


def test_what_the_target_tells_is_the_best_of_all_guesses() -> None:
    """By trying every rule from target to private class: the most rows right, and the best balanced accuracy."""
    table = np.array([[40, 10, 0], [5, 20, 2], [1, 8, 14]])
    y, v = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    rules = np.stack(np.meshgrid(*[range(3)] * 3), axis=-1).reshape(-1, 3)
    found = told(table)
    assert found is not None
    assert found.accuracy == pytest.approx(max((rule[y] == v).mean() for rule in rules))
    assert found.balanced_accuracy == pytest.approx(max(balanced_accuracy_score(v, rule[y]) for rule in rules))
    assert (found.majority, found.chance) == (pytest.approx(46 / 100), pytest.approx(1 / 3))
    assert told(np.zeros((2, 2), np.int64)) is None
