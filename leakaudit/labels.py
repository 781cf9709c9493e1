"""
Which rows are attacked, and their labels as target strata and private classes.

A continuous target is cut into ten quantile bins, a continuous private attribute into five; without a target there is
one stratum.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from leakaudit import protocol, stats
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError

Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Column:
    """A label as classes: every class has a row."""

    codes: Codes
    classes: tuple[str, ...]
    note: str
    """How numbers became classes; empty where the label has classes of its own."""


@dataclass(frozen=True)
class Labelled:
    """The rows that have both labels."""

    rows: Codes
    """Row numbers in the subject."""
    target: Column
    private: Column
    missing: int
    """Rows left out for want of a label."""


def labelled(subject: Embeddings, keep: Bool[np.ndarray, " n"], private: str, target: str | None) -> Labelled:
    """
    The kept rows with both labels.

    Raises:
        InputError: no such column, no row with both labels, one class or one value, a class without rows, or a private
            label that the target determines.
    """
    where = subject.origin.name
    v = subject.column(private)
    y = None if target is None else subject.column(target)
    if not keep.any():
        raise InputError(f"{where}: every one of {len(keep)} rows was trained on: no attack row is left")
    for name, column in ((private, v), *(((target, y),) if y is not None else ())):
        if not column.known[keep].any():
            raise InputError(f"{where}: label {name!r} is missing in every row")
    known = keep & v.known & (True if y is None else y.known)
    rows = np.flatnonzero(known)
    if not len(rows):
        raise InputError(f"{where}: no row has both labels, {private!r} and {target!r}")
    hidden = _column(v.take(rows), f"{where}: private label {private!r}", protocol.PRIVATE_BINS, alone=False)
    if y is None:
        told = Column(np.zeros(len(rows), np.int64), ("all",), "no target: nothing was conditioned on")
    else:
        told = _column(y.take(rows), f"{where}: target {target!r}", protocol.TARGET_BINS, alone=True)
    table = stats.tabulate(told.codes, hidden.codes, len(told.classes), len(hidden.classes))
    if not stats.covered(table).any():
        raise InputError(
            f"{where}: {private!r} is a function of {target!r} in these {len(rows)} rows: "
            "there is nothing to read beyond the target"
        )
    return Labelled(rows, told, hidden, int(keep.sum()) - len(rows))


def _column(labels: Labels, where: str, bins: int, *, alone: bool) -> Column:
    """The classes of a label; `alone` allows a single one."""
    if not labels.classes:
        codes, names = protocol.bins(labels.values, bins, where)
        return Column(codes, names, f"numbers, cut into {len(names)} quantile bins")
    rows = np.bincount(labels.values, minlength=len(labels.classes))
    if len(rows) > len(labels.classes):
        raise InputError(f"{where}: class {len(rows) - 1} found, but it has {len(labels.classes)} classes, from 0")
    if (rows > 0).sum() == 1 and not alone:
        only = labels.classes[int(rows.argmax())]
        raise InputError(f"{where}: every row is {only!r}: there is nothing to tell apart")
    if (rows == 0).any():
        empty = ", ".join(repr(labels.classes[i]) for i in np.flatnonzero(rows == 0)[:5])
        raise InputError(f"{where}: no row of class {empty} among {len(labels.values)} attack rows")
    return Column(labels.values.astype(np.int64), labels.classes, "")


def recoded(labels: Labels, column: Column) -> Codes:
    """Labels of other rows in the classes of `column`, matched by name; -1 where there is no such class, or none."""
    code = {name: i for i, name in enumerate(column.classes)}
    names = np.array([*(code.get(name, -1) for name in labels.classes), -1], np.int64)
    found: Codes = names[labels.values.astype(np.int64)] if labels.classes else np.full(len(labels.values), -1)
    return found
