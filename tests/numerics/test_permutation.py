"""The permutation test is exact, sees what it is there to see, and its short cuts give the numbers of the long way."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from leakaudit import stats
from leakaudit.numerics import orbit, permutation
from leakaudit.numerics.cues import Cues, cues
from leakaudit.numerics.moments import moments
from leakaudit.numerics.permutation import Permuted

REPLICATES = 150


def rows(n: int, width: int, rng: np.random.Generator, strata: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whitened components, their variance, and a target that the first of them tells."""
    target = rng.integers(0, strata, n)
    z = rng.standard_normal((n, width)) * np.arange(1, width + 1) ** -0.25
    z[:, 0] += 2 * target
    known = moments(z.astype(np.float32))
    return known.basis.components(z.astype(np.float32)), known.basis.variance, target


def ask(
    x: np.ndarray, variance: np.ndarray, target: np.ndarray, labels: np.ndarray, group: np.ndarray | None = None,
    *, classes: int = 2, draws: int = 99, seed: int = 0,
) -> list[Permuted]:  # fmt: skip
    """The test of labels of the same count of classes."""
    labels = np.atleast_2d(labels)
    return permutation.test(
        x, variance, target, int(target.max()) + 1, labels, (classes,) * len(labels), group, draws=draws, seed=seed
    )


