"""AUC and operating points are exact on ties, blind to the target, and refused where they cannot be known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from sklearn.metrics import roc_auc_score, roc_curve

from leakaudit import ranking

quick = settings(max_examples=60, deadline=None, derandomize=True)
Made = tuple[np.ndarray, np.ndarray, np.ndarray]


def binary(seed: int, n: int, shift: float, digits: int | None = None, strata: int = 3) -> Made:
    """Chances of two classes, their target classes and their labels; rounded, so that there are ties."""
    rng = np.random.default_rng(seed)
    target, private = rng.integers(0, strata, n), rng.integers(0, 2, n)
    private[:4], target[:4] = [0, 1, 0, 1], 0
    p = 1 / (1 + np.exp(-(rng.standard_normal(n) + shift * (private - 0.5))))
    p = p if digits is None else p.round(digits)
    return np.stack([1 - p, p], 1), target, private


@quick
@given(seed=st.integers(0, 9999), n=st.integers(10, 120), digits=st.sampled_from([None, 1, 0]))
def test_auc_is_scikit_learns_inside_each_target_class(seed: int, n: int, digits: int | None) -> None:
    """With two classes, ties or not: the mean of roc_auc_score over target classes by their rows."""
    chances, target, private = binary(seed, n, 1.0, digits)
    mixed = [y for y in range(3) if len(np.unique(private[target == y])) == 2]
    here = [target == y for y in mixed]
    expected = np.average([roc_auc_score(private[h], chances[h, 1]) for h in here], weights=[h.sum() for h in here])
    assert ranking.auc(chances, target, private).value == pytest.approx(expected, abs=1e-12)


@quick
@given(seed=st.integers(0, 9999), classes=st.integers(3, 5))
def test_auc_of_many_classes_is_one_against_the_rest_among_those_present(seed: int, classes: int) -> None:
    """Chances are shared out among the private classes of the target class before they are ranked."""
    rng = np.random.default_rng(seed)
    target = np.repeat([0, 1], 60)
    private = np.concatenate([rng.integers(0, classes, 60), rng.integers(0, classes - 1, 60)])
    chances = rng.dirichlet(np.ones(classes), 120).round(1) + 0.01
    parts = []
    for y in (0, 1):
        rows = target == y
        present = np.unique(private[rows])
        fair = chances[rows][:, present] / chances[rows][:, present].sum(1, keepdims=True)
        parts.append(np.mean([roc_auc_score(private[rows] == v, fair[:, i]) for i, v in enumerate(present)]))
    assert ranking.auc(chances, target, private).value == pytest.approx(np.mean(parts), abs=1e-12)


@quick
@given(seed=st.integers(0, 9999))
def test_what_the_target_says_is_worth_a_half(seed: int) -> None:
    """Chances that depend on the target alone have AUC 1/2, and name no more positives than negatives."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, 2000)
    private = (rng.random(2000) < np.array([0.1, 0.4, 0.6, 0.9])[target]).astype(np.int64)
    p = rng.random(4)[target]
    chances = np.stack([1 - p, p], 1)
    assert ranking.auc(chances, target, private).value == pytest.approx(0.5, abs=1e-12)
    for point in ranking.operating(chances, target, private, ("a", "b")):
        assert point.value is None or point.value.value <= ranking.RATE + 1e-12


@quick
@given(seed=st.integers(0, 9999), power=st.sampled_from([0.2, 3.0]))
def test_the_order_alone_counts(seed: int, power: float) -> None:
    """A growing change of the odds changes nothing; turning them round turns the AUC round 1/2."""
    chances, target, private = binary(seed, 80, 1.0)
    odds = chances**power
    bent = odds / odds.sum(1, keepdims=True)
    value = ranking.auc(chances, target, private).value
    assert ranking.auc(bent, target, private).value == pytest.approx(value, abs=1e-12)
    assert ranking.auc(chances[:, ::-1], target, private).value == pytest.approx(1 - value, abs=1e-12)


def test_the_interval_is_as_wide_as_the_bootstraps() -> None:
    """DeLong's variance agrees with resampling rows, within what 300 resamples can tell."""
    chances, target, private = binary(1, 400, 1.0)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(300):
        rows = rng.integers(400, size=400)
        drawn.append(ranking.auc(chances[rows], target[rows], private[rows]).value)
    assert np.sqrt(ranking.auc(chances, target, private).variance) == pytest.approx(np.std(drawn), rel=0.15)


def test_the_interval_covers_the_truth() -> None:
    """Two unit Gaussians sqrt 2 apart have AUC Phi(1); nominal 95 % intervals hold it in 93 % or more of 400 trials."""
    held = []
    for seed in range(400):
        chances, target, private = binary(seed, 120, np.sqrt(2), strata=2)
        _, low, high = ranking.auc(chances, target, private).interval
        held.append(low <= ndtr(1.0) <= high)
    assert np.mean(held) >= 0.93


def test_perfect_order_has_an_interval_all_the_same() -> None:
    """Where every row is in order the AUC is 1, known no better than so many rows allow."""
    chances, target, private = binary(2, 60, 1.0, strata=1)
    chances = np.eye(2)[private] * 0.8 + 0.1
    value, low, high = ranking.auc(chances, target, private).interval
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(0.025 ** (1 / min(np.bincount(private))), abs=1e-9)


