"""
What PROTOCOL section 7 claims of an audit, over which made-up audits, and whether they bear it out.

A claim's line holds the rate over a cell's replicates, its standard error, their number, the bound, and whether it is
held by the rate itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import worlds

from leakaudit import protocol
from leakaudit.stats import LEVEL

SIZES = {0.15: 900, 0.1: 2_000, 0.05: 8_100}
"""Rows at which absence is to be concluded, by tolerance."""


@dataclass(frozen=True)
class Cell:
    """Replicates of one kind."""

    part: str
    world: str
    rows: int
    size: float = 0.0
    """Bayes E."""
    tolerance: float = 0.0
    """Of the controls; 0: none are run."""
    share: float = 1.0
    """Of `--replicates`."""
    width: int = 64
    brief: bool = False
    """Detection is all that is claimed: where H detects, nothing more is asked."""

    @property
    def name(self) -> str:
        """Unlike any other's."""
        return f"{self.part} {self.world} {self.rows} {self.size:g}"


@dataclass(frozen=True)
class Outcome:
    """One replicate."""

    cell: str
    number: int
    h: float
    """P of the permutation test; 1 where it was not asked."""
    i: float
    """P of the nested winner."""
    excess: float
    low: float
    high: float
    lower: float
    uppers: dict[str, float]
    """Upper bound of each attacker, and of the nested winner under its own name."""
    truth: float
    """E of the fitted attackers: 0 in nulls, else on fresh rows where there are any."""
    verdicts: dict[str, str]
    """By tolerance."""
    plants: dict[str, int]
    """Draws found of each shape."""
    mde: float
    converged: bool
    seconds: float

    @property
    def detected(self) -> bool:
        """By both tests together."""
        return protocol.combined(self.h, self.i) <= LEVEL


CELLS = (
    *(Cell("refit", world, 3_000 if "clustered" in world else 2_000) for world in worlds.NULLS),
    *(Cell("nulls", world, 3_000 if "clustered" in world else 2_000) for world in worlds.NULLS),
    *(
        Cell("power", world, rows, size, share=0.25, brief=True)
        for rows, size in ((7_000, 0.08), (2_000, 0.15))
        for world in worlds.LEAKS
    ),
    *(Cell("leak", world, 7_000, 0.15, share=0.25) for world in worlds.LEAKS),
    *(Cell("absence", "plain", rows, 0.0, tau, 0.25 if rows < 5_000 else 0.125) for tau, rows in SIZES.items()),
    *(
        Cell("missed", world, rows, 2 * tau, tau, 0.125, brief=True)
        for tau, rows in SIZES.items()
        for world in worlds.LEAKS
    ),
    *(Cell("coverage", world, 2_000, 0.15, share=0.5) for world in worlds.LEAKS),
    *(Cell("bayes", world, 50_000, 0.4, share=0.01, width=128) for world in worlds.LEAKS),
)


Measure = Callable[[Outcome], float]


@dataclass(frozen=True)
class Claim:
    """A line of the table for each of some cells."""

    words: str
    cells: tuple[Cell, ...]
    measure: Measure
    bound: float
    least: bool = False
    """The bound is the least that will do, not the most."""

    def line(self, cell: Cell, outcomes: Sequence[Outcome]) -> str:
        """The rate, its standard error, and whether the bound is held."""
        values = np.array([self.measure(each) for each in outcomes])
        rate, error = values.mean(), values.std() / np.sqrt(len(values))
        held = rate >= self.bound if self.least else rate <= self.bound
        where = f"{cell.world}, {cell.rows:,} rows" + (f", E {cell.size:g}" if cell.size else "")
        sign = ">=" if self.least else "<="
        return (
            f"{self.words:<42}{where:<42}{sign} {self.bound:<6g}{rate:.3f} ({error:.3f}) of {len(values):<5}"
            f"{'held' if held else 'NOT HELD'}"
        )


def verdict(word: str, tau: float) -> Measure:
    """Whether an audit ends in this word."""
    return lambda each: each.verdicts.get(f"{tau:g}") == word


def claims(names: Sequence[str]) -> list[Claim]:
    """PROTOCOL's table."""
    part = {name: tuple(cell for cell in CELLS if cell.part == name) for name in {cell.part for cell in CELLS}}
    nulls = part["nulls"]
    made = [
        Claim("p of H at or under .05", part["refit"], lambda each: each.h <= LEVEL, 0.07),
        Claim("detected", nulls, lambda each: each.detected, 0.07),
        Claim("LEAK at .05", nulls, verdict("LEAK", 0.05), 0.02),
        Claim("detected", part["power"], lambda each: each.detected, 0.8, True),
        Claim("LEAK at .05", part["leak"], verdict("LEAK", 0.05), 0.8, True),
    ]
    for tau in SIZES:
        empty, full = (tuple(c for c in part[name] if c.tolerance == tau) for name in ("absence", "missed"))
        made += [
            Claim(f"NOT_FOUND at {tau:g}", empty, verdict("NOT_FOUND", tau), 0.7, True),
            Claim(f"NOT_FOUND at {tau:g}, E twice that", full, verdict("NOT_FOUND", tau), 0.01),
            Claim(
                f"plants of {2 * tau:g} found", empty,
                lambda each: np.mean([found >= protocol.PLANTS_FOUND for found in each.plants.values()]), 0.95, True,
            ),
        ]  # fmt: skip
    made.append(Claim("95 % interval of E covers", (*part["coverage"], *nulls), covers, 0.93, True))
    for name in names:
        made.append(Claim(f"upper bound of {name} misses", nulls, partial(misses, name=name), 0.08))
    made.append(Claim("accuracy short of Bayes'", part["bayes"], lambda each: 0.2 - each.excess / 2, 0.03))
    return made


def covers(each: Outcome) -> float:
    """Whether the truth lies in the interval."""
    return each.low <= each.truth <= each.high


def misses(each: Outcome, *, name: str) -> float:
    """Whether an attacker's upper bound lies below the truth."""
    return each.uppers[name] < each.truth
