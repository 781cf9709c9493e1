"""
Forms of a report. One file is one form, with one function:

    render(report, *, width) -> str

A report is a pure function of audit documents: the same bytes twice, no GPU, no data, no training, no network.
`width` is the terminal's, in columns; forms that do not wrap ignore it.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from leakaudit.audits import Audit, Gate
from leakaudit.finding import Verdict
from leakaudit.stats import Interval


@dataclass(frozen=True)
class Difference:
    """One figure of two models, later minus earlier, positive where the later one has more of it."""

    figure: str
    """`private_accuracy`, `excess`, `bits`, `target_accuracy`, `worst_group`, `equalised_odds`."""
    first: float
    second: float
    difference: Interval
    """Two-sided 95 %; paired by row where `paired`, but for `worst_group` and `equalised_odds`: extremes of many cells,
    whose difference is bounded by what both audits' own intervals allow."""


@dataclass(frozen=True)
class Comparison:
    """Two audits of the same private attribute, side by side."""

    private: str
    first: str
    second: str
    """Names of the two subjects."""
    paired: bool
    rows: int
    """Rows that both scored; 0 where unpaired."""
    differences: tuple[Difference, ...]
    sentence: str
    """Which leaks less, and whether the data can tell."""


@dataclass(frozen=True)
class Place:
    """Where one model stands among those compared for one private attribute."""

    name: str
    """Name of the subject."""
    best: int
    """The best rank that the data allow it, 1 for the least leak: one more than the models that surely leak less."""
    worst: int
    """The worst rank that the data allow it: all models less those that surely leak more."""


@dataclass(frozen=True)
class Ranking:
    """Three or more models of one private attribute, ranked by E, with ties where the data cannot tell."""

    private: str
    places: tuple[Place, ...]
    """The least E first; simultaneous 95 %: differences of all pairs, corrected for their number."""
    sentence: str
    """Which leaks least, and whether the data can tell."""


@dataclass(frozen=True)
class Report:
    """What every form renders."""

    audits: tuple[Audit, ...]
    """In the order given; an attack and a reconstruction of the same subject are one."""
    comparisons: tuple[Comparison, ...]
    """Each later audit against the first, per private attribute that both hold."""
    gates: tuple[Gate, ...]
    """Gates asked for on this report, over all audits."""
    verdict: Verdict
    """The worst."""
    rankings: tuple[Ranking, ...] = ()
    """One per private attribute that three or more audits hold."""
    with_images: bool = False
    """Whether thumbnails that an audit holds may be shown: faces that were rebuilt are personal data."""
    open_passes: bool = False
    """Whether a gate that stays open was let pass (`--on-inconclusive pass`)."""


@runtime_checkable
class Render(Protocol):
    """The contract of `render`."""

    def __call__(self, report: Report, *, width: int) -> str:
        """The report as text."""
