"""
The arena: rows without private labels and how they are divided; questions about them; and one attribute's case.

Components of z are computed once, for all attackers, questions and parts.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from leakaudit import protocol, stats
from leakaudit.attackers import Further, Question, Rows
from leakaudit.inquest.beyond import Beyond
from leakaudit.numerics.gaussian import Halves, first, halves
from leakaudit.numerics.moments import Moments, moments
from leakaudit.protocol import Fold
from leakaudit.scoring import Answers
from leakaudit.stats import Table

Codes = Int64[np.ndarray, " n"]
Chances = Float32[np.ndarray, "n k"]


@dataclass(frozen=True)
class Arena:
    """What the attackers hold: rows without private labels, and how they are divided."""

    z: Float32[np.ndarray, "n d"]
    target: Codes
    strata: int
    group: Codes
    """A row that stands for itself is a group of its own."""
    folds: tuple[Fold, ...]
    seed: int
    device: str
    known: Moments | None = None
    """Of z, where they were computed already."""
    given: Float32[np.ndarray, "n r"] | None = None
    """Z in the components of `known`, where they were computed already."""
    later: "Arena | None" = None
    """What the refit on training and validation rows looks at instead, where z was fitted to labels."""
    beyond: Beyond | None = None
    """All rows of the file of which these are a sample."""

    @cached_property
    def moments(self) -> Moments:
        """Moments of all rows: no label is needed for them."""
        return self.known or moments(self.z)

    @cached_property
    def x(self) -> Float32[np.ndarray, "n r"]:
        """Z in whitened components, largest variance first."""
        return self.moments.basis.components(self.z) if self.given is None else self.given

    @cached_property
    def halves(self) -> Halves:
        """Standardised rows in two halves, for the separation of classes along a direction."""
        return halves(self.z, group=self.group, seed=self.seed, known=self.moments)

    @cached_property
    def first(self) -> Float64[np.ndarray, " n"]:
        """The rows along the first principal component."""
        return first(self.z, self.moments)

    @cached_property
    def everything(self) -> Rows:
        """All rows as an attacker sees them."""
        return Rows(self.z, self.target, self.strata, self.group, self.moments, self.x)

    @cached_property
    def tuning(self) -> tuple[Rows, Rows]:
        """Training and validation rows of the only fold."""
        (fold,) = self.folds
        return self._dealt(fold.train, 0), self._dealt(fold.validation, len(fold.train))

    @cached_property
    def final(self) -> tuple[Rows, Rows]:
        """Training and validation rows of the only fold together, and those that are scored."""
        (fold,) = self.folds
        beyond = None if self.beyond is None else self.beyond.stream
        return replace(self._dealt(fold.seen, 0), beyond=beyond), self._dealt(fold.test, len(fold.seen))

    @cached_property
    def _in_parts(self) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n r"]]:
        """Z and its components in the order training, validation, scored rows, so that parts need no copy."""
        (fold,) = self.folds
        order = np.concatenate([fold.seen, fold.test])
        z = self.z[order]
        there = self.given is not None or "x" in vars(self)
        return z, self.x[order] if there else self.moments.basis.components(z)

    def _dealt(self, part: Int64[np.ndarray, " part"], start: int) -> Rows:
        z, x = (whole[start : start + len(part)] for whole in self._in_parts)
        return Rows(z, self.target[part], self.strata, self.group[part], self.moments, x)

    def rows(self, part: Int64[np.ndarray, " part"]) -> Rows:
        """Some rows as an attacker sees them."""
        group = self.group[part]
        return Rows(self.z[part], self.target[part], self.strata, group, self.moments, self.x[part])

    def planted(self, columns: Float32[np.ndarray, "n width"], components: Int64[np.ndarray, " width"]) -> "Arena":
        """The arena with these components replaced, each at the variance it had; z changes with them."""
        x = self.x.copy()
        x[:, components] = columns
        back = self.moments.covariance @ self.moments.basis.matrix[:, components]
        z = self.z + (columns - self.x[:, components]) @ back.T.astype(np.float32)
        return replace(self, z=z, known=self.moments, given=x)


@dataclass(frozen=True)
class Ask:
    """A question about all rows; each attacker gets the labels of the rows it may see."""

    labels: Codes
    """-1 for missing."""
    classes: int
    auxiliary: str = protocol.DECIDING
    table: Table | None = None
    """For `matched`."""
    control: bool = False
    """Asked of deciding attackers only."""
    further: Further | None = None
    """Labels of all rows of a file of which the rows are a sample."""

    def of(self, part: Int64[np.ndarray, " part"], target: Codes) -> Question:
        """The question about some rows, with their labels and weights."""
        labels = self.labels[part]
        weights = protocol.weights(self.auxiliary, target[part], labels, self.table)
        return Question(labels, weights, self.classes, further=self.further)

    def hidden(
        self, part: Int64[np.ndarray, " part"], target: Codes, rows: Int64[np.ndarray, " m"] | None = None
    ) -> Question:
        """The question about all rows, or about these in ascending order, with the labels and weights of `part`."""
        shown = self.of(part, target)
        at = part if rows is None else np.searchsorted(rows, part)
        size = len(target) if rows is None else len(rows)
        labels, weights = np.full(size, -1), np.zeros(size, np.float32)
        labels[at], weights[at] = shown.labels, shown.weights
        return replace(shown, labels=labels, weights=weights)


@dataclass(frozen=True)
class Case:
    """One private attribute, and what is asked about it."""

    name: str
    arena: Arena
    private: Codes
    """-1 for missing."""
    classes: int
    grouped: bool
    """Whether rows belong to groups."""
    usual: Int64[np.ndarray, " strata"] | None
    """The private class that goes with each target class in training, where that is known."""
    fingerprint: str
    draws: int
    """Permutations behind a p-value, where it is one of permutation."""
    names: tuple[str, ...] = ()
    """Of the private classes."""
    values: Float64[np.ndarray, " n"] | None = None
    """Of a continuous attribute, whose quantile bins `private` are; NaN for missing."""
    everywhere: Int64[np.ndarray, " all"] | None = None
    """Labels of all rows of a file of which the rows are a sample."""

    @cached_property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Rows whose private label is not missing."""
        rows: Bool[np.ndarray, " n"] = self.private >= 0
        return rows

    @cached_property
    def scored(self) -> Codes:
        """Rows that are scored, in ascending order."""
        tested = np.sort(np.concatenate([fold.test for fold in self.arena.folds]))
        rows: Codes = tested[self.known[tested]]
        return rows

    def ask(self, auxiliary: str, table: Table | None) -> Ask:
        """What is asked about it."""
        beyond, further = self.arena.beyond, None
        if beyond is not None and self.everywhere is not None:
            further = beyond.further(self.everywhere, auxiliary, table)
        return Ask(self.private, self.classes, auxiliary, table, further=further)

    def chance(self, purpose: str) -> np.random.Generator:
        """A generator derived from data, attribute, seed and purpose."""
        return protocol.chance(self.fingerprint, self.arena.seed, f"{self.name}: {purpose}")

    def answers(self, labels: Codes | None = None) -> Answers:
        """The right answers of the scored rows; of made-up `labels` where given."""
        rows = self.scored
        return Answers(
            self.arena.target[rows],
            (self.private if labels is None else labels)[rows],
            self.arena.strata,
            self.classes,
            self.arena.group[rows] if self.grouped else None,
            doubled=len(self.arena.folds) > 1,
            seed=self.arena.seed,
            usual=self.usual,
        )

    @cached_property
    def purity(self) -> float:
        """Share of rows that have their group's commonest target; 1 without groups."""
        if not self.grouped:
            return 1.0
        _, index = np.unique(self.arena.group, return_inverse=True)
        table = stats.tabulate(index, self.arena.target, int(index.max()) + 1, self.arena.strata)
        return float(table.max(axis=1).sum() / len(index))

    def redraw(self, purpose: str, purity: float) -> Codes:
        """
        The private labels permuted within target strata; among all groups where their rows' targets are less pure.

        Groups that trade labels among those of one commonest target keep what that tells of their label, and in groups
        of several targets a row's own target does not tell it: labels permuted so would still be readable.
        """
        rows = self.known
        group = self.arena.group[rows] if self.grouped else None
        target = self.arena.target[rows] if self.purity >= purity else np.zeros(int(rows.sum()), np.int64)
        drawn = np.full(len(rows), -1)
        drawn[rows] = stats.redraw(target, self.private[rows], group, self.chance(purpose))
        return drawn
