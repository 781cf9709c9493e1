"""Moments, patterns and rules agree with their definitions, and reach Bayes' rule of two Gaussians."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from leakaudit.numerics.device import generator
from leakaudit.numerics.patterns import evidence, formed, patterns
from leakaudit.numerics.quadric import Sorted, signed, spread, whitener
from leakaudit.numerics.rules import rules


def made(rows: int = 900, width: int = 40, strata: int = 3, seed: int = 0) -> tuple[Sorted, torch.Tensor, torch.Tensor]:
    """Rows with three directions of unlike variance, in strata of unlike means; labels; weights."""
    chance = generator(seed)
    x = torch.randn(rows, width, generator=chance)
    labels = torch.randint(2, (1, rows), generator=chance)
    x[:, [1, 5, width - 1]] *= torch.where(labels[0, :, None] > 0, 2.0, 0.5)
    target = torch.randint(strata, (rows,), generator=chance)
    x += torch.randn(strata, width, generator=generator(99))[target]
    found = Sorted.of(x, target, strata)
    return found, labels[:, found.order], torch.rand(1, rows, generator=chance)


def difference(rows: Sorted, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Half the difference of the second moments about the weighted mean of each stratum, row by row."""
    total = torch.zeros(rows.x.shape[1], rows.x.shape[1], dtype=torch.float64)
    x, w = rows.x.double(), weights[0].double()
    share = [w[labels[0] == c].sum() for c in (0, 1)]
    for i in range(len(x)):
        y = rows.strata == rows.strata[i]
        centred = x[i] - (w[y, None] * x[y]).sum(0) / (w[y].sum() + w.sum() / len(x))
        sign = (1 if labels[0, i] else -1) * w[i] / share[int(labels[0, i])] / 2
        total += sign * torch.outer(centred, centred)
    return total


def test_moments_are_those_of_the_definition() -> None:
    """Formed or only multiplied, the signed second moments are sums over the rows about their stratum's mean."""
    rows, labels, weights = made(300, 40)
    moments = signed(rows, labels, weights, 2)
    truth = difference(rows, labels, weights)
    formed_here = spread(rows, moments, 40).sum(2)[0, 0]
    np.testing.assert_allclose(formed_here, truth, atol=2e-5)
    values = formed(formed_here[None, None]).values
    found = patterns(rows, moments, 40, seed=0).values[0, 0]
    np.testing.assert_allclose(found[:3], values[0, 0, :3], rtol=1e-2)


def test_patterns_are_the_outer_eigenvectors() -> None:
    """Of 40 components the three in which variances differ are found, wherever the search starts."""
    rows, labels, weights = made()
    moments = signed(rows, labels, weights, 2)
    full = formed(spread(rows, moments, 40).sum(2))
    cold = patterns(rows, moments, 40, seed=0)
    warm = patterns(rows, moments, 40, seed=0, start=cold.vectors[..., :8])
    for found in (cold, warm):
        np.testing.assert_allclose(found.values[0, 0, :3], full.values[0, 0, :3], rtol=1e-2)
        along = full.vectors[0, 0, :, :3].T @ found.vectors[0, 0, :, :3]
        assert float(along.square().sum()) == pytest.approx(3, abs=0.05)


def test_hidden_rows_do_not_count() -> None:
    """Rows with label -1 change neither moments nor patterns, whatever their weights and components are."""
    rows, labels, weights = made()
    hidden = torch.arange(900) % 4 == 0
    masked = torch.where(hidden, -1, labels)
    wild = Sorted(torch.where(hidden[:, None], 9.0, rows.x), rows.strata, rows.order, rows.count)
    one, two = (signed(part, masked, weights, 2) for part in (rows, wild))
    np.testing.assert_allclose(one.first, two.first, atol=1e-5)
    np.testing.assert_allclose(spread(rows, one, 8), spread(wild, two, 8), atol=1e-4)


def test_evidence_is_the_likelihood_ratio() -> None:
    """Nats per squared component and the constant are those of Gaussians of variances 1 + d and 1 - d, and of 1."""
    values = torch.tensor([[[0.6, -0.4]]])
    x = np.array([0.7, -1.9])
    slope, constant = evidence(values, two=True)
    up, down = (multivariate_normal(cov=np.diag(1 + sign * values[0, 0].double().numpy())) for sign in (1, -1))
    assert float((slope[0, 0] * torch.tensor(x) ** 2 + constant[0, 0]).sum()) == pytest.approx(
        up.logpdf(x) - down.logpdf(x), abs=1e-5
    )
    slope, constant = evidence(values, two=False)
    rest = multivariate_normal(cov=np.eye(2))
    assert float((slope[0, 0] * torch.tensor(x) ** 2 + constant[0, 0]).sum()) == pytest.approx(
        up.logpdf(x) - rest.logpdf(x), abs=1e-5
    )


def test_whitened_rows_are_white_within_strata_and_leading_stays_leading() -> None:
    """Covariance I within strata, means zero; the first three of the result depend on the first three only."""
    rows, _, _ = made(4000, 10)
    learned = whitener(rows)
    found = learned(rows).x
    np.testing.assert_allclose(found.T @ found / 4000, np.eye(10), atol=0.02)
    assert float(learned.matrix[3:, :3].abs().max()) == 0
    shuffled = rows.x.clone()
    shuffled[:, 3:] = shuffled[torch.randperm(4000, generator=generator(1)), 3:]
    np.testing.assert_allclose(learned(Sorted(shuffled, rows.strata, rows.order, 3)).x[:, :3], found[:, :3], atol=1e-5)


def test_rules_reach_the_bayes_rate_of_two_spreads() -> None:
    """Variances 4 and 1/4 in three directions of 40: the quadric in four directions comes within 2 % of Bayes."""
    (train, labels, weights), (test, truth, _) = made(4000, seed=0), made(4000, seed=1)
    learned = whitener(train)
    white, asked = learned(train), learned(Sorted(test.x, test.strata, test.order, 3))
    found = rules(white, signed(white, labels, weights, 2), seed=0)
    hits = {
        name: float(((found.scores(asked)[0, :, j, 0] > 0) == (truth[0] > 0)).float().mean())
        for j, name in enumerate(found.names)
    }
    draws = np.random.default_rng(0).normal(size=(100_000, 3))
    edge = 3 * np.log(16) / (4 - 1 / 4)
    bayes = (((draws**2).sum(1) / 4 < edge).mean() + ((draws**2).sum(1) * 4 > edge).mean()) / 2
    assert hits["quadric in 4 directions of 40 components"] > bayes - 0.02
    assert hits["hyperplane, 40 components"] < 0.6
