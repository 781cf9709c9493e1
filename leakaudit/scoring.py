"""
The right answers of the scored rows, and the figures of guesses about them.

Scoring lives here once, for attackers, baselines, controls and reconstructions alike.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from leakaudit import exchange, protocol, ranking, stats
from leakaudit.finding import Figures
from leakaudit.ranking import Operating
from leakaudit.stats import LEVEL, Interval, Share, Table

Codes = Int64[np.ndarray, " n"]
Chances = Float32[np.ndarray, "n k"]


@dataclass(frozen=True)
class Answers:
    """What guesses about the scored rows are held against."""

    target: Codes
    """Target stratum."""
    private: Codes
    strata: int
    classes: int
    group: Codes | None
    """None where each row stands for itself."""
    doubled: bool
    """The guesses are cross-fitted."""
    seed: int
    """Of the bootstrap of the bits."""
    usual: Int64[np.ndarray, " strata"] | None = None
    """What an attacker that learned the target alone would name in each stratum; None: the commonest class here."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.target)

    def take(self, rows: np.ndarray) -> "Answers":
        """The answers of some rows, none of them served for fitting what is scored."""
        group = None if self.group is None else self.group[rows]
        part = self.target[rows], self.private[rows]
        return Answers(*part, self.strata, self.classes, group, doubled=False, seed=self.seed, usual=self.usual)

    @cached_property
    def table(self) -> Table:
        """Rows in each (target, private) cell."""
        return stats.tabulate(self.target, self.private, self.strata, self.classes)

    @cached_property
    def scored(self) -> Bool[np.ndarray, " n"]:
        """Rows in target classes with at least two private classes."""
        rows: Bool[np.ndarray, " n"] = stats.covered(self.table)[self.target, self.private]
        return rows

    @cached_property
    def majority(self) -> Int64[np.ndarray, " strata"]:
        """What the target alone says of the private class, in each stratum."""
        return self.table.argmax(axis=1) if self.usual is None else self.usual

    @cached_property
    def bounded(self) -> bool:
        """Whether there are groups enough for bounds."""
        rows = self.scored
        table = np.where(stats.covered(self.table), self.table, 0)
        return self.group is None or protocol.bounded(table, self.target[rows], self.private[rows], self.group[rows])

    def guess(self, chances: Chances, *, restricted: bool = True) -> Codes:
        """The likeliest class of each row, among those present in its target class if `restricted`."""
        if restricted:
            chances = np.where((self.table > 0)[self.target], chances, -1.0)
        guess: Codes = chances.argmax(axis=1)
        return guess

    def excess(self, guess: Codes) -> float:
        """E alone."""
        return stats.excess(guess, self.target, self.private, self.strata, self.classes)

    def share(self, guess: Codes, weights: Float64[np.ndarray, "strata classes"]) -> Share:
        """A weighted mean over cells of the rows guessed right."""
        cells = self.target * self.classes + self.private
        return stats.share(guess == self.private, cells, weights.ravel(), self.group, doubled=self.doubled)

    def advantage(self, guess: Codes) -> tuple[Share, float]:
        """E as a share of hits and its stretch: E = 1 - stretch (1 - share)."""
        weights, stretch = stats.excess_weights(self.table)
        return self.share(guess, weights), stretch

    def bits(self, chances: Chances) -> Interval | None:
        """Usable bits, H(v|y) minus the cross-entropy: the mean of `gains`."""
        rows = self.scored
        if not rows.any():
            return None
        group = None if self.group is None else self.group[rows]
        return stats.bootstrap_mean(self.gains(chances), group, self.seed, doubled=self.doubled)

    def gains(self, chances: Chances) -> Float64[np.ndarray, " scored"]:
        """
        What the guess about each scored row tells, in bits: log2 of its chance of the truth, less that of its target's.

        Guesses come from rows weighted so that v is independent of y; Bayes' rule with the table of (y, v) brings them
        back. No chance is taken below half a row.
        """
        rows = self.scored
        table = np.where(stats.covered(self.table), self.table, 0)[self.target[rows]].astype(np.float64)
        joint = np.maximum(chances[rows], 1e-12) * table
        at = np.arange(len(joint)), self.private[rows]
        floor = 0.5 / max(len(rows), 1)
        chance = np.maximum(joint[at] / joint.sum(axis=1), floor)
        gains: Float64[np.ndarray, " scored"] = np.log2(chance) - np.log2(table[at] / table.sum(axis=1))
        return gains

    def p(self, guess: Codes, rng: np.random.Generator, draws: int) -> float:
        """
        One-sided p of E > 0.

        Cross-fitted: z with the doubled variance. Split, or too few groups for a variance: permutation of the labels.
        """
        if self.doubled and self.bounded:
            return stats.exceeds_zero(*self.advantage(guess))
        rows = self.scored
        group = None if self.group is None else self.group[rows]
        part = guess[rows], self.target[rows], self.private[rows], group
        return exchange.permutation_p(*part, rng=rng, draws=draws, doubled=self.doubled)

    def figures(self, guess: Codes, chances: Chances | None = None) -> Figures:
        """All figures of these guesses; without `chances` there are no bits."""
        excess, stretch = self.advantage(guess)
        private = self.share(guess, stats.private_weights(self.table))
        rows = self.scored
        group = None if self.group is None else self.group[rows]
        hits, one = (guess == self.private)[rows], np.zeros(rows.sum(), np.int64)
        plain = stats.share(hits, one, np.ones(1), group, doubled=self.doubled)
        low, high = (1 - stretch * (1 - bound) for bound in excess.bounds(LEVEL))
        if not self.bounded:
            low, high = 1 - stretch, 1.0
        private_low, private_high = private.bounds(LEVEL) if self.bounded else (0.0, 1.0)
        return Figures(
            private_accuracy=private.interval,
            accuracy=plain.interval,
            balanced_accuracy=self.share(guess, stats.balanced_weights(self.table)).interval,
            excess=stats.stretched(excess, stretch),
            lower=low,
            upper=high,
            private_upper=private_high,
            private_lower=private_low,
            bits=None if chances is None else self.bits(chances),
            follows_target=float((guess == self.majority[self.target])[rows].mean()),
            auc=None if chances is None else self.auc(chances),
        )

    def auc(self, chances: Chances) -> Interval | None:
        """AUC inside target classes; None where no target class has two private classes."""
        if not self.scored.any():
            return None
        found = ranking.auc(chances, self.target, self.private, self.group, doubled=self.doubled)
        return found.interval

    def operating(self, chances: Chances, names: tuple[str, ...]) -> tuple[Operating, ...]:
        """The true positive rate of each private class at a false positive rate of 1 %."""
        return ranking.operating(chances, self.target, self.private, names, self.group, doubled=self.doubled)

    def mde(self, guess: Codes | None = None) -> float:
        """Smallest detectable E of the actual cells; wider by how much the hits of `guess` are alike inside groups."""
        rows = stats.detectable(self.table, doubled=self.doubled)
        if self.group is None or guess is None:
            return rows
        grouped, _ = self.advantage(guess)
        alone, _ = replace(self, group=None).advantage(guess)
        if not alone.variance:  # every row is hit, or none: nothing is known of how alike they are
            return rows
        return float(min(rows * np.sqrt(grouped.variance / alone.variance), 1.0))
