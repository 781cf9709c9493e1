"""
Forms of a report. One file is one form, with one function:

    render(report, *, width) -> str

A report is a pure function of audit documents: the same bytes twice, no GPU, no data, no training, no network.
`width` is the terminal's, in columns; forms that do not wrap ignore it.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from leakaudit.audit import Audit, Gate
from leakaudit.finding import Verdict
from leakaudit.stats import Interval


@dataclass(frozen=True)
class Difference:
    """One figure of two models, later minus earlier, positive where the later one has more of it."""

    figure: str
    """`private_accuracy`, `excess`, `target_accuracy`."""
    first: float
    second: float
    difference: Interval
    """Two-sided 95 %; paired by row where `paired`."""


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


@runtime_checkable
class Render(Protocol):
    """The contract of `render`."""

    def __call__(self, report: Report, *, width: int) -> str:
        """The report as text."""
