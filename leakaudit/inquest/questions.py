"""What is asked of an audit's embeddings: the cases, by whom, with which weights, and beside what."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from leakaudit import protocol
from leakaudit.attackers import Rows
from leakaudit.inquest import contest, controls
from leakaudit.inquest.arena import Arena, Ask, Case, Codes
from leakaudit.inquest.baselines import KINDS
from leakaudit.inquest.contest import Entrant
from leakaudit.protocol import DECIDING
from leakaudit.stats import Table

MERGED = 32
"""Classes that controls are asked of, where there are more than twice as many."""
FEWEST = 20
"""Rows below which no attacker is asked."""


@dataclass(frozen=True)
class Paper:
    """Training rows under the papers' colouring, and the papers' attacker."""

    rows: Rows
    labels: Codes
    attacker: Entrant


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked."""

    arena: Arena
    cases: tuple[Case, ...]
    attackers: tuple[Entrant, ...]
    readers: tuple[Entrant, ...]
    """Attackers of the baselines."""
    after: tuple[Entrant, ...]
    """Attackers of the erased bottleneck."""
    auxiliaries: tuple[str, ...]
    tables: Mapping[str, Table]
    """Training (y, v) counts for `matched`, where they are known; else rows as they came."""
    papers: Mapping[str, Paper]
    features: Mapping[str, Float32[np.ndarray, "n p"] | str]
    """For each of `baselines.KINDS` the features of the same rows, or why there are none."""
    tolerance: float
    again: tuple[tuple[protocol.Fold, ...], ...] = ()
    """Divisions of the rows for further attack seeds."""

    @property
    def deciding(self) -> tuple[Entrant, ...]:
        """Attackers whose findings may decide."""
        return tuple(each for each in self.attackers if each.decides)

    @property
    def feasible(self) -> tuple[Case, ...]:
        """Cases in which every attacker would see two private classes."""
        return tuple(case for case in self.cases if feasible(case))

    @property
    def hardest(self) -> Case:
        """The case whose rows tell least: controls are asked of it, many classes merged to `MERGED`."""
        return merged(max(self.feasible, key=lambda case: case.answers().mde()))

    def asks(self) -> list[Ask]:
        """Every case with every auxiliary, in the order of `asked`."""
        return [case.ask(name, self.tables.get(case.name)) for case in self.feasible for name in self.asked]

    @property
    def asked(self) -> list[str]:
        """Auxiliaries that reweight the attack rows."""
        return [name for name in protocol.AUXILIARIES if name != "paper" and name in {DECIDING, *self.auxiliaries}]

    def steps(self) -> int:
        """The most words that `inquire` yields."""
        if not self.feasible:
            return 1
        arena, asks = self.arena, self.asks()
        shuffles = [Ask(self.hardest.private, self.hardest.classes, control=True)] * protocol.SHUFFLES
        own = contest.words(arena, self.attackers, [*asks, *shuffles]) + len(self.papers) + 1
        alone = asks[:: len(self.asked)]
        read = sum(not isinstance(self.features[kind], str) for kind in KINDS)
        own += read * contest.words(arena, self.readers, alone)
        own += len(arena.folds) * contest.words(arena, self.after, alone) + len(self.deciding)
        own += len(self.again) * contest.words(arena, self.deciding, alone)
        return own + controls.steps(self.hardest, self.deciding, self.tolerance)


def merged(case: Case) -> Case:
    """The case with its classes, from the most frequent on, dealt to few where they are many."""
    if case.classes <= 2 * MERGED:
        return case
    rank = np.argsort(np.argsort(-np.bincount(case.private[case.known], minlength=case.classes), kind="stable"))
    few = np.where(case.known, (rank % MERGED)[case.private], -1)
    usual = None if case.usual is None else rank[case.usual] % MERGED
    return replace(case, private=few, classes=MERGED, usual=usual, names=(), everywhere=None)


def feasible(case: Case) -> bool:
    """Whether every attacker would see two private classes."""
    return int(case.known.sum()) >= FEWEST and all(
        len(np.unique(case.private[fold.train][case.known[fold.train]])) > 1
        and case.known[fold.validation].any()
        and case.known[fold.test].any()
        for fold in case.arena.folds
    )