LEAKS = {
    "linear": lambda x, sign: x[:, 4] + 0.3 * sign[0],
    "class-dependent": lambda x, sign: x[:, 4] + 0.3 * sign[0] * sign[1],
    "product": lambda x, sign: x[:, 4] + 0.5 * sign[0] * x[:, 6],
    "scale": lambda x, sign: x[:, 4] * np.exp(0.25 * sign[0]),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_every_kind_of_leak_is_found(leak: str) -> None:
    """A shift, one whose sign turns with the target, a product and a scale: each is found; without it nothing is."""
    rng = np.random.default_rng(5)
    x, variance, target = rows(1500, 24, rng)
    private = rng.integers(0, 2, 1500)
    assert ask(x, variance, target, private)[0].p > 0.05
    x[:, 4] = LEAKS[leak](x, 2 * np.stack([private, target]) - 1)
    found = ask(x, variance, target, private)[0]
    assert found.p == 0.01
    assert (found.family.startswith("quadratic")) == (leak in {"product", "scale"})


@pytest.mark.parametrize("world", ["plain", "confounded", "ten classes", "missing", "whole groups", "mixed groups"])
def test_false_alarms_are_as_rare_as_p_says(world: str) -> None:
    """Without a leak p is at or under .1 in a tenth of audits: within three standard errors, .073."""
    rng, low = np.random.default_rng(7), 0
    for number in range(REPLICATES):
        x, variance, target = rows(240, 8, rng)
        group = None
        private = rng.integers(0, 10 if world == "ten classes" else 2, 240)
        if world == "confounded":
            private = np.where(rng.random(240) < 0.9, target, 1 - target)
        if world == "missing":
            private[rng.random(240) < 1 / (1 + np.exp(-2 * x[:, 3]))] = -1
        if world.endswith("groups"):
            group = np.arange(240) // 6
            x += rng.standard_normal((40, 8))[group].astype(np.float32)
            private = np.where(rng.random(240) < (0.0 if world == "whole groups" else 0.2), private, private[group * 6])
        classes = 10 if world == "ten classes" else 2
        low += ask(x, variance, target, private, group, classes=classes, draws=19, seed=number)[0].p <= 0.1
    assert abs(low / REPLICATES - 0.1) <= 3 * np.sqrt(0.09 / REPLICATES)


def test_groups_are_not_taken_for_rows() -> None:
    """Rows that are alike inside groups, asked without groups, raise false alarms: groups are what keeps p honest."""
    rng, low = np.random.default_rng(7), [0, 0]
    for number in range(40):
        x, variance, target = rows(240, 8, rng)
        group = np.arange(240) // 6
        x += 2 * rng.standard_normal((40, 8))[group].astype(np.float32)
        private = rng.integers(0, 2, 40)[group]
        for i, each in enumerate((group, None)):
            low[i] += ask(x, variance, target, private, each, draws=19, seed=number)[0].p <= 0.05
    assert low[0] <= 6
    assert low[1] >= 20


def long_way(seen: Cues, labels: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """Every family's statistic by its definition: products of all pairs of rows, pooled and inside target classes."""
    phi = seen.of(np.arange(len(target)))[:, : seen.count].astype(np.float64)
    together, alone = 0.0, 0.0
    for c in range(1 if count == 2 else 0, count):
        hit = (labels == c).astype(np.float64)
        error = hit - np.array([hit[target == y].mean() for y in range(2)])[target]
        pairs = np.outer(error, error) * (1 - np.eye(len(target)))
        values = [(pairs * ((phi * weight) @ phi.T)) for weight in seen.weights]
        inside = target[:, None] == target
        together = together + np.array([each.sum() for each in values]) / hit.mean()
        alone = alone + np.array([(each * inside).sum() for each in values]) / hit.mean()
    return np.concatenate([together, alone])


@pytest.mark.parametrize("count", [2, 3])
def test_moments_give_the_ridge_that_leaves_each_row_out(count: int) -> None:
    """The statistic is the sum over pairs of different rows of e_i e_j u_i' W u_j, as computed pair by pair."""
    rng = np.random.default_rng(0)
    x, variance, target = rows(90, 6, rng)
    private = rng.integers(0, count, 90)
    seen = cues(x, variance, target, 2)
    columns, _ = permutation._columns(private[None], (count,))
    parts = permutation._traded(permutation._units(seen, np.arange(90), None), columns, 3, 0)
    values = permutation._statistics(seen, parts, True)[0][:, 0] / columns.mean(axis=0)
    wanted = long_way(seen, private, target, count)
    assert values.sum(axis=1) == pytest.approx(wanted, rel=1e-3, abs=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("units", [64, 100, 37, 3])
def test_shifts_by_fourier_transform_are_shifts(units: int) -> None:
    """Moments of all shifts equal those of labels moved by hand along each layer, remainders modulo their length."""
    rng = np.random.default_rng(units)
    phi = rng.standard_normal((200, 5)).astype(np.float32)
    columns = rng.integers(0, 2, (200, 3)).astype(np.int8)
    order, slots = rng.permutation(200)[:units], 32
    fast, sums = orbit.cyclic(lambda some: phi[some], order, columns, slots)
    source = np.tile(np.arange(200)[:, None], (1, slots))
    lengths = []
    for layer in orbit.layers(order, slots):
        for line in layer:
            lengths.append(len(line))
            for shift in range(slots):
                source[line, shift] = np.roll(line, -shift)
    assert sum(lengths) == units
    slow, _ = orbit.explicit(lambda some: phi[some], order, columns, source[order])
    assert fast == pytest.approx(slow, abs=1e-4)
    assert sums == pytest.approx(phi[order].sum(axis=0, dtype=np.float64))


def test_many_rows_take_shifts_and_few_take_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shifts and permutations agree on what is there and what is not; strata smaller than the shifts are permuted."""
    rng = np.random.default_rng(2)
    x, variance, _ = rows(1200, 12, rng)
    target = (np.arange(1200) < 100).astype(np.int64)
    private = rng.integers(0, 2, (2, 1200))
    x[:, 5] += 0.3 * (2 * private[0] - 1)
    plain = ask(x, variance, target, private, draws=100)
    called = []
    monkeypatch.setattr(permutation, "CYCLIC", 1.0)
    shifts = orbit.cyclic
    monkeypatch.setattr(orbit, "cyclic", lambda *args: called.append(len(args[1])) or shifts(*args))
    turned = ask(x, variance, target, private, draws=100)
    assert called == [1100]
    assert [each.relabellings for each in (*plain, *turned)] == [101, 101, 128, 128]
    assert plain[0].p == 1 / 101
    assert turned[0].p == 1 / 128
    assert min(plain[1].p, turned[1].p) > 0.05
    # the labels as they are: their statistics differ only by the spread that each set of relabellings measures
    assert turned[0].statistic == pytest.approx(plain[0].statistic, rel=0.4)


def test_shifts_raise_no_more_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under shifts p is at or under .125 in an eighth of audits: within three standard errors."""
    monkeypatch.setattr(permutation, "CYCLIC", 1.0)
    rng, low = np.random.default_rng(3), 0
    for number in range(REPLICATES):
        x, variance, target = rows(150, 8, rng)
        found = ask(x, variance, target, rng.integers(0, 2, 150), draws=15, seed=number)[0]
        assert found.relabellings == 16
        low += found.p <= 0.125
    assert abs(low / REPLICATES - 0.125) <= 3 * np.sqrt(0.125 * 0.875 / REPLICATES)


def test_an_attribute_is_tested_as_if_it_were_alone() -> None:
    """Other attributes asked along, with labels on other rows or other counts of classes, change nothing."""
    rng = np.random.default_rng(1)
    x, variance, target = rows(300, 10, rng)
    labels = np.stack([rng.integers(0, 2, 300), rng.integers(0, 3, 300), rng.integers(0, 2, 300)])
    labels[2, ::3] = -1
    group = np.arange(300) // 3
    for each in (None, group):
        together = permutation.test(x, variance, target, 2, labels, (2, 3, 2), each, draws=49, seed=4)
        for a, count in enumerate((2, 3, 2)):
            alone = permutation.test(x, variance, target, 2, labels[a : a + 1], (count,), each, draws=49, seed=4)[0]
            assert together[a].p == alone.p
            assert together[a].statistic == pytest.approx(alone.statistic, rel=1e-4)
            assert together[a].rows == (200 if a == 2 else 300)


def test_whole_groups_trade_as_redraw_has_them() -> None:
    """Groups with one label each keep whole, trade at most among those of one commonest target, and sum their rows."""
    rng = np.random.default_rng(6)
    x, variance, target = rows(120, 5, rng)
    group = rng.integers(0, 30, 120)
    private = rng.integers(0, 2, 30)[group]
    seen = cues(x, variance, target, 2)
    index = np.unique(group, return_inverse=True)[1]
    units = permutation._units(seen, np.arange(120), index)
    drawn = stats.redraw(target, private, group, np.random.default_rng(0))
    commonest = np.array([np.bincount(target[index == g], minlength=2).argmax() for g in range(index.max() + 1)])
    assert all(len(set(commonest[units.stratum == s])) == 1 for s in np.unique(units.stratum))
    for s in (0, 1):
        assert np.bincount(drawn[units.member][commonest == s], minlength=2).tolist() == np.bincount(
            private[units.member][commonest == s], minlength=2
        ).tolist()  # fmt: skip
    by_row = seen.of(np.arange(120))[:, : seen.count]
    for part, (g, y) in enumerate(zip(units.unit, units.target, strict=True)):
        inside = (index == g) & (target == y)
        assert units.features(np.array([part]))[0, : seen.count] == pytest.approx(by_row[inside].sum(axis=0), abs=1e-3)
        assert units.features(np.array([part]))[0, -1] == inside.sum()


def test_rows_of_mixed_groups_trade_as_redraw_has_them() -> None:
    """A row gets the label of a row of its target, in the one group that its group trades with where that has any."""
    rng = np.random.default_rng(6)
    target, group = rng.integers(0, 3, 200), rng.integers(0, 25, 200)
    source = orbit.trades(target, group, 300, rng)
    table = stats.tabulate(group, target, 25, 3)
    assert (source[:, 0] == np.arange(200)).all()
    assert (target[source] == target[:, None]).all()
    for drawn in source.T[1:]:
        for g in range(25):
            mine = group == g
            partners = [
                h for h in range(25)
                if table[h].argmax() == table[g].argmax()
                and all((group[drawn[mine & (target == y)]] == h).all() for y in range(3) if table[h, y])
            ]  # fmt: skip
            assert partners
    # 25 groups in three strata: a group keeps its own labels about every eighth time
    assert 0.04 < (source[:, 1:] == np.arange(200)[:, None]).mean() < 0.25


def test_features_are_white_inside_target_classes() -> None:
    """Linear and quadratic features have mean zero in each target class, and covariance 1 inside them."""
    rng = np.random.default_rng(0)
    x, variance, target = rows(4000, 20, rng, strata=3)
    seen = cues(x, variance, target, 3)
    phi = seen.of(np.arange(4000))[:, : seen.count].astype(np.float64)
    for y in range(3):
        assert np.abs(phi[target == y].mean(axis=0)).max() < 1e-4
    assert phi[:, :20].T @ phi[:, :20] / 4000 == pytest.approx(np.eye(20), abs=1e-3)
    assert phi[:, 20:].T @ phi[:, 20:] / 4000 == pytest.approx(np.eye(136), abs=1e-2)


@pytest.mark.parametrize("case", ["no label", "one class", "nothing varies", "a row for each target"])
def test_where_nothing_can_be_told_p_is_one(case: str) -> None:
    """Labels all missing or all alike, vectors all alike, or nobody to trade with: p is 1, and nothing breaks."""
    rng = np.random.default_rng(0)
    x, variance, target = rows(40, 5, rng)
    private = rng.integers(0, 2, 40)
    if case == "no label":
        private[:] = -1
    if case == "one class":
        private[:] = 1
    if case == "nothing varies":
        x, variance = x[:, :0], variance[:0]
    if case == "a row for each target":
        target = np.arange(40)
    assert ask(x, variance, target, private)[0].p == 1


def test_many_groups_of_mixed_labels_are_tested_on_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound of labour whole groups are left out, and the count of rows that served says so."""
    rng = np.random.default_rng(0)
    x, variance, target = rows(300, 5, rng)
    group, private = np.arange(300) // 3, rng.integers(0, 2, 300)
    assert ask(x, variance, target, private, group)[0].rows == 300
    monkeypatch.setattr(permutation, "LABOUR", 100.0 * 100 * (5 + 15))
    found = ask(x, variance, target, private, group)[0]
    assert 90 <= found.rows <= 100
    assert found.rows % 3 == 0


def test_shapes_are_checked() -> None:
    """Labels of other rows than the components' are refused where types are checked."""
    rng = np.random.default_rng(0)
    x, variance, target = rows(40, 5, rng)
    with pytest.raises(TypeCheckError):
        ask(x, variance, target, np.zeros((1, 39), np.int64))
