"""Attractors: counts agree with what is counted by hand, the plane is a true picture, and chance is chance."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from leakaudit.finding import Bottleneck
from leakaudit.numerics import attractors as module
from leakaudit.numerics import planes
from leakaudit.numerics.attractors import Views, attractors
from leakaudit.numerics.moments import moments


def found(rows: Views, usual: np.ndarray | None = None, seed: int = 0) -> Bottleneck:
    """What is found of these rows."""
    return attractors(rows, usual, moments(rows.z), np.random.default_rng(seed))


def views(n: int = 400, *, width: int = 5, drawn: float = 0.0, seed: int = 0, targets: int = 3) -> Views:
    """
    Rows around a mean per target class; private classes are dealt at random, four of five as the target class goes.

    A row of another private class than its target's is moved with probability `drawn` to the class that goes with it,
    and one in ten rows is moved anywhere; the model names where it was moved to, or in one row of twenty anything.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, targets, n)
    v = np.where(rng.random(n) < 0.8, y, rng.integers(0, targets, n))
    means = 6 * np.eye(targets, width)
    at = np.where(rng.random(n) < drawn, v, y)
    at = np.where(rng.random(n) < 0.1, rng.integers(0, targets, n), at)
    z = (means[at] + rng.standard_normal((n, width))).astype(np.float32)
    named = np.where(rng.random(n) < 0.05, rng.integers(0, targets, n), at)
    return Views(z, y, named, v, targets, targets, None)


@pytest.mark.parametrize("usual", [None, np.array([2, 0, 1])])
def test_every_count_is_that_of_a_loop_over_the_rows(usual: np.ndarray | None) -> None:
    """Misclassified, nearest elsewhere, and of the dominant private class there, row by row from the definitions."""
    rows = views(drawn=0.5)
    spread = 2 * np.random.default_rng(1).standard_normal(rows.z.shape)  # centroids of unlike length, rows between them
    rows = replace(rows, z=(rows.z * [3, 1, 1, 1, 1] + spread).astype(np.float32))
    made = found(rows, usual)
    centroids = [rows.z[rows.target == y].mean(axis=0) for y in range(3)]
    dominant = [np.bincount(rows.private[rows.target == y]).argmax() for y in range(3)] if usual is None else usual
    wrong = away = shared = 0
    drawn, same = [0, 0, 0], [0, 0, 0]
    for z, y, named, v in zip(rows.z, rows.target, rows.named, rows.private, strict=True):
        if named == y:
            continue
        wrong += 1
        near = int(np.argmin([np.linalg.norm(z - c) for c in centroids]))
        if near != y:
            away += 1
            drawn[near] += 1
            same[near] += dominant[near] == v
            shared += dominant[near] == v
    assert (made.rows, made.wrong, made.away, made.shared) == (400, wrong, away, shared)
    assert [place.drawn for place in made.centroids] == drawn
    assert [place.shared for place in made.centroids] == same
    assert [place.dominant for place in made.centroids] == list(dominant)
    assert made.trained == (usual is not None)
    assert 0 < shared < away < wrong < 400 or usual is not None


def test_chance_is_the_mean_over_every_permutation() -> None:
    """Within target classes, among all rows: all permutations, tried one by one, give the mean and p."""
    z = np.array([[0], [0], [0], [0], [9], [9], [9], [9], [9], [0]], np.float32)
    target, private = np.repeat([0, 1], [6, 4]), np.array([0, 0, 2, 1, 1, 1, 1, 1, 2, 0])
    rows = Views(z, target, (z[:, 0] > 4).astype(np.int64), private, 2, 3, None)
    of_zero = [sum(v == 1 for v in order[4:]) for order in permutations(private[:6])]
    of_one = [int(order[3] == 0) for order in permutations(private[6:])]
    counts = np.add.outer(of_zero, of_one)
    for group in (None, np.arange(10)):
        made = found(replace(rows, group=group), np.array([0, 1]))
        assert (made.wrong, made.away, made.shared, made.draws) == (3, 3, 3, 999)
        assert made.chance == pytest.approx(counts.mean(), abs=4 * counts.std() / 999**0.5)
        assert made.p == pytest.approx((counts >= 3).mean(), abs=4 * 0.2 / 999**0.5)


