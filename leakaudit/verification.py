"""
A verification: every hash that an audit names, counted again, and what no longer matches.

A pure record; `verify` makes it, `render` shows it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from leakaudit import record

State = Literal["matches", "no longer matches", "not at hand", "not recorded"]
STATES: tuple[State, ...] = ("no longer matches", "not at hand", "not recorded", "matches")


@dataclass(frozen=True)
class Check:
    """One object that an audit names, or could name."""

    what: str
    """`document`, `per-row outcomes`, `weights file`, `network`, `data`, ...; with the name of a file where several."""
    state: State
    recorded: str = ""
    """Sha256 that the audit names; empty where it names none."""
    found: str = ""
    """Sha256 of what lies there now; empty where nothing does."""
    where: str = ""
    """What was looked at; empty where nothing was."""
    note: str = ""
    """Why it was not counted, and what to give; or what else is to be known."""


@dataclass(frozen=True)
class Made:
    """A version that the audit was made by, and the one that is installed."""

    name: str
    then: str
    now: str
    """Empty where it is not installed."""


@dataclass(frozen=True)
class Verified:
    """One audit, with all that it rests on."""

    path: str
    """The document, and the number of the audit in it where it is a report of several."""
    name: str
    """What a person calls the subject; empty where the document was changed."""
    verdict: str
    created: str
    command: str
    checks: tuple[Check, ...]
    versions: tuple[Made, ...]


@dataclass(frozen=True)
class Verification:
    """The audits that were named, in their order."""

    audits: tuple[Verified, ...]

    def count(self, state: State) -> int:
        """How many objects are in that state."""
        return sum(check.state == state for audit in self.audits for check in audit.checks)

    @property
    def broken(self) -> tuple[str, ...]:
        """What no longer matches, each in words."""
        return tuple(
            f"{check.what} ({check.where or audit.path})"
            for audit in self.audits
            for check in audit.checks
            if check.state == "no longer matches"
        )

    @property
    def words(self) -> str:
        """`4 of 6 hashes were recomputed and match; 2 not at hand`; or what no longer matches."""
        most = sum(map(self.count, STATES)) - self.count("not recorded")
        if self.broken:
            return f"{len(self.broken)} of {most} hashes no longer match: {', '.join(self.broken)}"
        verb = "matches" if self.count("matches") == 1 else "match"
        said = f"{self.count('matches')} of {most} hashes were recomputed and {verb}"
        left = [f"{self.count(state)} {state}" for state in ("not at hand", "not recorded") if self.count(state)]
        return "; ".join([said, *left])


def document(made: Verification) -> dict[str, Any]:
    """The verification as a JSON document of format 1."""
    counts = {state.replace(" ", "_"): made.count(state) for state in STATES}
    return {"format": 1, "kind": "verification", **counts, **record.to_json(made)}
