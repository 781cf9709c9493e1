"""Agreement of two namings: adjusted for chance, blind to names, and counted where it is hard."""

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from leakaudit.numerics.agreement import agreement, conflicting, matched

NONE = np.zeros(0, np.int64)


def entropy(*columns: list[int]) -> float:
    """In nats, of one naming or of several together."""
    counts = Counter(zip(*columns, strict=True)).values()
    return -sum(n / len(columns[0]) * math.log(n / len(columns[0])) for n in counts)


def information(one: list[int], other: list[int]) -> float:
    """Mutual information in nats."""
    return entropy(one) + entropy(other) - entropy(one, other)


def test_information_is_adjusted_by_its_mean_over_all_permutations() -> None:
    """Vinh et al.: (I - E I) / (mean entropy - E I), the expectation over every way to pair the rows."""
    guess, truth = [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 0]
    chance = np.mean([information(list(order), truth) for order in permutations(guess)])
    top = (entropy(guess) + entropy(truth)) / 2
    expected = (information(guess, truth) - chance) / (top - chance)
    found = agreement(np.array(guess), np.array(truth), np.zeros(6, np.int64))
    assert found.information == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("names", "classes"), [(4, 4), (3, 5), (5, 3)])
def test_the_matching_is_the_best_of_all(names: int, classes: int) -> None:
    """As many rows agree as under the best of all one-to-one matchings, tried one by one."""
    random = np.random.default_rng(names)
    truth = random.integers(0, classes, 60)
    guess = np.where(random.random(60) < 0.5, truth, random.integers(0, names, 60)) % names
    guess[:names] = np.arange(names)
    truth[-classes:] = np.arange(classes)
    wide = range(max(names, classes))
    best = max(sum(order[g] == t for g, t in zip(guess, truth, strict=True)) for order in permutations(wide))
    assert int(matched(guess, truth).sum()) == best


def test_names_mean_nothing_and_partitions_everything() -> None:
    """A renamed truth agrees in full; unrelated guesses are near 0 and near the commonest class's share."""
    random = np.random.default_rng(0)
    truth, target = random.integers(0, 4, 2000), random.integers(0, 3, 2000)
    full = agreement((truth + 1) % 4, truth, target)
    assert (full.rows, full.accuracy, full.conflicting_accuracy) == (2000, 1.0, 1.0)
    assert full.information == pytest.approx(1)
    nothing = agreement(random.integers(0, 4, 2000), truth, target)
    assert nothing.information == pytest.approx(0, abs=0.01)
    assert nothing.accuracy == pytest.approx(0.25, abs=0.05)


def test_conflicting_rows_are_those_whose_class_is_not_their_targets_commonest() -> None:
    """A guess of the target itself is right on all others and wrong on all of these."""
    target = np.repeat([0, 1], 10)
    truth = target.copy()
    truth[[3, 14, 15]] = 1 - truth[[3, 14, 15]]
    assert np.flatnonzero(conflicting(truth, target)).tolist() == [3, 14, 15]
    found = agreement(target, truth, target)
    assert (found.conflicting, found.conflicting_accuracy, found.accuracy) == (3, 0.0, 17 / 20)
    assert agreement(truth, truth, target).conflicting_accuracy == 1.0


def test_rows_without_truth_or_guess_are_left_out() -> None:
    """They change nothing; where no row is left every figure is None."""
    truth, target = np.array([0, 1, 1, 0, -1, 1]), np.array([0, 1, 1, 0, 0, 0])
    guess = np.array([1, 0, 0, 1, 1, -1])
    assert agreement(guess, truth, target) == agreement(guess[:4], truth[:4], target[:4])
    for empty in (agreement(guess, np.full(6, -1), target), agreement(NONE, NONE, NONE)):
        assert empty == (0, None, None, 0, None)
    whole = agreement(guess[:4], truth[:4], target[:4])
    assert (whole.conflicting, whole.conflicting_accuracy) == (0, None)
