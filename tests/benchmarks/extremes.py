"""
Do the bounds of an extreme hold? Equalised-odds gap and worst group, of one model and of two on the same rows.

    python tests/benchmarks/extremes.py --repeats 1000 --seed 0 > tests/benchmarks/results/extremes.txt

Each design is a table of P(guess | target, private) with equal cells. Printed for each figure are the truth, the mean
of its plug-in value (its bias), how often the 95 % interval covers the truth, how often the percentile interval of a
bootstrap over rows would have (of the first repeats), and the interval's mean width.
"""

import argparse
from typing import NamedTuple

import numpy as np

from leakaudit.numerics import extremes

DRAWS = 200
"""Of the bootstrap that is printed for comparison."""
COMPARED = 60
"""Repeats in which it is."""


class Design(NamedTuple):
    """Two models on rows of equal cells."""

    name: str
    shape: tuple[int, int]
    rows: int
    """In each cell."""
    chances: tuple[np.ndarray, np.ndarray]
    """(targets, privates, guesses) of either model."""
    shared: float = 0.7
    """Share of rows on which both have the same luck."""
    members: int = 1
    """Rows of a group, which all have the same luck; their private class differs."""


def chances(shape: tuple[int, int], right: float, *steps: tuple[int, int, float]) -> np.ndarray:
    """Guesses right with this chance, evenly wrong; each step moves that much of a (target, private) cell's chance."""
    table = np.full((*shape, shape[0]), (1 - right) / max(shape[0] - 1, 1))
    table[np.arange(shape[0]), :, np.arange(shape[0])] = right
    for y, v, step in steps:
        table[y, v, y] += step
        table[y, v, (y + 1) % shape[0]] -= step
    return table


def designs() -> tuple[Design, ...]:
    """Two classes and many, large cells and small ones, with and without a gap."""
    two, ten = (2, 2), (10, 10)
    even, uneven = chances(two, 0.8), chances(two, 0.8, (0, 0, -0.2))
    flat, bent = chances(ten, 0.8), chances(ten, 0.8, (3, 4, -0.5))
    slight = chances(ten, 0.8, *((y, 0, -0.1) for y in range(10)))
    certain = chances(two, 0.99)
    return (
        Design("2 x 2, 100 a cell, no gap", two, 100, (even, even)),
        Design("2 x 2, 100 a cell, a gap and none", two, 100, (uneven, even)),
        Design("2 x 2, 100 a cell, all but perfect", two, 100, (certain, certain)),
        Design("2 x 2, 20 a cell, a gap and none", two, 20, (uneven, even)),
        Design("10 x 10, 9 a cell, no gap", ten, 9, (flat, flat)),
        Design("10 x 10, 9 a cell, one bad cell and none", ten, 9, (bent, flat)),
        Design("10 x 10, 9 a cell, one private class worse", ten, 9, (slight, flat)),
        Design("10 x 10, 60 a cell, one bad cell and none", ten, 60, (bent, flat)),
        Design("10 x 10, 9 a cell, the same bad cell twice", ten, 9, (bent, bent)),
        Design("2 x 2, 25 groups of 4 a cell, a gap and none", two, 100, (uneven, even), members=4),
    )


