"""Images of the same content: copies under another name, in one data set or in two."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt64

from leakaudit.dataset import Dataset, Images, Selected, contents
from leakaudit.images.files import Files

EXAMPLES = 3
"""Copies that are named."""


@dataclass(frozen=True)
class Duplicates:
    """Rows of one data set whose images are also in another."""

    rows: Int64[np.ndarray, " m"]
    """Rows of the second whose content is that of a row of the first, ascending."""
    of: Int64[np.ndarray, " m"]
    """For each, the first such row of the first."""
    examples: tuple[tuple[str, str], ...]
    """Some of them: what the image is called in the first, and in the second."""

    @property
    def count(self) -> int:
        """Rows of the second that are copies."""
        return len(self.rows)


def duplicates(a: Dataset, b: Dataset) -> Duplicates:
    """
    The rows of `b` whose images are also in `a`, whatever they are called: equal bytes of files, or equal pixels.

    Raises:
        InputError: a file is gone.
    """
    return found(contents(a.images), contents(b.images), a.images, b.images)


def found(left: UInt64[np.ndarray, " n"], right: UInt64[np.ndarray, " m"], a: Images, b: Images) -> Duplicates:
    """The same where the hashes of both are known."""
    known, first = np.unique(left, return_index=True)
    place = np.searchsorted(known, right).clip(max=max(len(known) - 1, 0))
    rows = np.flatnonzero(known[place] == right) if len(known) else np.empty(0, np.int64)
    of = first[place[rows]] if len(known) else rows
    pairs: Sequence[tuple[int, int]] = list(zip(of[:EXAMPLES].tolist(), rows[:EXAMPLES].tolist(), strict=True))
    return Duplicates(
        rows=rows.astype(np.int64),
        of=of.astype(np.int64),
        examples=tuple((named(a, row), named(b, other)) for row, other in pairs),
    )


def named(images: Images, row: int) -> str:
    """What an image is called: the path of its file, or its row, counted from 1."""
    if isinstance(images, Selected):
        return named(images.source, int(images.rows[row]))
    return images.paths[row] if isinstance(images, Files) else f"row {row + 1}"
