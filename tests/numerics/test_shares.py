"""Shares of the classes are what the rows say, as far as they say anything."""

import torch

from leakaudit.numerics.deck import Rows
from leakaudit.numerics.device import generator
from leakaudit.numerics.shares import shares

STRATA = 5


def rows(share: torch.Tensor, count: int) -> Rows:
    """Binary labels with a share of ones in each stratum."""
    chance = generator(0)
    target = torch.arange(count) % STRATA
    labels = (torch.rand(count, generator=chance) < share[target]).long()[None]
    hot = torch.nn.functional.one_hot(target, STRATA).float()
    return Rows(torch.zeros(count, 1), hot, target, labels, torch.full((1, count), 1 / count))


def test_shares_of_many_rows_are_found() -> None:
    """What differs among strata beyond chance is kept nearly as it is."""
    truth = torch.linspace(0.1, 0.9, STRATA)
    found = shares(rows(truth, 20_000), None, 2)[0]
    torch.testing.assert_close(found[:, 1], truth, atol=0.03, rtol=0)
    torch.testing.assert_close(found.sum(1), torch.ones(STRATA))


def test_chance_is_not_taken_for_a_difference() -> None:
    """Where the strata share one rate, few rows in each are drawn to it, nearer than their own shares are."""
    given = rows(torch.full((STRATA,), 0.5), 60)
    found = shares(given, None, 2)[0, :, 1]
    own = torch.stack([given.labels[0, given.strata == s].float().mean() for s in range(STRATA)])
    overall = given.labels[0].float().mean()
    assert (found - overall).abs().max() < 0.5 * (own - overall).abs().max()


def test_what_a_prior_makes_of_them_is_taken_out() -> None:
    """With the log of the shares beside the logits, networks begin with even ones."""
    truth = torch.linspace(0.1, 0.9, STRATA)
    prior = torch.stack((1 - truth, truth), 1).log()[None]
    torch.testing.assert_close(
        shares(rows(truth, 20_000), prior, 2), torch.full((1, STRATA, 2), 0.5), atol=0.04, rtol=0
    )
