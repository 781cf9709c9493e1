"""
What the cells of a sweep came to, one line of JSON each, appended as they end.

A line is a cell: recipe, settings, seed, and what came of it. It holds no path. Of two lines of one cell the later
holds; a line that was cut off, by a crash, is left out, and the cell is run again.

Who compares cells with something else (the papers' figures) asks `read` for them and looks at `recipe`, `settings`,
`seed`, and where `status` is 0 at `accuracy` or `mae`, `papers`, `private`, `excess`, `verdict` and `attacker`. `cell`
is by content and by version: another leakaudit runs the cell again, under other digits.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from leakaudit import record, store
from leakaudit.errors import RefusedError, spelt
from leakaudit.stats import Interval

FORMAT = 1
BEGINS = b'{"accuracy":'
"""How every line does: a torn one is told from a foreign one by it."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One cell of a sweep."""

    cell: str
    """Twelve hexadecimal digits: what it is, by content."""
    recipe: str
    settings: dict[str, Any]
    """What the plan's [set] changed: `dataset.rho` to value."""
    seed: int
    status: int
    """The exit status of the job; 0: all figures are there."""
    message: str = ""
    """Why there are none."""
    accuracy: Interval | None = None
    """Target accuracy; None for a target of numbers."""
    mae: Interval | None = None
    """Of a target of numbers, in its own unit."""
    papers: Interval | None = None
    """Private accuracy by the papers' own protocol (`--auxiliary paper`)."""
    private: Interval | None = None
    """Private accuracy of the attacker that decides."""
    excess: Interval | None = None
    """E."""
    verdict: str = ""
    attacker: str = ""
    rows: int = 0
    """Rows attacked."""
    fingerprint: str = ""
    """Of the data, those of training and those attacked: a cell on other data is run again."""
    tensors: str = ""
    """sha256 of the weights."""
    audit: str = ""
    """Name of the audit document in the store, and its sha256 below."""
    sha256: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """On the clock, training and attack; no part of any table."""

    @property
    def finished(self) -> bool:
        """Whether all figures are there."""
        return self.status == 0


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What the cells of one plan came to, as a table shows it."""

    plan: str
    """Its name."""
    text: str
    """The plan, verbatim."""
    command: str
    cells: int
    """Of the plan."""
    results: tuple[Result, ...]
    """In the order of the table; fewer than `cells` where a sweep was cut short."""


def append(path: Path, result: Result) -> None:
    """One more line, whole or absent for `read`."""
    held = {name: value._asdict() if isinstance(value, Interval) else value for name, value in asdict(result).items()}
    line = store.canonical({"format": FORMAT, **held}) + "\n"
    with store.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size > 0 and path.read_bytes()[-1:] != b"\n"
        with path.open("ab") as file:
            file.write(b"\n" * torn + line.encode())
            file.flush()


def read(path: Path) -> dict[str, Result]:
    """
    The latest line of every cell, by the cell's digits, in order of recipe, settings and seed.

    Raises:
        InputError: it is a folder, a pipe or a device.
        RefusedError: a line is no result, nor the torn beginning of one, or is of a later format.
    """
    found: dict[str, Result] = {}
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}: line {number}"
        try:
            held = store.parsed(line)
        except (ValueError, RecursionError) as error:
            if line.startswith(BEGINS[: len(line)]):
                continue
            raise RefusedError(f"{where}: not a result of a sweep, nor the beginning of one") from error
        if not isinstance(held, dict) or held.get("format") != FORMAT:
            said = f"format {spelt(repr(held.get('format')))}" if isinstance(held, dict) else type(held).__name__
            raise RefusedError(f"{where}: not a result of a sweep (format {FORMAT} expected, {said} found)")
        result = record.from_json(Result, held, f"{where}: not a result of a sweep: line")
        found[result.cell] = result
    return {result.cell: result for result in sorted(found.values(), key=order)}


def _lines(path: Path) -> list[bytes]:
    """The lines that are not empty; of a file that is not there none."""
    if not path.exists():
        return []
    with store.opened(path) as file:
        return [line for line in file.read().split(b"\n") if line.strip()]


def order(result: Result) -> tuple[str, list[tuple[str, bool, float, str]], int]:
    """How a table is sorted: by recipe, by settings, of which numbers count as numbers, and by seed."""
    settings = [(knob, *_rank(value)) for knob, value in sorted(result.settings.items())]
    return result.recipe, settings, result.seed


def short(knobs: Iterable[str]) -> dict[str, str]:
    """Each knob by its last word, `rho` for `dataset.rho`; by its whole name where two of them share that word."""
    known = sorted(set(knobs))
    last = Counter(knob.rpartition(".")[2] for knob in known)
    return {knob: knob if last[knob.rpartition(".")[2]] > 1 else knob.rpartition(".")[2] for knob in known}


def _rank(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return not number, float(value) if number else 0.0, "" if number else store.canonical(value)