def draw(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Target, private, group, and what either model names."""
    cells = np.arange(design.shape[0] * design.shape[1]).repeat(design.rows)
    y, v = np.divmod(cells, design.shape[1])
    group = np.arange(len(cells)) // design.members
    luck = [rng.random(len(cells) // design.members)[group] for _ in range(2)]
    luck[1] = np.where((rng.random(len(cells) // design.members) < design.shared)[group], luck[0], luck[1])
    named = [
        (part[y, v].cumsum(axis=1)[:, :-1] < own[:, None]).sum(axis=1)
        for part, own in zip(design.chances, luck, strict=True)
    ]
    return y, v, group, *named


def truths(design: Design) -> dict[str, float]:
    """What the figures estimate."""
    gaps = [float((part.max(axis=1) - part.min(axis=1)).max()) for part in design.chances]
    right = [float(np.einsum("yvy->yv", part).min()) for part in design.chances]
    return {
        "gap": gaps[0], "gap of the other": gaps[1], "gap, difference": gaps[1] - gaps[0],
        "worst": right[0], "worst, difference": right[1] - right[0],
    }  # fmt: skip


def figures(design: Design, sample: tuple[np.ndarray, ...]) -> dict[str, extremes.Interval]:
    """All figures of one sample."""
    y, v, group, *named = sample
    group = None if design.members == 1 else group
    gaps = [extremes.gap(part, y, v, design.shape, group) for part in named]
    low = [extremes.worst(part == y, y, v, design.shape, group) for part in named]
    assert gaps[0] is not None
    assert gaps[1] is not None
    return {
        "gap": gaps[0].interval,
        "gap of the other": gaps[1].interval,
        "gap, difference": extremes.apart(gaps[0].interval, gaps[1].interval),
        "worst": low[0].interval,
        "worst, difference": extremes.apart(low[0].interval, low[1].interval),
    }


def plug_in(design: Design, sample: tuple[np.ndarray, ...]) -> dict[str, float]:
    """The values alone, of a bootstrap sample."""
    y, v, _, *named = sample
    made = []
    for part in named:
        place = (y * design.shape[1] + v) * design.shape[0] + part
        table = np.bincount(place, minlength=design.chances[0].size).reshape(design.chances[0].shape)
        share = table / np.maximum(table.sum(axis=2, keepdims=True), 1)
        made.append((float((share.max(axis=1) - share.min(axis=1)).max()), float(np.einsum("yvy->yv", share).min())))
    (gap, low), (other, least) = made
    return {
        "gap": gap, "gap of the other": other, "gap, difference": other - gap,
        "worst": low, "worst, difference": least - low,
    }  # fmt: skip


def percentiles(design: Design, sample: tuple[np.ndarray, ...], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The percentile interval of each figure over resampled groups, inside their cells."""
    cells, per = design.shape[0] * design.shape[1], design.rows // design.members
    drawn = []
    for _ in range(DRAWS):
        which = (rng.integers(per, size=(cells, per)) + np.arange(cells)[:, None] * per).ravel()
        rows = (which[:, None] * design.members + np.arange(design.members)).ravel()
        drawn.append(plug_in(design, tuple(part[rows] for part in sample)))
    return {name: np.quantile([each[name] for each in drawn], [0.025, 0.975]) for name in drawn[0]}


def covered(design: Design, repeats: int, seed: int, compared: int = 0) -> dict[str, tuple[float, ...]]:
    """Per figure: truth, mean value, coverage, coverage of the bootstrap, mean width."""
    rng = np.random.default_rng(seed)
    truth = truths(design)
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in truth}
    for number in range(repeats):
        sample = draw(design, rng)
        drawn = percentiles(design, sample, rng) if number < compared else {}
        for name, (value, low, high) in figures(design, sample).items():
            holds = low - 1e-9 <= truth[name] <= high + 1e-9
            naive = drawn[name][0] - 1e-9 <= truth[name] <= drawn[name][1] + 1e-9 if drawn else np.nan
            found[name].append((value, holds, naive, high - low))
    made = {}
    for name, rows in found.items():
        value, holds, naive, width = np.array(rows, float).T
        rough = float(naive[:compared].mean()) if compared else np.nan
        made[name] = (truth[name], float(value.mean()), float(holds.mean()), rough, float(width.mean()))
    return made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(f"python tests/benchmarks/extremes.py --repeats {asked.repeats} --seed {asked.seed}")
    print(f"bootstrap: percentiles of {DRAWS} draws, in the first {COMPARED} repeats\n")
    print(f"{'design':<47} {'figure':<18} {'truth':>6} {'value':>6} {'covers':>7} {'bootstrap':>9} {'width':>6}")
    for design in designs():
        for name, (truth, value, holds, naive, width) in covered(design, asked.repeats, asked.seed, COMPARED).items():
            print(f"{design.name:<47} {name:<18} {truth:6.3f} {value:6.3f} {holds:7.3f} {naive:9.3f} {width:6.3f}")


if __name__ == "__main__":
    main()
