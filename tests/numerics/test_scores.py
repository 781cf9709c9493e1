"""Normal scores undo what is monotone in each column."""

import numpy as np
import pytest

from leakaudit.numerics import scores


@pytest.mark.parametrize("bend", [np.exp, np.tanh, lambda u: 1e30 * np.logaddexp(0, u)])
def test_a_monotone_map_of_gaussian_columns_is_undone(bend: object) -> None:
    """Gaussian columns bent monotonically have their first values as scores, nearly."""
    assert callable(bend)
    u = np.random.default_rng(0).normal(size=(8000, 3))
    z = bend(u).astype(np.float32)
    found = scores.learn(z, 0, "cpu").of(z)
    assert np.abs(found - u)[np.abs(u) < 2].max() < 0.2
    assert np.corrcoef(found.ravel(), u.ravel())[0, 1] > 0.998


def test_scores_keep_the_order_of_a_column() -> None:
    """The map is monotone, beyond the rows it was learned from too."""
    z = np.random.default_rng(1).standard_t(2, size=(500, 2)).astype(np.float32)
    line = np.linspace(-50, 50, 1000, dtype=np.float32)
    assert (np.diff(scores.learn(z, 0, "cpu").of(np.stack((line, line), 1)), axis=0) >= 0).all()


def test_a_constant_column_has_no_score() -> None:
    """A constant column is sent to zero; one that is mostly a single value stays finite."""
    z = np.zeros((50, 2), np.float32) + np.float32([7, 0])
    z[:5, 1] = np.arange(5)
    found = scores.learn(z, 0, "cpu").of(z)
    assert (found[:, 0] == 0).all()
    assert np.isfinite(found).all()
    assert found[:5, 1].std() > 0
