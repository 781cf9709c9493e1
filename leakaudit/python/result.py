"""
What an audit of a Python program found: the documents, and every form in which they can be read.

The same report that the command line renders, of the same documents; nothing here prints.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakaudit import archive, catalog, outcomes, report, store
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.errors import InputError
from leakaudit.finding import Finding, Verdict
from leakaudit.gate import Ask
from leakaudit.joining import Given
from leakaudit.render import Comparison, Report, _notebook

if TYPE_CHECKING:
    import pandas as pd

FORMS = {".json": "json", ".html": "html", ".md": "markdown", ".csv": "csv", ".xml": "junit", ".txt": "terminal"}
"""Ends of names of files, and the form that each is written in."""
NUMBERS, COUNTS, TRUTHS = ("value", "low", "high", "step", "tolerance"), ("rows", "seed"), ("decides", "converged")
"""Columns of the CSV form that are no text."""
WIDE = 100
"""Columns of text for a terminal."""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """An audit, or several side by side; frozen, and a function of its documents alone."""

    given: tuple[Given, ...]
    """Each document, and its per-row outcomes, which pair comparisons and never enter a report."""
    asks: tuple[Ask, ...] = ()
    """Gates that were asked for."""
    open_passes: bool = False
    """Whether a gate that stays open was let pass."""
    paths: tuple[Path, ...] = field(default=())
    """Where the documents lie in the store; empty where it was a temporary one."""

    @cached_property
    def report(self) -> Report:
        """What every form renders."""
        return replace(report.report(self.given, self.asks), open_passes=self.open_passes)

    @property
    def audits(self) -> tuple[Audit, ...]:
        """The audit documents as records: one, unless several layers or models stand side by side."""
        return self.report.audits

    @property
    def verdict(self) -> Verdict:
        """`LEAK`, `DETECTED`, `INCONCLUSIVE`, `WITHIN` or `NOT_FOUND`: the worst of all attributes."""
        return self.report.verdict

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Every private attribute, with verdict, reason, figures and all that led to them."""
        return tuple(attribute for audit in self.audits for attribute in audit.attributes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every attacker with every auxiliary distribution, of all attributes."""
        return tuple(finding for attribute in self.attributes for finding in attribute.findings)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Gates that were asked for, and how they ended."""
        return self.report.gates

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Each later audit against the first."""
        return self.report.comparisons

    def attribute(self, private: str) -> Attribute:
        """
        One private attribute, of the first audit that has it.

        Raises:
            InputError: there is none of that name; the message names the nearest.
        """
        found = {part.private: part for part in reversed(self.attributes)}
        if private not in found:
            raise InputError(f"{str(private)[:60]!r} was not attacked. {catalog.suggest(private, found)}")
        return found[private]

    def compare(self, *others: "Result | str | Path") -> "Result":
        """
        This audit with others beside it, results or paths of documents, for paired differences; gates are left out.

        Raises:
            InputError: there is no such file.
            RefusedError: it is no audit, or was changed since it was written.
        """
        more = [given for other in others for given in (other.given if isinstance(other, Result) else _read(other))]
        return Result((*self.given, *more))

    def to_json(self) -> str:
        """The audit document, byte for byte as it is saved; of several a report document."""
        return self._rendered("json")

    def to_html(self) -> str:
        """The page: one file that needs no network."""
        return self._rendered("html")

    def to_markdown(self) -> str:
        """The verdict, and what proves it folded, for a job summary or a pull request."""
        return self._rendered("markdown")

    def to_frame(self) -> "pd.DataFrame":
        """The rows and columns of the CSV form: one figure of one attacker on one attribute per row."""
        import pandas as pd

        text = io.StringIO(self._rendered("csv"), newline="")
        frame = pd.read_csv(text, dtype=str, keep_default_na=False, na_values=[""])
        for column in (*NUMBERS, *COUNTS):  # Python reads every digit back
            frame[column] = pd.Series([float(cell) for cell in frame[column]], frame.index)
        frame = frame.astype(dict.fromkeys(COUNTS, "Int64"))
        for column in TRUTHS:
            frame[column] = frame[column].map({"True": True, "False": False}).astype("boolean")
        return frame

    def save(self, path: str | Path) -> Path:
        """
        Write the form that the end of the name says, `.json`, `.html`, `.md`, `.csv`, `.xml` (JUnit) or `.txt`.

        The document of one audit has its per-row outcomes put beside it, which pair it with others: they say which row
        was guessed, so hand on the document alone where that is not to be known.

        Raises:
            InputError: the end says no form, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix not in FORMS:
            raise InputError(f"{path}: which form? a name that ends in {', '.join(FORMS)} expected")
        store.write_bytes(path, self._rendered(FORMS[path.suffix]).encode())
        if path.suffix == ".json" and len(self.given) == 1 and self.given[0][1] is not None:
            outcomes.save(dict(self.given[0][1]), outcomes.path_of(path))
        return path

    def _rendered(self, form: str) -> str:
        return str(catalog.thing("render", form).render(self.report, width=WIDE))

    def __str__(self) -> str:
        """The report as it stands in a terminal."""
        return self._rendered("terminal")

    def __repr__(self) -> str:
        """The verdict in a few lines."""
        return _notebook.lines(self.report)

    def _repr_html_(self) -> str:
        """A table, in a notebook."""
        return _notebook.html(self.report)

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


class _GateError(AssertionError):
    """A gate that did not pass; a test that asserts it fails."""

    def __init__(self, words: str, audit: Result) -> None:
        super().__init__(words)
        self.audit = audit
        """All that was found."""

    def __reduce__(self) -> tuple[type["_GateError"], tuple[str, Result]]:
        """So that it passes from one process to another, as from a pool that tests run in."""
        return type(self), (str(self), self.audit)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Every gate, and how it ended."""
        return self.audit.gates


class LeakError(_GateError):
    """A gate failed: more can be read than is allowed."""


class InconclusiveError(_GateError):
    """A gate stayed open: the rows at hand cannot tell, or a control failed."""


def _read(path: str | Path) -> Sequence[Any]:
    return [archive.read(Path(path))]