@pytest.mark.parametrize("targets", [2, 3])
def test_p_is_small_where_the_private_attribute_draws_and_not_where_chance_does(targets: int) -> None:
    """Of 200 worlds in which rows are moved anywhere, at most 5 % give p <= .05 (and 2.6 s.e.); drawn ones all do."""
    nothing = [found(views(150, seed=seed, targets=targets), seed=seed).p for seed in range(200)]
    assert np.mean(np.array(nothing) <= 0.05) <= 0.05 + 2.6 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(nothing) > 0.4
    assert max(found(views(300, drawn=0.5, seed=seed, targets=targets)).p for seed in range(5)) < 0.01


def test_three_centroids_lie_in_the_plane_as_they_do_in_z() -> None:
    """Their distances are those in z, but for one scale, and the plane holds all variance between them."""
    rows = views(width=7)
    made = found(rows)
    centroids = np.array([rows.z[rows.target == y].mean(axis=0) for y in range(3)])
    at = np.array([(place.x, place.y) for place in made.centroids])
    scale = {
        round(float(np.linalg.norm(at[i] - at[j]) / np.linalg.norm(centroids[i] - centroids[j])), 4)
        for i, j in ((0, 1), (0, 2), (1, 2))
    }
    assert max(scale) - min(scale) < 2e-3 * max(scale)
    assert made.between == pytest.approx(1)
    assert 0 < made.share < 1
    assert (at > 0).all()
    assert (at < made.cells).all()


def test_two_classes_leave_the_second_axis_to_the_rows() -> None:
    """Centroids on a line: the plane is the line and the direction at right angles along which rows vary most."""
    rng = np.random.default_rng(0)
    target = np.arange(600) % 2
    z = rng.standard_normal((600, 4)) * [1, 1, 5, 1]
    z[:, 0] += 20 * target
    plane, between = planes.leading(np.array([[0, 0, 0, 0], [20, 0, 0, 0]], float), np.array([0.5, 0.5]),
                                   moments(z.astype(np.float32)))  # fmt: skip
    assert plane.T @ plane == pytest.approx(np.eye(2), abs=1e-9)
    assert abs(plane[0, 0]) == pytest.approx(1)
    assert abs(plane[2, 1]) > 0.99
    assert between == pytest.approx(1)


def test_marks_are_counts_by_cell_and_at_most_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every misclassified row is in one cell, or a lot is drawn by the seed; a row's place in the file is not said."""
    rows = views(drawn=0.5)
    made = found(rows)
    assert sum(mark[-1] for mark in made.marks) == made.wrong
    assert {mark[:2] for mark in made.marks} <= {(x, y) for x in range(made.cells) for y in range(made.cells)}
    turned = np.random.default_rng(1).permutation(400)
    other = replace(rows, **{name: getattr(rows, name)[turned] for name in ("z", "target", "named", "private")})
    assert sorted(found(other).marks) == sorted(made.marks)
    monkeypatch.setattr(module, "MOST", 20)
    few = found(rows)
    assert sum(mark[-1] for mark in few.marks) == 20
    assert few.marks != found(rows, seed=1).marks
    assert (few.wrong, few.away, few.shared) == (made.wrong, made.away, made.shared)


