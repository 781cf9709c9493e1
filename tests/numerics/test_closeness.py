"""Mean absolute error and R^2 are the libraries' figures, with intervals that cover."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from leakaudit.numerics.closeness import closeness, plain


def example(seed: int = 0, rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Guesses whose errors are skewed, and the truth."""
    random = np.random.default_rng(seed)
    truth = random.normal(40, 10, rows)
    return truth + random.exponential(5, rows) - 3, truth


def test_the_figures_are_the_librarys() -> None:
    """scikit-learn's mean absolute error and R^2, from one function and from the other."""
    guess, truth = example()
    found = closeness(guess, truth, None, 0)
    assert found.r2 is not None
    assert plain(guess, truth) == (found.mae.value, found.r2.value)
    assert found.mae.value == pytest.approx(mean_absolute_error(truth, guess))
    assert found.r2.value == pytest.approx(r2_score(truth, guess))
    assert found.mae.low < found.mae.value < found.mae.high
    assert found.r2.low < found.r2.value < found.r2.high < 1


def test_what_is_perfect_or_cannot_be_explained_is_said_to_be() -> None:
    """No error: 0 and 1. The mean for every row: R^2 is 0. One true number: no R^2."""
    truth = np.arange(10.0)
    perfect = closeness(truth, truth, None, 0)
    assert (perfect.mae, perfect.r2) == ((0, 0, 0), (1, 1, 1))
    assert plain(np.full(10, 4.5), truth)[1] == pytest.approx(0)
    assert closeness(truth, np.full(10, 7.0), None, 0).r2 is None
    assert closeness(truth[:1], truth[1:2], None, 0) == ((1, 1, 1), None)


def test_rows_of_one_group_count_as_one() -> None:
    """Five copies of each row, said to belong together, give the figures of the rows; unsaid, the interval shrinks."""
    guess, truth = example()
    once = closeness(guess, truth, None, 0)
    group = np.repeat(np.arange(len(truth)), 5)
    told, untold = (closeness(np.repeat(guess, 5), np.repeat(truth, 5), part, 0) for part in (group, None))
    assert told.mae == pytest.approx(once.mae)
    assert told.r2 == pytest.approx(once.r2)
    assert untold.mae.high - untold.mae.low < 0.6 * (once.mae.high - once.mae.low)


@pytest.mark.slow
def test_the_intervals_cover() -> None:
    """Over 300 samples of 120 rows the truth lies inside about 95 % of the intervals, skewed as the errors are."""
    mae, r2 = plain(*example(10_000, 400_000))
    assert r2 is not None
    inside = np.zeros(2)
    for seed in range(300):
        found = closeness(*example(seed), None, seed)
        assert found.r2 is not None
        inside += found.mae.low <= mae <= found.mae.high, found.r2.low <= r2 <= found.r2.high
    assert (inside / 300 > 0.9).all()
    assert (inside / 300 < 0.99).all()
