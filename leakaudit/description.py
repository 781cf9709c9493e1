"""
A description: what a data set can tell of a private attribute before anybody trains on it.

A pure record of counts and of what follows from them; `describe` makes it, `render` shows it.
"""

from dataclasses import dataclass, field
from typing import Any

from leakaudit import record
from leakaudit.stats import Interval


@dataclass(frozen=True)
class Label:
    """A label as it is counted: its classes, or the bins of its numbers."""

    name: str
    classes: tuple[str, ...]
    note: str = ""
    """How numbers became classes; empty where the label has classes of its own."""


@dataclass(frozen=True)
class Groups:
    """Who or what the rows of a split belong to."""

    name: str
    """Of the column: identity, patient."""
    count: int
    median: float
    """Rows of the median group."""
    largest: int
    """Rows of the largest group."""


@dataclass(frozen=True)
class Split:
    """One split, whatever is asked of it."""

    split: str
    rows: int
    target_missing: int
    """Rows without a target."""
    shape: tuple[int, ...]
    """Channels, height and width of images as they enter a network."""
    sizes: tuple[tuple[int, int], ...]
    """The smallest and the largest height and width of the files that were looked at; empty where there are none."""
    groups: Groups | None
    copies: int | None
    """Rows whose image is that of an earlier row of this split; None where the contents were not compared."""
    notes: tuple[str, ...] = ()
    """What the data set says of its own rows, such as skipped files."""
    unreadable: int | None = None
    """Rows whose image does not decode; None where images were not read."""
    unreadable_examples: tuple[str, ...] = ()
    """What some of those images are called."""


@dataclass(frozen=True)
class Overlap:
    """What two splits have in common."""

    first: str
    second: str
    rows: int
    """Images that are in both under one name, as in a split that is part of another."""
    groups: int | None
    """Groups with rows in both; None without groups."""
    copies: int | None
    """Images of the second whose content is that of an image of another name in the first; None where the contents
    were not compared."""
    examples: tuple[tuple[str, str], ...] = ()
    """Some of the copies: what the image is called in the first, and in the second."""


@dataclass(frozen=True)
class Reach:
    """What an audit of a split can decide."""

    rows: int
    """Attack rows with both labels."""
    scored: int
    """Rows that are scored, in target classes with at least two private classes."""
    scheme: str
    """`cross-fit 5` or `split 50/20/30`."""
    mde: float
    """Smallest detectable E, each row counting by itself."""
    mde_grouped: float | None
    """The same where all rows of a group in a cell count as one; None without groups."""
    bounded: bool
    """Whether there are groups enough for bounds; true without groups."""
    leak: bool
    """Whether LEAK can be reached: by an attacker who reads everything."""
    absence: bool
    """Whether WITHIN and NOT_FOUND can be reached: by attackers who read nothing."""
    rows_of_this_mix: int
    """About how many attack rows of this mix make the smallest detectable E the tolerance, or .20 if that is less."""
    rows_balanced: int
    """The same where the attribute is balanced within target."""


@dataclass(frozen=True)
class Cross:
    """Target against private attribute in one split."""

    split: str
    table: tuple[tuple[int, ...], ...]
    """Rows of each target class (lines) with each private class."""
    rows: int
    """Rows with both labels."""
    missing: int
    """Rows without the private label."""
    empty: int
    """Cells without a row, of target and private classes that have rows in this split."""
    few: int
    """Cells with a handful of rows or fewer, but some."""
    smallest: int
    """Rows of the smallest cell that has any."""
    smallest_cell: tuple[str, str]
    """Its target and private class."""
    cramers_v: float | None
    """Plain: sqrt(chi2 / n / (min(lines, columns) - 1)); None where either label has one class."""
    association: Interval | None
    """V without what chance alone adds, with the percentile interval of the bootstrap over rows or whole groups."""
    majority: float | None
    """Share of rows of the commonest private class."""
    accuracy: float | None
    """Share of rows that the best guess from the target alone names right, counted on these rows."""
    balanced_accuracy: float | None
    """Mean over private classes of the share named right by the guess from the target alone that is best at that."""
    chance: float | None
    """Balanced accuracy of guessing: one by the number of private classes here."""
    reach: Reach | None
    refused: str = ""
    """Why an audit of this split would be refused; `reach` is None then."""
    histogram: tuple[tuple[int, ...], ...] = ()
    """Rows in each bar of `Attribute.edges`, a line for each class of the other label; empty without numbers."""


@dataclass(frozen=True)
class Attribute:
    """One private attribute in all splits."""

    private: Label
    crosses: tuple[Cross, ...]
    """In the order of `Description.splits`."""
    warnings: tuple[str, ...]
    along: str = ""
    """Of which label the histograms are: of the target where it is a number, or else of a private one that is."""
    edges: tuple[float, ...] = ()
    """Where their bars meet; empty where neither is a number."""


@dataclass(frozen=True)
class Description:
    """What a data set can tell."""

    data: str
    """As it is typed."""
    target: Label
    tolerance: float
    audited: str
    """The split that an audit takes unless told otherwise; numbers are cut at its quantiles."""
    trained: str | None
    """The split that models are trained on, where it is described."""
    handful: int
    """Rows up to which a cell is a handful."""
    seed: int
    splits: tuple[Split, ...]
    overlaps: tuple[Overlap, ...]
    """Each pair of splits."""
    compared: str
    """Whether images were read and their contents compared, in words."""
    attributes: tuple[Attribute, ...]
    warnings: tuple[str, ...] = field(default=())
    """What concerns all attributes."""
    knobs: tuple[str, ...] = ()
    """Names of the data set's knobs, some of which warnings advise."""


def document(made: Description) -> dict[str, Any]:
    """The description as a JSON document of format 1."""
    parts: dict[str, Any] = record.to_json(made)
    return {"format": 1, "kind": "description", **parts}