def test_copies_in_one_group_add_nothing() -> None:
    """Rows repeated eight times in a group of their own are known as well as one of each, and alone better."""
    chances, target, private = binary(3, 900, 1.0)
    copied = [np.repeat(part, 8, axis=0) for part in (chances, target, private)]
    one, alone = ranking.auc(chances, target, private), ranking.auc(*copied)
    together = ranking.auc(*copied, np.repeat(np.arange(900), 8))
    assert together.value == pytest.approx(one.value, abs=1e-12)
    assert together.variance == pytest.approx(one.variance, rel=0.1)
    assert alone.variance == pytest.approx(one.variance / 8, rel=0.1)
    assert ranking.auc(*copied, doubled=True).variance == pytest.approx(2 * alone.variance)


def test_a_target_class_that_tells_all_is_left_out() -> None:
    """Rows beside which no other private class stands change nothing; where there are only such, nothing is said."""
    chances, target, private = binary(4, 100, 1.0)
    more = np.concatenate([target, np.full(30, 3)]), np.concatenate([private, np.ones(30, np.int64)])
    padded = np.concatenate([chances, np.full((30, 2), 0.5)])
    assert ranking.auc(padded, *more).value == pytest.approx(ranking.auc(chances, target, private).value)
    with pytest.raises(ValueError, match="no target class"):
        ranking.auc(chances, target * 0, private * 0)


@quick
@given(seed=st.integers(0, 9999), digits=st.sampled_from([None, 2, 1]))
def test_the_operating_point_is_on_scikit_learns_curve(seed: int, digits: int | None) -> None:
    """With one target class: the largest true positive rate of roc_curve at 1 % false positives or fewer."""
    chances, target, private = binary(seed, 1000, 2.0, digits, strata=1)
    false, true, _ = roc_curve(private, chances[:, 1], drop_intermediate=False)
    point = ranking.operating(chances, target, private, ("a", "b"))[1]
    assert point.private == "b"
    assert point.negatives == (private == 0).sum()
    assert point.value is not None
    assert point.value.value == pytest.approx(true[false <= 0.01].max(), abs=1e-12)
    assert point.value.low <= point.value.value <= point.value.high


@pytest.mark.parametrize(("gap", "n"), [(1.5, 2000), (1.5, 800), (3.0, 2000)])
def test_the_operating_points_interval_knows_its_threshold(gap: float, n: int) -> None:
    """
    Unit Gaussians `gap` apart: nominal 95 % intervals hold the rate at the true threshold in 93 % or more of trials.

    With the threshold taken as known they would hold it in hardly more than half of them.
    """
    true, held, narrow = 1 - ndtr(ndtri(0.99) - gap), [], []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        private, target = rng.integers(0, 2, n), rng.integers(0, 3, n)
        p = 1 / (1 + np.exp(-rng.standard_normal(n) - gap * private))
        point = ranking.operating(np.stack([1 - p, p], 1), target, private, ("a", "b"))[1].value
        assert point is not None
        held.append(point.low <= true <= point.high)
        half = 1.96 * np.sqrt(point.value * (1 - point.value) / (n / 2))
        narrow.append(abs(point.value - true) <= half)
    assert np.mean(held) >= 0.93
    assert np.mean(narrow) < 0.8


def test_an_operating_point_is_refused_below_299_negatives() -> None:
    """298 negatives give a reason and no number, 299 a number; groups count instead of rows."""
    for count, known in ((298, False), (299, True)):
        private = np.repeat([0, 1], [count, 400])
        p = np.linspace(0, 1, len(private))
        target = np.zeros(len(private), np.int64)
        chances = np.stack([1 - p, p], 1)
        point = ranking.operating(chances, target, private, ("a", "b"))[1]
        assert (point.value is not None, point.negatives) == (known, count)
        assert point.note.startswith("refused: 298 negatives, 299 are needed") is not known
        grouped = ranking.operating(chances, target, private, ("a", "b"), np.arange(len(private)) // 2)[1]
        assert grouped.value is None


def test_a_class_that_is_alone_in_its_target_classes_has_no_operating_point() -> None:
    """A private class found beside no other has no negatives; the others keep theirs."""
    chances, target, private = binary(5, 1000, 2.0, strata=1)
    target, private = np.concatenate([target, np.ones(50, np.int64)]), np.concatenate([private, np.full(50, 2)])
    three = np.concatenate([np.pad(chances, ((0, 0), (0, 1))), np.eye(3)[np.full(50, 2)]])
    points = ranking.operating(three, target, private, ("a", "b", "c"))
    assert [point.value is None for point in points] == [False, False, True]
    assert points[2].note.startswith("refused")


def test_uneven_weights_make_negatives_worth_less() -> None:
    """Negatives that are few in a common target class are worth fewer rows than there are."""
    rng = np.random.default_rng(0)
    target = np.repeat([0, 1], [2000, 500])
    private = np.concatenate([rng.random(2000) < 0.99, rng.random(500) < 0.2]).astype(np.int64)
    p = rng.random(2500)
    point = ranking.operating(np.stack([1 - p, p], 1), target, private, ("a", "b"))[1]
    assert point.negatives < 0.2 * (private == 0).sum()
    assert point.value is None
