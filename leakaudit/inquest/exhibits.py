"""
What the auditor holds beside the subject's rows, and rows made fit to be attacked.

Fit: in units that float32 arithmetic can serve, and with copies of a row kept together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from leakaudit.embeddings import Embeddings
from leakaudit.numerics import copies as alike
from leakaudit.numerics.ranges import ranges
from leakaudit.stats import Table

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Target classes and private classes."""
COPIED = 0.01
"""Pairs of copies, as a share of rows, from which copies count as one in intervals and tests."""


@dataclass(frozen=True, kw_only=True)
class Exhibits:
    """What else the auditor holds; each None where it does not apply, with the reason in `absent`."""

    trained: UInt64[np.ndarray, " t"] | None = None
    """Identities of the images the checkpoint was trained on."""
    contents: UInt64[np.ndarray, " u"] | None = None
    """What those are made of."""
    table: Int64[np.ndarray, "targets privates"] | None = None
    """Training rows in each (target, private) cell."""
    paper: Embeddings | None = None
    """Training rows under the papers' colouring."""
    studied: Embeddings | None = None
    """Rows that the checkpoint was trained on, as it was; such rows among the subject's need no second place here."""
    random_init: Embeddings | None = None
    """The subject's rows through a fresh encoder."""
    raw: Float32[np.ndarray, "n ..."] | None = None
    """The subject's rows as pixels, at most 32x32."""
    absent: Mapping[str, str] = field(default_factory=dict)


def reordered(table: Int64[np.ndarray, "targets privates"], was: Names, now: Names) -> Table | None:
    """The table with its classes in the order of now, by name; None where they are others. A number has no names."""
    if any(sorted(before) != sorted(after) for before, after in zip(was, now, strict=True)):
        return None
    order = ([before.index(name) for name in after] for before, after in zip(was, now, strict=True))
    lines, columns = (part or list(range(size)) for part, size in zip(order, table.shape, strict=True))
    found: Table = table[np.ix_(lines, columns)]
    return found


def tamed(subject: Embeddings, exhibits: Exhibits) -> tuple[Embeddings, Exhibits]:
    """The subject, and training rows of the same encoder, in units that float32 arithmetic can serve."""
    tame = ranges(subject.z)
    paper, studied = (
        None if other is None else replace(other, z=tame(other.z)) for other in (exhibits.paper, exhibits.studied)
    )
    exhibits = replace(exhibits, paper=paper, studied=studied)
    return replace(subject, z=tame(subject.z), notes=(*subject.notes, *filter(None, [tame.note]))), exhibits


def together(part: Embeddings, labels: Int64[np.ndarray, "k n"]) -> tuple[Int64[np.ndarray, " n"], bool]:
    """
    Rows that stay together in every split, by group or as copies, and whether those are the unit of inference.

    `labels` are those of the private attributes, the target's behind them. Copies are rows of one source, of images
    made of the same, or of the same numbers; groups that hold copies of one another are one.
    """
    group = alike.joined(alike.together(part.z, labels[:-1]), part.ids)
    if part.contents is not None:
        group = alike.joined(group, part.contents)
    if part.group is not None:
        return alike.joined(part.group, group.astype(np.uint64)), True
    return group, alike.doubles(group) > COPIED * len(part)


def renamed(subject: Embeddings, exhibits: Exhibits) -> tuple[str, ...]:
    """What a reader must know of rows that hold trained images under another name, or others under a trained one."""
    named, known = subject.among(exhibits.trained, None), subject.among(exhibits.trained, exhibits.contents)
    same, other = int((known & ~named).sum()), int((named & ~known).sum())
    what = "rows hold images that" if same > 1 else "row holds an image that"
    bear = "rows bear names of images" if other > 1 else "row bears the name of an image"
    hold = "hold other contents" if other > 1 else "holds another content"
    return (
        *[f"{same:,} {what} the model was trained on under another name: left out"] * (same > 0),
        *[f"{other:,} {bear} that the model was trained on, but {hold}: attacked as unseen"] * (other > 0),
    )


def copies(subject: Embeddings, rows: Int64[np.ndarray, " n"], group: Int64[np.ndarray, " n"]) -> tuple[str, ...]:
    """What a reader must know of rows of the subject that are copies of others, where these are kept together."""
    if subject.group is not None:
        count = len(np.unique(subject.group[rows])) - len(np.unique(group))
        return (
            (f"{count:,} groups hold the numbers or the id of a row of another: they are one with it",) if count else ()
        )
    count = len(group) - len(np.unique(group))
    if not count:
        return ()
    words = f"{count:,} rows have the numbers or the id of another: they stay with it in every split"
    return (words + ", and count as one with it" if alike.doubles(group) > COPIED * len(group) else words,)
