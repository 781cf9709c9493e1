"""The neighbours found are those that sorting all distances finds, and votes are shares of those shown."""

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from leakaudit.numerics.device import generator
from leakaudit.numerics.neighbours import PRIOR, Found, nearest, votes


def points(count: int, seed: int) -> torch.Tensor:
    """Rows of four columns."""
    return torch.randn(count, 4, generator=generator(seed))


def test_neighbours_are_those_of_a_full_sort() -> None:
    """The same rows in the same order as by sorting all distances."""
    asked, held = points(50, 0), points(300, 1)
    found = nearest(asked, held, 7)
    assert (found.index == torch.cdist(asked, held).argsort(1)[:, :7]).all()
    assert found.real.all()


def test_marks_keep_strangers_out() -> None:
    """With marks, only rows of the query's mark are found, all of them before rows that do not exist."""
    asked, held = points(50, 0), points(40, 1)
    marks, theirs = torch.arange(50) % 4, torch.arange(40) % 3
    found = nearest(asked, held, 20, (marks, theirs))
    assert (found.real.sum(1) == torch.bincount(theirs, minlength=4)[marks].clamp_max(20)).all()
    assert (theirs[found.index] == marks[:, None])[found.real].all()


@pytest.mark.parametrize("classes", [2, 3])
def test_shares_agree_with_scikit_learn(classes: int) -> None:
    """Without the prior votes, shares are those of KNeighborsClassifier."""
    asked, held = points(50, 0), points(300, 1)
    labels = torch.randint(classes, (300,), generator=generator(2))
    [ours] = votes(nearest(asked, held, 9), labels, torch.ones(300), classes, (5,))
    prior = PRIOR * torch.bincount(labels, minlength=classes) / 300
    theirs = KNeighborsClassifier(5).fit(held.numpy(), labels.numpy()).predict_proba(asked.numpy())
    torch.testing.assert_close(ours * (5 + PRIOR) - prior, torch.from_numpy(theirs).float() * 5, atol=1e-4, rtol=0)


def test_rows_that_are_hidden_barred_or_weightless_do_not_vote() -> None:
    """The next that are shown vote instead."""
    found = Found(torch.tensor([[0, 1, 2, 3, 4]]), torch.ones(1, 5, dtype=torch.bool))
    labels, weights = torch.tensor([-1, 1, 1, 0, 0]), torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    barred = torch.tensor([[False, False, True, False, False]])
    one, two = votes(found, labels, weights, 2, (1, 2))
    assert float(one[0, 1]) > float(two[0, 1])
    one, two = votes(found, labels, weights, 2, (1, 2), barred)
    assert float(one[0, 0]) > 0.5
    assert float(two[0, 0]) > float(one[0, 0])
