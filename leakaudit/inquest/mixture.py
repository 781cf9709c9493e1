"""How private classes are mixed with target classes: among the rows that are attacked, and among those of training."""

import numpy as np
from jaxtyping import Int64

from leakaudit import stats
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.labels import Labelled

MOST = 20_000
"""Cells up to which a document holds the counts; of more nobody can look at them."""

Counts = tuple[tuple[int, ...], ...]


def attacked(rows: Labelled) -> Counts:
    """Attack rows with both labels by target class (outer) and private class (inner); none of too many cells."""
    known = rows.known
    shape = len(rows.target.classes), len(rows.private.classes)
    return _counts(stats.tabulate(rows.target.codes[known], rows.private.codes[known], *shape))


def trained(rows: Labelled, exhibits: Exhibits) -> Counts:
    """The same of the rows that the model was trained on; none where the checkpoint does not know them."""
    table, shape = exhibits.table, (len(rows.target.classes), len(rows.private.classes))
    return () if table is None or table.shape != shape else _counts(table)


def _counts(table: Int64[np.ndarray, "targets privates"]) -> Counts:
    return tuple(map(tuple, table.tolist())) if table.size <= MOST else ()
