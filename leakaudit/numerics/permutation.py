"""
H: whether a private attribute can be told from z at all, by permutation of its labels within target classes.

Statistics are ridges with each unit left out (`cues`): pooled, and fitted in each target class alone. Each is
standardised over the relabellings, the identity among them; the largest counts, and p = #{T(g) >= T(id)} / B. T is a
function of features and labels alone, so that p is exact where labels of one target class are exchangeable (Hemerik and
Goeman, TEST 27, 2018). Groups whose rows all have one label trade labels whole, among groups of the same commonest
target and like size and mix: a label of large groups is no leak. In others rows get the labels of another group's
rows, as `stats.redraw` has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64

from leakaudit import stats
from leakaudit.numerics import orbit
from leakaudit.numerics.cues import Cues, cues

CYCLIC = 1e9
"""Multiplications in a stratum from which shifts take the place of random permutations."""
DRAWS = 32
"""Relabellings whose squares are held at a time."""
HELD = 1 << 25
"""Moments held at a time."""
LABOUR = 5e11
"""Multiplications beyond which groups of mixed labels are tested on a part of them."""
FLAT = 1e-4
"""Spread of a statistic, as a share of its size, at which relabellings change nothing but rounding."""
ROUNDING = 1e-3
"""Standardised statistics no further apart than this are equal."""

Codes = Int64[np.ndarray, " n"]
Rows = Int64[np.ndarray, " m"]
Statistics = Float64[np.ndarray, "f b k"]
Sizes = Float64[np.ndarray, "f 1 k"]
Drawn = Float64[np.ndarray, "f b"]
Parts = Iterator[tuple[orbit.Moments, orbit.Sums]]


@dataclass(frozen=True)
class Permuted:
    """The test of one attribute."""

    p: float
    statistic: float
    """The largest standardised statistic of the labels as they are."""
    family: str
    """Whose it is."""
    relabellings: int
    """B, the identity among them."""
    rows: int
    """Rows with a label that served."""


@dataclass(frozen=True)
class Units:
    """What trades labels: rows, or groups that have one label each."""

    features: orbit.Features
    """Of a part: all rows of one target class inside one unit."""
    unit: Int64[np.ndarray, " parts"]
    """Of each part."""
    target: Int64[np.ndarray, " parts"]
    """Of each part."""
    stratum: Int64[np.ndarray, " units"]
    """Of each unit: its commonest target, with its size and mix where these differ among groups."""
    member: Int64[np.ndarray, " units"]
    """A row of each unit."""

    @property
    def pure(self) -> bool:
        """Whether each unit is one part."""
        return len(self.unit) == len(self.stratum)


def test(
    x: Float32[np.ndarray, "n r"],
    variance: Float64[np.ndarray, " r"],
    target: Codes,
    strata: int,
    labels: Int64[np.ndarray, "q n"],
    classes: tuple[int, ...],
    group: Codes | None,
    *,
    draws: int,
    seed: int,
) -> list[Permuted]:
    """
    Test many attributes about the same rows.

    Args:
        x: whitened components of z, largest variance first.
        variance: theirs in z.
        target: target stratum of each row, 0 up to `strata`.
        strata: target classes.
        labels: private class of each row for each attribute, -1 for missing.
        classes: of each attribute.
        group: group of each row, where rows of one group are alike.
        draws: relabellings beside the identity, at least; where shifts are used 2^j - 1.
        seed: of the relabellings; an attribute's are those it would have alone.
    """
    return among(cues(x, variance, target, strata), labels, classes, group, draws=draws, seed=seed)


def among(
    seen: Cues,
    labels: Int64[np.ndarray, "q n"],
    classes: tuple[int, ...],
    group: Codes | None,
    *,
    draws: int,
    seed: int,
) -> list[Permuted]:
    """The test of many attributes, where what is looked at is known already."""
    index = None if group is None else np.unique(group, return_inverse=True)[1]
    if index is not None and index.max(initial=-1) + 1 == len(index):
        index = None
    alike: dict[tuple[bytes, bool], list[int]] = {}
    for a, each in enumerate(labels):
        known = each >= 0
        alike.setdefault((known.tobytes(), index is None or _whole(each, index)), []).append(a)
    found: dict[int, Permuted] = {}
    for (_, whole), members in alike.items():
        rows = np.flatnonzero(labels[members[0]] >= 0)
        for some in _blocks(members, classes, seen.weights.shape[1] * (draws + 1)):
            part = labels[some], tuple(classes[a] for a in some)
            found |= dict(zip(some, _answer(seen, rows, *part, index, whole, draws, seed), strict=True))
    return [found[a] for a in range(len(labels))]


def _blocks(members: list[int], classes: tuple[int, ...], size: int) -> Iterator[list[int]]:
    """Attributes whose moments can be held at a time."""
    some: list[int] = []
    held = 0
    for a in members:
        if some and (held + classes[a]) * size > HELD:
            yield some
            some, held = [], 0
        some.append(a)
        held += 1 if classes[a] == stats.TWO else classes[a]
    yield some


def _whole(labels: Codes, index: Codes) -> bool:
    """Whether rows of one group with a label have the same one."""
    rows = np.flatnonzero(labels >= 0)
    one = np.full(int(index.max(initial=-1)) + 1, -1)
    one[index[rows]] = labels[rows]
    return bool((one[index[rows]] == labels[rows]).all())


def _answer(
    seen: Cues,
    rows: Int64[np.ndarray, " m"],
    labels: Int64[np.ndarray, "a n"],
    classes: tuple[int, ...],
    index: Codes | None,
    whole: bool,  # noqa: FBT001 - inside this file, by position like its neighbours
    draws: int,
    seed: int,
) -> list[Permuted]:
    """The tests of attributes that have labels on the same rows."""
    columns, owner = _columns(labels, classes)
    if not whole and index is not None:
        rows = _fewer(rows, index, LABOUR / (seen.weights.shape[1] * (draws + 1) * columns.shape[1]), seed)
        parts = _mixed(seen, rows, index, columns, draws, seed)
    else:
        parts = _traded(_units(seen, rows, index if whole else None), columns, draws, seed)
    share = np.maximum(columns[rows].mean(axis=0, dtype=np.float64), 1 / max(len(rows), 1)) if len(rows) else 1.0
    values, sizes = (each / share for each in _statistics(seen, parts, len(np.unique(seen.target[rows])) > 1))
    names = [*seen.families, *(f"{name} per target" for name in seen.families)]
    mine = [owner == a for a in range(len(labels))]
    return [_judge(values[:, :, own].sum(axis=2), sizes[:, :, own].sum(axis=2), names, len(rows)) for own in mine]


def _judge(values: Drawn, sizes: Float64[np.ndarray, "f 1"], names: list[str], rows: int) -> Permuted:
    """Standardise, take the largest, and count; `sizes` are of what the values are differences of."""
    spread = values.std(axis=1, keepdims=True)
    flat = spread <= (np.abs(values).max(axis=1, keepdims=True, initial=0.0) + sizes) * FLAT
    standard = np.where(flat, 0.0, (values - values.mean(axis=1, keepdims=True)) / np.where(flat, 1.0, spread))
    largest = standard.max(axis=0)
    p = float((largest >= largest[0] - ROUNDING).mean())
    return Permuted(p, float(largest[0]), names[int(standard[:, 0].argmax())], values.shape[1], rows)


def _columns(
    labels: Int64[np.ndarray, "a n"], classes: tuple[int, ...]
) -> tuple[Int8[np.ndarray, "n k"], Int64[np.ndarray, " k"]]:
    """The classes of each attribute as columns, of two classes the second alone, and whose they are."""
    ones = [
        (labels[a] == c, a) for a, count in enumerate(classes) for c in range(1 if count == stats.TWO else 0, count)
    ]
    return np.stack([column for column, _ in ones], axis=1).astype(np.int8), np.array([a for _, a in ones])


def _statistics(seen: Cues, parts: Parts, several: bool) -> tuple[Statistics, Sizes]:  # noqa: FBT001 - as above
    """Every family's statistic of every relabelling and column, and its size; per target class where there are some."""
    count = seen.count
    pooled: Float32[np.ndarray, "b p k"] | None = None
    own: Float32[np.ndarray, "b f k"] = np.zeros((1, 1, 1), np.float32)
    alone: Float32[np.ndarray, "f b k"] | None = None
    for moments, sums in parts:
        share = moments[:, -1:] / np.float32(max(sums[-1], 1.0))
        wide = sums.astype(np.float32)[:, None]
        own = own + (1 - 2 * share) * moments[:, count:-1] + share**2 * wide[count:-1]
        centred = moments[:, :count]
        centred -= wide[:count] * share
        if several:
            weighed = _weighed(seen, centred)
            alone = weighed if alone is None else alone + weighed
        pooled = centred if pooled is None else np.add(pooled, centred, out=pooled)
    if pooled is None:
        return np.zeros((len(seen.families), 1, 1)), np.ones((len(seen.families), 1, 1))
    twice = own.transpose(1, 0, 2)
    both = [_weighed(seen, pooled) - twice, *([] if alone is None else [alone - twice])]
    size = np.tile(np.abs(twice).mean(axis=1, keepdims=True), (len(both), 1, 1))
    return np.concatenate(both).astype(np.float64), size.astype(np.float64)


