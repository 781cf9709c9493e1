"""One figure: what it is called, what it shows, and the words that stand under it."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

LONGEST = 40
"""Letters of a name that a file's name keeps."""


@dataclass(frozen=True)
class Drawing:
    """One figure of a report."""

    name: str
    """What its file is called, without an ending: `pareto-colour`; also the prefix of the ids in it."""
    kind: str
    """The kind of figure: the file of this folder that draws it."""
    private: str
    """The private attribute that it speaks of."""
    title: str
    """What it shows, in one line."""
    caption: str
    """Plain text that says what is seen and how it is drawn, and survives being quoted alone."""
    svg: Markup


def stems(kind: str, names: Sequence[str]) -> list[str]:
    """What the figures of one kind are called, one per name: letters, digits and hyphens; no two are the same."""
    made: list[str] = []
    for name in names:
        stem = "-".join(filter(None, (kind, slug(name))))
        numbered = (f"{stem}-{number}" for number in itertools.count(2))
        made.append(next(one for one in itertools.chain([stem], numbered) if one not in made))
    return made


def slug(name: str) -> str:
    """A name that others chose, as a part of a file's name: lower-case letters, digits and hyphens, not too many."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST].strip("-")
