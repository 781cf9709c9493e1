"""Numbers are guessed as well as their noise allows, and gains are counted above what the target says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from leakaudit.numerics import regression

quick = settings(max_examples=40, deadline=None, derandomize=True)
few = settings(max_examples=15, deadline=None, derandomize=True)
"""For what takes four bootstraps an example."""


def made(seed: int, n: int = 3000, d: int = 20, slope: float = 3.0) -> tuple[np.ndarray, ...]:
    """Values of a target class, a slope along one direction and unit noise: R^2 beyond the target is s^2/(1 + s^2)."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, n)
    x = rng.standard_normal((n, d)).astype(np.float32)
    direction = rng.standard_normal(d)
    values = 40 + 7 * target + slope * (x @ (direction / np.linalg.norm(direction))) + rng.standard_normal(n)
    return x, target, values


def guess(x: np.ndarray, target: np.ndarray, values: np.ndarray, seen: np.ndarray, **knobs: object) -> np.ndarray:
    """The unseen rows' values."""
    groups = np.arange(seen.sum())
    return regression.predict(
        x[seen], target[seen], values[seen], groups, x[~seen], target[~seen], strata=4, seed=0, **knobs
    )


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_ridge_reaches_what_the_noise_allows(slope: float) -> None:
    """R^2 above the target comes within .02 of s^2 / (1 + s^2), and the error near sqrt(2 / pi)."""
    x, target, values = made(1, 6000, slope=slope)
    seen = np.arange(6000) < 4000
    named = guess(x, target, values, seen)
    usual = regression.usual(target[seen], values[seen], 4)
    own = target[~seen]
    found = regression.score("ridge", named, named, values[~seen], usual.mean[own], usual.median[own], None, seed=0)
    assert found.r2.value == pytest.approx(slope**2 / (1 + slope**2), abs=0.02 + 0.03 / slope)
    assert found.mae.value == pytest.approx(np.sqrt(2 / np.pi), rel=0.05)
    assert found.mae_target == pytest.approx(np.sqrt(2 / np.pi * (1 + slope**2)), rel=0.05)
    assert found.gain.value == pytest.approx(found.mae_target - found.mae.value)
    assert found.gain.low > 0
    assert found.r2.low < found.r2.value < found.r2.high


def test_nothing_beyond_the_target_gains_nothing() -> None:
    """Where z says nothing, the guesses are the target classes' means, or as good, and no interval is above zero."""
    gains = []
    for seed in range(20):
        x, target, values = made(seed, 400, slope=0.0)
        seen = np.arange(400) < 300
        named = guess(x, target, values, seen)
        usual = regression.usual(target[seen], values[seen], 4)
        own = target[~seen]
        found = regression.score("ridge", named, named, values[~seen], usual.mean[own], usual.median[own], None, seed=0)
        gains.append(found.r2.low > 0)
        assert found.r2.value > -0.15
    assert sum(gains) <= 2


def test_slopes_are_scikit_learns_where_the_penalty_is_the_same() -> None:
    """Ridge on rows less their target class's mean, with penalty lambda n times the mean eigenvalue."""
    x, target, values = made(2, 500)
    sums = regression._sums(x, target, values, 4)
    scale = np.linspace(0.5, 2, 20)
    got = regression._ridge(sums, scale, np.array([0.3]), x, target)[:, 0]
    centres = np.stack([x[target == y].mean(0, dtype=np.float64) for y in range(4)])
    apart, means = (x - centres[target]) * scale, regression.usual(target, values, 4).mean
    alpha = 0.3 * np.linalg.eigvalsh(apart.T @ apart / 500).mean() * 500
    peer = Ridge(alpha=alpha, fit_intercept=False).fit(apart, values - means[target])
    assert got == pytest.approx(means[target] + peer.predict(apart), abs=1e-3)


def test_components_may_count_by_their_variance() -> None:
    """With fewer rows than components, a leak in leading ones is read better when the variance is known."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1160, 400)).astype(np.float32)
    values = x[:, :4].sum(1) + rng.standard_normal(1160)
    target, seen = np.zeros(1160, np.int64), np.arange(1160) < 160
    variance = 1.0 / np.arange(1, 401) ** 2

    def error(**knobs: object) -> float:
        return float(((guess(x, target, values.astype(np.float64), seen, **knobs) - values[~seen]) ** 2).mean())

    assert error(variance=variance) < 0.7 * error()


@quick
@given(
    seed=st.integers(0, 999),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
    n=st.integers(2, 12),
    constant=st.booleans(),
)
def test_every_question_has_a_finite_answer(*, seed: int, scale: float, n: int, constant: bool) -> None:
    """Few rows, one class or a class never seen, constant columns and values of any size: numbers in their range."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5)).astype(np.float32) * (not constant)
    values = rng.standard_normal(n) * scale
    target, asked = rng.integers(0, 2, n), np.array([0, 1, 2, 2])
    unseen = rng.standard_normal((4, 5)).astype(np.float32)
    named = regression.predict(x, target, values, rng.integers(0, 3, n), unseen, asked, strata=3, seed=0)
    assert np.isfinite(named).all()
    assert np.abs(named).max() < 1e3 * scale
    if constant:
        means = regression.usual(target, values, 3).mean
        assert named == pytest.approx(means[asked], rel=1e-9, abs=1e-12 * scale)


