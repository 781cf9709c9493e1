"""What the forms of a description share: tables cut to their commonest classes, and the words of their cells."""

from collections.abc import Sequence

from leakaudit.description import Attribute, Cross, Description, Reach, Split
from leakaudit.render import _figures
from leakaudit.render._drawings import sheets as drawing
from leakaudit.render._drawings.sheets import Sheet

DASH = "\N{EN DASH}"
"""What stands where there is no figure."""
LARGEST = 0.2
"""Smallest detectable E beyond which every verdict is INCONCLUSIVE."""


def sheets(made: Description, part: Attribute, lines: int, columns: int) -> list[Sheet]:
    """The cross table of each split, of at most so many lines and columns, the same in each."""
    names = made.target.classes, part.private.classes
    return drawing.sheets([cross.table for cross in part.crosses], names, lines, columns)


def cut_said(made: Description, part: Attribute, lines: int, columns: int) -> str:
    """How large tables were cut; empty where nothing was."""
    said = [
        f"{most - 1} commonest of {len(label.classes)} classes of {label.name}"
        for label, most in ((made.target, lines), (part.private, columns))
        if len(label.classes) > most
    ]
    return f"Shown: the {_figures.joined(said)}; the others are counted together." if said else ""


def shares(counts: Sequence[int]) -> list[str]:
    """Each count as a percentage of the line, in whole percent; empty where the line has no rows."""
    total = sum(counts)
    return [f"{100 * count / total:.0f}" if total else "" for count in counts]


def percent(share: float | None) -> str:
    """A share in percent, or a dash."""
    return DASH if share is None else _figures.percent(share)


def strength(cross: Cross) -> tuple[str, str]:
    """Cramer's V, and what is left of it without what chance adds."""
    plain = DASH if cross.cramers_v is None else f"{cross.cramers_v:.2f}"
    found = cross.association
    return plain, DASH if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def detectable(reach: Reach) -> str:
    """The smallest detectable E: of rows, and of groups."""
    if reach.mde_grouped is None or f"{reach.mde_grouped:.2f}" == f"{reach.mde:.2f}":
        return f"{reach.mde:.2f}"
    return f"{reach.mde:.2f} to {reach.mde_grouped:.2f}"


def verdicts(reach: Reach | None) -> str:
    """The verdicts that an audit of the split can end in."""
    if reach is None:
        return "refused"
    if reach.leak and reach.absence:
        return "all"
    if reach.leak:
        return "LEAK, DETECTED"
    return "DETECTED" if not reach.bounded and reach.mde <= LARGEST else "INCONCLUSIVE"


def smallest(cross: Cross, *, named: bool = True) -> str:
    """The smallest cell that has rows."""
    if not cross.rows:
        return DASH
    return f"{cross.smallest:,} ({', '.join(cross.smallest_cell)})" if named else f"{cross.smallest:,}"


def images(split: Split) -> str:
    """Sizes of files, and of images as they enter a network."""
    shape = "x".join(map(str, split.shape))
    ends = list(dict.fromkeys("x".join(map(str, size)) for size in split.sizes))
    return f"{shape}, from files of {' to '.join(ends)}" if ends else shape


def groups(split: Split) -> str:
    """How many groups, of how many rows."""
    found = split.groups
    return "" if found is None else f"{found.count:,} of {found.median:g} ({found.largest:,})"
