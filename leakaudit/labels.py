"""
Which rows are attacked, and their labels as target strata and private classes.

A continuous target is cut into ten quantile bins, a continuous private attribute into five; without a target there is
one stratum.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from leakaudit import protocol, stats
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError

NAMED = 5
"""Classes without rows that a message names."""
Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Column:
    """A label as classes; of a private label every class has a row."""

    codes: Codes
    """-1 for missing."""
    classes: tuple[str, ...]
    note: str
    """How numbers became classes, or which classes have no row; empty where there is nothing to say."""
    values: Float64[np.ndarray, " n"] | None = None
    """The numbers, NaN for missing; None where the label has classes of its own."""


@dataclass(frozen=True)
class Labelled:
    """The rows that are attacked for one private label."""

    rows: Codes
    """Row numbers in the subject: rows with a target and any of the private labels, the same for all of these."""
    target: Column
    private: Column
    missing: int
    """Rows left out for want of a label."""

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Which of the rows have this private label."""
        found: Bool[np.ndarray, " n"] = self.private.codes >= 0
        return found


def labelled(
    subject: Embeddings, keep: Bool[np.ndarray, " n"], privates: tuple[str, ...], target: str | None
) -> dict[str, Labelled]:
    """
    The kept rows with a target and with any of the private labels.

    Raises:
        InputError: no such column, no row with both labels, one class or one value, a private class without rows, or a
            private label that the target determines.
    """
    where = subject.origin.name
    hidden = {name: subject.column(name) for name in privates}
    y = None if target is None else subject.column(target)
    if not keep.any():
        raise InputError(f"{where}: every one of {len(keep)} rows was trained on: no attack row is left")
    for name, column in (*hidden.items(), *(((target, y),) if y is not None else ())):
        if not column.known[keep].any():
            raise InputError(f"{where}: label {name!r} is missing in every row")
    told = keep if y is None else keep & y.known
    for name, column in hidden.items():
        if not (told & column.known).any():
            raise InputError(f"{where}: no row has both labels, {name!r} and {target!r}")
    rows = np.flatnonzero(told & np.any([column.known for column in hidden.values()], axis=0))
    if y is None:
        strata = Column(np.zeros(len(rows), np.int64), ("all",), "no target: nothing was conditioned on")
    else:
        strata = _column(y.take(rows), f"{where}: target {target!r}", protocol.TARGET_BINS, alone=True)
        if strata.note and not y.classes:
            strata = replace(strata, note=f"{strata.note}; what it tells inside a bin counts as read beyond it")
    return {name: _labelled(column, rows, strata, int(keep.sum()), name, target, where)
            for name, column in hidden.items()}  # fmt: skip


def _labelled(
    labels: Labels, rows: Codes, strata: Column, kept: int, name: str, target: str | None, where: str
) -> Labelled:
    part = labels.take(rows)
    known = part.known
    found = _column(part.take(known), f"{where}: private label {name!r}", protocol.PRIVATE_BINS, alone=False)
    table = stats.tabulate(strata.codes[known], found.codes, len(strata.classes), len(found.classes))
    if not stats.covered(table).any():
        raise InputError(
            f"{where}: {name!r} is a function of {target!r} in these {known.sum()} rows: "
            "there is nothing to read beyond the target"
        )
    codes = np.full(len(rows), -1)
    codes[known] = found.codes
    values = None if labels.classes else np.where(known, part.values, np.nan).astype(np.float64)
    return Labelled(rows, strata, replace(found, codes=codes, values=values), kept - int(known.sum()))


def _column(labels: Labels, where: str, bins: int, *, alone: bool) -> Column:
    """The classes of a label; `alone` allows a single one, and classes without rows."""
    if not labels.classes:
        codes, names = protocol.bins(labels.values, bins, where)
        return Column(codes, names, f"numbers, cut into {len(names)} quantile bins")
    rows = np.bincount(labels.values, minlength=len(labels.classes))
    if len(rows) > len(labels.classes):
        raise InputError(f"{where}: class {len(rows) - 1} found, but it has {len(labels.classes)} classes, from 0")
    if (rows > 0).sum() == 1 and not alone:
        only = labels.classes[int(rows.argmax())]
        raise InputError(f"{where}: every row is {only!r}: there is nothing to tell apart")
    without = [name for name, count in zip(labels.classes, rows, strict=True) if not count]
    if without and not alone:
        empty = ", ".join(map(repr, without[:NAMED]))
        raise InputError(f"{where}: no row of class {empty} among {len(labels.values)} attack rows")
    said = f"no attack row is {', '.join(without[:NAMED])}{', ...' * (len(without) > NAMED)}" if without else ""
    return Column(labels.values.astype(np.int64), labels.classes, said)


def recoded(labels: Labels, column: Column) -> Codes:
    """Labels of other rows in the classes of `column`, matched by name; -1 where there is no such class, or none."""
    code = {name: i for i, name in enumerate(column.classes)}
    names = np.array([*(code.get(name, -1) for name in labels.classes), -1], np.int64)
    found: Codes = names[labels.values.astype(np.int64)] if labels.classes else np.full(len(labels.values), -1)
    return found