@pytest.mark.parametrize(
    "change", [lambda z: z + 100, lambda z: 1e-3 * z, lambda z: z @ np.linalg.qr(np.vander(np.arange(1.0, 6)))[0]]
)
def test_place_unit_and_turn_of_the_bottleneck_do_not_matter(change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Moved, scaled or turned, the counts are the same, and centroids stand in the same places but for a turn."""
    rows = views(drawn=0.5)
    one, other = found(rows), found(replace(rows, z=change(rows.z.astype(np.float64)).astype(np.float32)))
    for name in ("wrong", "away", "shared", "chance", "p"):
        assert getattr(one, name) == getattr(other, name)
    assert other.between == pytest.approx(one.between, abs=1e-4)
    assert other.share == pytest.approx(one.share, abs=1e-4)


def test_rows_of_one_group_are_not_counted_as_so_many() -> None:
    """Twenty copies of each of a few rows say less than as many rows: p is larger once their groups are known."""
    rows = views(30, drawn=0.3, seed=2)
    many = replace(
        rows, **{name: np.repeat(getattr(rows, name), 20, axis=0) for name in ("z", "target", "named", "private")}
    )
    grouped = replace(many, group=np.repeat(np.arange(30), 20))
    assert found(many).shared == found(grouped).shared > 0
    assert found(many).p == 0.001
    assert found(grouped).p > 0.005


def test_a_model_without_mistakes_has_centroids_alone() -> None:
    """No row is drawn anywhere, and nothing is made of it."""
    rows = views()
    made = found(replace(rows, named=rows.target))
    assert (made.wrong, made.away, made.shared, made.chance, made.p, made.marks) == (0, 0, 0, 0.0, 1.0, ())
    assert len(made.centroids) == 3


@pytest.mark.parametrize("width", [1, 2])
def test_a_bottleneck_of_one_number_is_drawn_on_a_line(width: int) -> None:
    """With one column there is no second direction; with two there is."""
    rows = replace(views(width=3), z=views(width=3).z[:, :width])
    ups = {place.y for place in found(rows).centroids}
    assert (len(ups) == 1) == (width == 1)


def test_of_many_classes_those_with_the_most_mistakes_are_drawn() -> None:
    """At most so many centroids, classes without rows among none of them."""
    rows = views(3000, width=60, drawn=0.5, targets=50)
    kept = rows.target != 7
    part = {name: getattr(rows, name)[kept] for name in ("z", "target", "named", "private")}
    made = found(replace(rows, **part))
    wrong = np.bincount(part["target"][part["target"] != part["named"]], minlength=50)
    assert len(made.centroids) == module.PLACES
    assert 7 not in {place.target for place in made.centroids}
    assert min(place.wrong for place in made.centroids) >= np.sort(wrong)[-module.PLACES]


def test_a_tie_leaves_a_class_without_a_dominant_one() -> None:
    """Where two private classes have as many rows neither dominates, and no row shares it."""
    rows = views()
    even = replace(
        rows, private=np.arange(400) % 2, target=np.repeat([0, 1], 200), named=np.repeat([1, 0], 200), targets=2
    )
    made = found(even)
    assert {place.dominant for place in made.centroids} == {None}
    assert made.shared == 0
    assert made.p == 1.0


FEW = views(90, drawn=0.5)
CASES = {
    "as it is": FEW,
    "in groups": replace(FEW, group=np.arange(90) // 3),
    "two classes": views(90, drawn=0.5, targets=2),
    "one number": replace(FEW, z=FEW.z[:, :1]),
    "two numbers": replace(FEW, z=FEW.z[:, :2]),
    "one mistake": replace(FEW, named=np.where(np.arange(90) == 7, (FEW.target + 1) % 3, FEW.target)),
    "no mistake": replace(FEW, named=FEW.target),
    "wide": replace(FEW, z=np.random.default_rng(0).standard_normal((90, 200)).astype(np.float32)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_plane_changes_no_count(case: str) -> None:
    """Nearest, drawn, shared, chance and p are those of the whole bottleneck, whatever plane it is drawn on."""
    rows = CASES[case]
    shown = {name: attractors(rows, None, moments(rows.z), np.random.default_rng(0), name) for name in planes.NAMES}
    for name, made in shown.items():
        assert made.projection == name
        assert (made.mapped > 0) == (name == "tsne")
        places = np.array([(place.x, place.y) for place in made.centroids])
        assert np.isfinite(places).all()
        assert ((places >= 0) & (places <= made.cells)).all()
        assert sum(mark[-1] for mark in made.marks) == made.wrong
        for field in ("rows", "wrong", "away", "shared", "chance", "p", "draws", "trained"):
            assert getattr(made, field) == getattr(shown["pca"], field)
        counted = [replace(place, x=0.0, y=0.0) for place in made.centroids]
        assert counted == [replace(place, x=0.0, y=0.0) for place in shown["pca"].centroids]
    if case == "as it is":
        drawn = [[(place.x, place.y) for place in made.centroids] for made in shown.values()]
        assert drawn[0] != drawn[1] != drawn[2]


def test_discriminants_are_those_of_the_rows_that_are_shown() -> None:
    """Where the moments known are those of more rows, the scatter within is found anew."""
    rows = views()
    more = moments(np.concatenate([rows.z, rows.z + 50]))
    of_more, own = (attractors(rows, None, known, np.random.default_rng(0), "lda") for known in (more, moments(rows.z)))
    assert of_more.between == pytest.approx(own.between, abs=1e-6)