@few
@given(seed=st.integers(0, 999), shift=st.floats(-1e3, 1e3), unit=st.sampled_from([1e-3, 1.0, 12.0]))
def test_figures_are_exact_at_both_ends_and_keep_their_unit(seed: int, shift: float, unit: float) -> None:
    """Naming the target's usual value gains 0 and R^2 0; the truth has error 0 and R^2 1; units and origin follow."""
    rng = np.random.default_rng(seed)
    values, named = rng.standard_normal(50), rng.standard_normal(50)
    zeros = np.zeros(50)
    nothing = regression.score("ridge", zeros, zeros, values, zeros, zeros, None, seed=0)
    everything = regression.score("ridge", values, values, values, zeros, zeros, None, seed=0)
    assert (nothing.gain.value, nothing.r2.value) == (0, 0)
    assert (everything.mae.value, everything.r2) == (0, (1, 1, 1))
    one = regression.score("ridge", named, named, values, zeros, zeros, None, seed=0)
    moved = [part * unit + shift for part in (named, named, values, zeros, zeros)]
    other = regression.score("ridge", *moved, None, seed=0)
    assert np.array(other.mae) == pytest.approx(np.array(one.mae) * unit, rel=1e-6)
    assert np.array(other.r2) == pytest.approx(np.array(one.r2), rel=1e-6, abs=1e-6)


def test_rows_of_one_group_count_once() -> None:
    """Rows repeated nine times in groups of their own have the interval of one of each, and alone a third of it."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal(200)
    named, zeros = values + rng.standard_normal(200), np.zeros(200)

    def width(times: int, group: np.ndarray | None) -> float:
        parts = [np.repeat(part, times) for part in (named, named, values, zeros, zeros)]
        mae = regression.score("ridge", *parts, group, seed=0).mae
        return mae.high - mae.low

    assert width(9, np.repeat(np.arange(200), 9)) == pytest.approx(width(1, None), rel=1e-9)
    assert width(9, None) == pytest.approx(width(1, None) / 3, rel=0.2)


def test_intervals_are_widened_where_guesses_are_cross_fitted() -> None:
    """Bounds lie the square root of 2 further off, but never where no error and no share of it can be."""
    rng = np.random.default_rng(0)
    values, zeros = rng.standard_normal(60), np.zeros(60)
    named = values + 0.5 * rng.standard_normal(60)
    once, both = (
        regression.score("ridge", named, named, values, zeros, zeros, None, seed=0, doubled=doubled)
        for doubled in (False, True)
    )
    for one, other in ((once.mae, both.mae), (once.gain, both.gain), (once.r2, both.r2)):
        assert other == pytest.approx([one.value, *(one.value + 2**0.5 * (end - one.value) for end in one[1:])])
    wild = np.where(np.arange(60) < 58, values, values + 9)
    far = regression.score("ridge", wild, wild, values, zeros, zeros, None, seed=0, doubled=True)
    assert far.mae.low >= 0
    assert far.r2.high <= 1


def test_target_classes_without_error_leave_nothing_to_explain() -> None:
    """R^2 above a target that says everything is refused, not 1 or 0."""
    values = np.array([1.0, 1.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="leave no error"):
        regression.score("ridge", values, values, values, values, values, None, seed=0)


def test_bins_share_the_rows_and_ties_stay_together() -> None:
    """Quantile bins hold equal shares, each with its median; equal values are in one bin, and few values in few."""
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    codes, middles = regression.quantiles(values, 20)
    assert (np.bincount(codes) == 50).all()
    assert middles == pytest.approx(np.arange(20) * 50 + 24.5)
    codes, middles = regression.quantiles(np.array([3.0, 3, 3, 9, 9]), 20)
    assert (codes.tolist(), middles.tolist()) == ([0, 0, 0, 1, 1], [3.0, 9.0])


def test_a_distribution_over_bins_is_read_as_its_mean_and_median() -> None:
    """A sure bin names its middle; an even pair names half-way; the table of the target brings the prior back."""
    middles = np.array([0.0, 10.0, 20.0])
    asked, even = np.zeros(3, np.int64), np.array([[5, 5, 5]])
    chances = np.array([[0, 1, 0], [0.5, 0.5, 0], [0.2, 0.2, 0.6]])
    mean, median = regression.read(chances, middles, asked, even)
    assert mean == pytest.approx([10, 5, 14], abs=1e-6)
    assert median == pytest.approx([10, 5, 15], abs=1e-6)
    mean, median = regression.read(np.full((1, 3), 1 / 3), middles, asked[:1], np.array([[0, 0, 7]]))
    assert (mean[0], median[0]) == pytest.approx((20, 20), abs=1e-6)
