"""
A file too large for memory: the sample of its rows that is attacked as any other, and all the rows beyond.

The sample is divided, attacked, scored and controlled like any audit's rows. What can read rows by blocks is then
refitted on every row of the file but those that are scored and those of their groups, and the permutation test looks
at every row.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from leakaudit import protocol
from leakaudit.attackers import Further
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.labels import Column, recoded
from leakaudit.numerics.ranges import Ranges, ranges
from leakaudit.numerics.stream import Stream
from leakaudit.stats import Table

NUMBERS = 1 << 24
"""Numbers of z that are held in memory."""
LEAST, MOST = 25_000, 200_000
"""Rows of a sample, at least and at most."""

Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Beyond:
    """All rows of the file."""

    stream: Stream
    group: Codes | None
    held: Bool[np.ndarray, " n"]
    """Rows that are scored, and those of their groups: nobody is fitted to them."""

    @property
    def target(self) -> Codes:
        """-1 where it is missing, or is none of the sample's."""
        return self.stream.target

    def further(self, labels: Codes, auxiliary: str, table: Table | None) -> Further:
        """The labels that may be seen, each row counting as its auxiliary has it."""
        shown = np.where(self.held | (self.target < 0), -1, labels)
        return Further(shown, protocol.weights(auxiliary, np.maximum(self.target, 0), shown, table))


@dataclass(frozen=True)
class Drawn:
    """A sample of the subject's rows."""

    sample: Embeddings
    whole: Embeddings
    rows: Codes
    """Of the sample, in the whole."""
    tame: Ranges
    """Of the sample's columns."""

    def beyond(self, name: str | None, target: Column, scored: Codes, device: str) -> Beyond:
        """All rows, where these of the sample are scored."""
        assert self.whole.lying is not None
        stream = Stream(self.whole.lying, self.tame, self.codes(name, target), device)
        held = np.zeros(len(self.whole), bool)
        held[self.rows[scored]] = True
        group, ids = self.whole.group, self.whole.ids
        if group is None and len(np.unique(self.sample.ids)) < len(self.sample):
            group = np.unique(ids, return_inverse=True)[1]
        if group is not None:
            held = np.isin(group, group[held])
        return Beyond(stream, group, held)

    def codes(self, name: str | None, column: Column) -> Codes:
        """Every row's class of a label; none where classes were made of numbers."""
        if name is None:
            return np.zeros(len(self.whole), np.int64)
        return recoded(self.whole.column(name), column)


def draw(subject: Embeddings, privates: tuple[str, ...], target: str | None, seed: int) -> Drawn:
    """A sample of the rows that have a target and any private label; classes without a row in it are left out."""
    told = np.any([subject.column(name).known for name in privates], axis=0)
    if target is not None:
        told &= subject.column(target).known
    rows = np.flatnonzero(told)
    assert subject.lying is not None
    count = min(len(rows), max(LEAST, min(NUMBERS // subject.lying.width, MOST)))
    chosen = np.sort(protocol.chance(subject.origin.fingerprint, seed, "sample").choice(rows, count, replace=False))
    sample = subject.take(chosen)
    columns = {name: _present(labels) if labels.classes else labels for name, labels in sample.columns.items()}
    note = (
        f"z lies on disk: attackers, baselines, controls and scores are those of a sample of {len(chosen):,} of "
        f"{len(rows):,} rows; of the attackers linear and quadratic choose their knobs there and are refitted on all "
        "rows that are not scored, the others see the sample alone; H permutes all rows"
    )
    return Drawn(replace(sample, columns=columns, notes=(*sample.notes, note)), subject, chosen, ranges(sample.z))


def _present(labels: Labels) -> Labels:
    """The classes that have a row."""
    rows = np.bincount(labels.values[labels.known].astype(np.int64), minlength=len(labels.classes))
    place = np.append(np.cumsum(rows > 0) - 1, -1)
    return Labels(place[labels.values.astype(np.int64)], tuple(np.array(labels.classes)[rows > 0].tolist()))