def _weighed(seen: Cues, moments: Float32[np.ndarray, "b p k"]) -> Float32[np.ndarray, "f b k"]:
    """Every family's weighted sum of squares."""
    made = np.empty((len(seen.weights), len(moments), moments.shape[2]), np.float32)
    for start in range(0, len(moments), DRAWS):
        some = slice(start, start + DRAWS)
        made[:, some] = np.matmul(seen.weights, np.square(moments[some])).transpose(1, 0, 2)
    return made


def _units(seen: Cues, rows: Rows, index: Codes | None) -> Units:
    """Rows, or groups by the sums of their rows' features in each target class."""
    if index is None:
        return Units(lambda some: seen.of(rows[some]), np.arange(len(rows)), seen.target[rows], seen.target[rows], rows)
    strata = int(seen.target.max(initial=0)) + 1
    present, first, unit = np.unique(index[rows], return_index=True, return_inverse=True)
    table = np.bincount(unit * strata + seen.target[rows], minlength=len(present) * strata).reshape(-1, strata)
    cells, part = np.unique(unit * strata + seen.target[rows], return_inverse=True)
    sums = np.zeros((len(cells), seen.count))
    for start in range(0, len(rows), orbit.BLOCK):
        np.add.at(sums, part[start : start + orbit.BLOCK], seen.of(rows[start : start + orbit.BLOCK])[:, : seen.count])
    size = np.bincount(part, minlength=len(cells)).astype(np.float32)
    features = seen.complete(sums.astype(np.float32), size)
    return Units(lambda some: features[some], cells // strata, cells % strata, _alike(table), rows[first])


def _alike(table: Int64[np.ndarray, "units strata"]) -> Int64[np.ndarray, " units"]:
    """Strata of groups by commonest target, and by octaves of their rows and of those of other targets."""
    commonest, size = table.argmax(axis=1), table.sum(axis=1)
    octaves = np.rint(np.log2(np.stack([size, 1 + size - table.max(axis=1, initial=0)]))).astype(np.int64)
    kinds, stratum = np.unique(np.stack([commonest, *octaves]), axis=1, return_inverse=True)
    return commonest if kinds.shape[1] == len(np.unique(commonest)) else stratum.ravel()


def _traded(units: Units, columns: Int8[np.ndarray, "n k"], draws: int, seed: int) -> Parts:
    """The moments of each target class where units of one stratum trade labels."""
    given = columns[units.member]
    slots = 1 << draws.bit_length()
    count = np.bincount(units.stratum)
    wide = len(units.features(np.arange(min(1, len(units.unit))))[0]) if len(units.unit) else 0
    shifted = (count >= slots) & (count * float(wide * slots * given.shape[1]) > CYCLIC) & units.pure
    draws = slots - 1 if shifted.any() else draws
    source = np.zeros((0, 0), np.int64)
    if not units.pure:
        source = np.empty((len(units.stratum), draws + 1), np.int64)
    made: dict[int, tuple[orbit.Moments, orbit.Sums]] = {}
    for s in np.unique(units.stratum):
        here, rng = np.flatnonzero(units.stratum == s), np.random.default_rng([seed, s])
        if shifted[s]:
            found = orbit.cyclic(units.features, rng.permutation(here), given, slots)
        elif units.pure:
            found = orbit.explicit(units.features, here, given, here[orbit.permutations(len(here), draws, rng)])
        else:
            source[here] = here[orbit.permutations(len(here), draws, rng)]
            continue
        y = int(units.target[here[0]])
        made[y] = (made[y][0] + found[0], made[y][1] + found[1]) if y in made else found
    yield from made.values()
    for y in np.unique(units.target) if not units.pure else ():
        parts = np.flatnonzero(units.target == y)
        yield orbit.explicit(units.features, parts, given, source[units.unit[parts]])


def _mixed(seen: Cues, rows: Rows, index: Codes, columns: Int8[np.ndarray, "n k"], draws: int, seed: int) -> Parts:
    """The moments of each target class where rows of a group get the labels of another group's rows."""
    source = orbit.trades(seen.target[rows], index[rows], draws, np.random.default_rng([seed, 0]))
    for y in np.unique(seen.target[rows]):
        part = np.flatnonzero(seen.target[rows] == y)
        yield orbit.explicit(lambda some: seen.of(rows[some]), part, columns[rows], source[part])


def _fewer(rows: Rows, index: Codes, most: float, seed: int) -> Int64[np.ndarray, " kept"]:
    """The rows, or those of some groups, drawn without a look at labels, where there are more than `most`."""
    if len(rows) <= most:
        return rows
    place = np.random.default_rng([seed, 1]).permutation(int(index.max()) + 1)[index[rows]]
    kept = np.bincount(place).cumsum()[place] <= most
    few: Int64[np.ndarray, " kept"] = rows[kept]
    return few
