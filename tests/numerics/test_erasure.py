"""Erased embeddings hold nothing that a hyperplane reads, changed as little as that takes."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from leakaudit.numerics.erasure import erase, within
from leakaudit.numerics.moments import moments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from concept_erasure import LeaceFitter

quick = settings(max_examples=40, deadline=None, derandomize=True)


def rows(seed: int, n: int = 600, d: int = 8, strata: int = 3, classes: int = 3) -> tuple[np.ndarray, ...]:
    """Correlated z in which both labels move the mean, and v depends on y."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, strata, n)
    private = np.where(rng.random(n) < 0.4, target % classes, rng.integers(0, classes, n))
    z = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
    z += np.eye(classes, d)[private] * 2 + rng.standard_normal((strata, d))[target]
    return z, target, private


def crossed(z: np.ndarray, erased: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Largest weighted covariance of an erased column, in units of the deviation it had, and a column of labels."""
    share = (weights / weights.sum()).astype(np.float64)
    z, erased = z.astype(np.float64), erased.astype(np.float64)
    deviation = np.maximum(np.sqrt(share @ (z - share @ z) ** 2), 1e-6 * np.abs(z).max(0))
    inside = (erased - share @ erased) / deviation
    return float(np.abs((inside * share[:, None]).T @ (labels - share @ labels)).max())


@pytest.mark.parametrize("seed", range(3))
def test_erasure_is_that_of_concept_erasure(seed: int) -> None:
    """Without its shrinkage and truncation the library of the paper's authors gives the same embeddings."""
    z, _, private = rows(seed)
    labels = np.eye(3)[private]
    fitter = LeaceFitter.fit(
        torch.tensor(z), torch.tensor(labels), shrinkage=False, constrain_cov_trace=False, svd_tol=1e-9
    )
    theirs = fitter.eraser(torch.tensor(z)).numpy()
    assert np.abs(theirs - z).max() > 1
    assert erase(z, labels).apply(z) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_moments_of_erased_rows_follow_from_those_before(scale: float) -> None:
    """Mean, covariance and the count of directions left are those that a look at the erased rows finds."""
    z, _, private = rows(7)
    z[:, 2] = scale  # a constant column; and one that is the label itself, of which nothing is left
    z[:, 3] = private == 1
    z = (scale * z).astype(np.float32)
    eraser = erase(z, np.eye(3)[private])
    told, seen = eraser.moments(moments(z)), moments(eraser.apply(z))
    assert eraser.rank == 2
    assert eraser.emptied[3]
    assert told.mean == pytest.approx(seen.mean, rel=1e-5, abs=1e-6 * scale)
    assert told.covariance == pytest.approx(seen.covariance, rel=1e-4, abs=1e-5 * scale**2)
    assert told.basis.matrix.shape == seen.basis.matrix.shape == (8, 5)
    assert told.scale[[2, 3]] == pytest.approx([1, 1])


@quick
@given(
    seed=st.integers(0, 999),
    rank=st.integers(1, 8),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
    constant=st.booleans(),
    few=st.booleans(),
)
def test_the_covariance_with_the_labels_is_zero_afterwards(
    *, seed: int, rank: int, scale: float, constant: bool, few: bool
) -> None:
    """Whatever the rank, the scale and the weights, n < d included: zero on the rows of the fit, and finite."""
    rng = np.random.default_rng(seed)
    z, target, private = rows(seed, n=6 if few else 200)
    z = (z[:, :rank] @ rng.standard_normal((rank, 8))) * scale
    if constant:
        z[:, 0] = 3.0 * scale
    z = z.astype(np.float32)
    weights = rng.random(len(z)).astype(np.float32)
    labels = within(private, target, 3, 3, weights)
    eraser = erase(z, labels, weights)
    erased = eraser.apply(z)
    assert np.isfinite(erased).all()
    assert crossed(z, erased, labels, weights) < 1e-4
    assert rank < 3 or few or crossed(z, z, labels, weights) > 0.02
    assert eraser.rank <= 2
    if constant:
        assert (erased[:, 0] == z[:, 0]).all()


def test_no_other_erasing_map_changes_z_less() -> None:
    """Every matrix P + N P erases as P does; none is nearer to z, in any direction."""
    z, _, private = rows(4)
    labels = np.eye(3)[private]
    eraser = erase(z, labels)
    mean, p = eraser.mean, np.eye(8) - eraser.left @ eraser.right
    centred = z - mean
    least = ((centred @ p.T - centred) ** 2).mean(axis=0)
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        other = p + size * rng.standard_normal((8, 8)) @ p
        assert np.abs((centred @ other.T).T @ (labels - labels.mean(0))).max() < 1e-7 * len(z)
        assert (((centred @ other.T - centred) ** 2).mean(axis=0) > least).all()


def test_a_hyperplane_is_blind_after_erasure_and_was_not_before() -> None:
    """Logistic regression, without penalty and with an intercept per target class, names one class for each target."""
    z, target, private = rows(5, n=1500)
    weights = balanced(target, private)
    erased = erase(z, within(private, target, 3, 3, weights), weights).apply(z)

    def distinct(features: np.ndarray) -> float:
        told = np.concatenate([features / features.std(0), np.eye(3)[target]], axis=1)
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(told, private, sample_weight=weights)
        return float(np.ptp(fitted.predict_proba(told)[target == 0], axis=0).max())

    assert distinct(erased) < 1e-3
    assert distinct(z) > 0.5


def balanced(target: np.ndarray, private: np.ndarray) -> np.ndarray:
    """Weights #y / #(y, v), as the attackers have them."""
    table = np.bincount(target * 3 + private, minlength=9).reshape(3, 3)
    return table.sum(1)[target] / table[target, private]


def test_a_quadratic_attacker_still_reads_what_a_hyperplane_cannot() -> None:
    """Erased z with an exclusive or in it: a hyperplane at chance on fresh rows, a quadratic rule far above it."""
    rng = np.random.default_rng(6)
    z = rng.standard_normal((4000, 6))
    private = (z[:, 0] * z[:, 1] > 0).astype(np.int64)
    z[:, 2] += private
    half = np.arange(4000) < 2000
    eraser = erase(z[half], np.eye(2)[private[half]])
    erased = eraser.apply(z)
    line = LogisticRegression().fit(erased[half], private[half])
    before = LogisticRegression().fit(z[half], private[half]).score(z[~half], private[~half])
    curves = (
        make_pipeline(PolynomialFeatures(2), LogisticRegression()),
        QuadraticDiscriminantAnalysis(reg_param=1e-3),
    )
    assert before > 0.65
    assert line.score(erased[~half], private[~half]) == pytest.approx(0.5, abs=0.05)
    for curve in curves:
        assert curve.fit(erased[half], private[half]).score(erased[~half], private[~half]) > 0.7


def test_erasing_inside_each_target_class_blinds_a_hyperplane_per_target() -> None:
    """A direction that turns with the target stays after the plain erasure, and goes with `each`."""
    rng = np.random.default_rng(7)
    target, private = rng.integers(0, 2, 3000), rng.integers(0, 2, 3000)
    z = rng.standard_normal((3000, 5))
    z[:, 0] += 2 * (2 * private - 1) * (2 * target - 1)

    def per_target(features: np.ndarray) -> float:
        here = target == 1
        return float(LogisticRegression().fit(features[here], private[here]).score(features[here], private[here]))

    plain = erase(z, within(private, target, 2, 2))
    each = erase(z, within(private, target, 2, 2, each=True))
    assert (plain.rank, each.rank) == (1, 2)
    assert per_target(plain.apply(z)) > 0.9
    assert per_target(each.apply(z)) < 0.55


def test_labels_beyond_the_target_are_zero_where_the_target_says_all() -> None:
    """In a target class with one private class nothing is beyond the target; rows without label are zero."""
    target, private = np.array([0, 0, 1, 1, 1, 0]), np.array([1, 1, 0, 1, 1, -1])
    labels = within(private, target, 2, 2)
    assert labels[[0, 1, 5]] == pytest.approx(0.0)
    assert labels[2] == pytest.approx([2 / 3, -2 / 3])


def test_erasure_fitted_on_the_scored_rows_too_is_read_backwards() -> None:
    """Why the map is fitted on training rows alone: with all rows in it a hyperplane is wrong on the others."""
    rng = np.random.default_rng(8)
    scores = {"all": [], "seen": []}
    for _ in range(10):
        z, private = rng.standard_normal((200, 60)), rng.integers(0, 2, 200)
        seen = np.arange(200) < 100
        for name, fitted in (("all", np.ones(200, bool)), ("seen", seen)):
            erased = erase(z[fitted], np.eye(2)[private[fitted]]).apply(z)
            line = LogisticRegression().fit(erased[seen], private[seen])
            scores[name].append(line.score(erased[~seen], private[~seen]))
    assert np.mean(scores["all"]) < 0.35
    assert np.mean(scores["seen"]) == pytest.approx(0.5, abs=0.06)


def test_what_is_erased_whole_is_constant() -> None:
    """One column that says the label leaves its mean and no trace in the last digits, whatever its offset."""
    rng = np.random.default_rng(9)
    private = rng.integers(0, 2, 300)
    for offset in (0.0, 1e-12, 1e6):
        z = (rng.standard_normal((300, 1)) + private[:, None] + offset).astype(np.float32)
        assert np.ptp(erase(z, np.eye(2)[private]).apply(z)) == 0.0
