"""A reproduction: what was published beside what runs of ours came to, kept apart by how far they were reduced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leakaudit import record
from leakaudit.stats import Interval

Kind = Literal["full", "quick", "changed", "stand-in"]


@dataclass(frozen=True)
class Claim:
    """A published figure: a share, or in the target's own unit."""

    value: float
    spread: float | None
    """As published; the table says of what."""
    interval: Interval | None
    """Clopper-Pearson's 95 % for its test images, where their number is known."""


@dataclass(frozen=True)
class Ours:
    """One figure over our training seeds."""

    mean: float
    low: float
    high: float
    """The lowest and the highest; of one seed its own 95 % interval."""
    further: tuple[float, float] | None
    """Where one more seed lies in 95 % of cases (normal, Student's t); None for fewer than three seeds."""
    inside: bool | None
    """Whether the published figure lies there; None where the two are not comparable or there is no such range."""


@dataclass(frozen=True)
class Line:
    """One row of a table."""

    name: str
    recipe: str
    settings: Mapping[str, Any]
    """Knobs of the method that were set: a row for each, where there are several."""
    seeds: tuple[int, ...]
    """Those that ended in figures; empty: not run."""
    wanted: int
    """How many the plan asks for."""
    failed: tuple[str, ...]
    """Seed and reason of each run that failed."""
    published_target: Claim | None
    published_private: Claim | None
    target: Ours | None
    papers: Ours | None
    """Private accuracy by the papers' own protocol."""
    private: Ours | None
    """Private accuracy of the attacker that decides."""
    excess: Interval | None
    """E: its mean, and from the lowest lower to the highest upper 95 % bound over seeds."""
    verdicts: tuple[tuple[str, int], ...]
    """Verdicts and how many seeds end in each, the commonest first."""
    rows: tuple[int, ...]
    """Rows attacked, each number once."""
    mixed: bool
    """Whether its seeds were on different data."""
    note: str


@dataclass(frozen=True)
class Section:
    """Runs that were changed alike."""

    kind: Kind
    """`quick`: changed in what makes it fast alone."""
    says: str
    """What the runs are."""
    changed: tuple[str, ...]
    """`table.knob=value`, of all rows."""
    methods: tuple[str, ...]
    """The same, of methods that have the knob."""
    comparable: bool
    """Whether at least one of the published figures may be held against these runs."""
    lines: tuple[Line, ...]
    runs: int
    failed: int
    made_by: tuple[str, ...]
    """Versions and devices."""
    files: tuple[str, ...]
    """Where the lines stand."""


@dataclass(frozen=True)
class Fit:
    """A published normal density of one group's scores on the first principal component."""

    model: str
    group: str
    mean: float
    std: float


@dataclass(frozen=True)
class Table:
    """One published table and ours."""

    name: str
    where: str
    target: str
    private: str
    measure: str
    unit: str
    says: tuple[str, ...]
    """What was run, what not, and what the published figures are."""
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    fits: tuple[Fit, ...]


@dataclass(frozen=True)
class Reproduction:
    """A paper's tables beside ours."""

    paper: str
    title: str
    source: str
    tables: tuple[Table, ...]
    audits: tuple[str, ...]
    """Names of the audit documents behind the lines."""
    foreign: tuple[tuple[str, int], ...]
    """Files, and how many of their lines are of no row of these tables."""


def document(made: Reproduction) -> dict[str, Any]:
    """The reproduction as a JSON document of format 1."""
    parts: dict[str, Any] = record.to_json(made)
    return {"format": 1, "kind": "reproduction", **parts}
