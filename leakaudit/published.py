"""
What a paper published, as data: `recipes/papers/NAME.published.toml`, figures in per cent or in the target's own unit.

    title, source
    [[table]]  name, where, plan, seeds, target, private, spread, protocol, and where they apply measure = "mae", unit,
               comparable, stand_in, stand_in_plan, notes, fits
    rows       name, recipe, set, target, target_spread, private, private_spread, images, stand_in, note
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from leakaudit import catalog, recipe
from leakaudit.errors import InputError
from leakaudit.reproduction import Fit

ENDING = ".published.toml"
FOLDER = "papers"
RESULTS = "results"
"""Below it, lines of sweeps that ship."""
PERCENT = 100.0
BOTH = ("target", "private")


@dataclass(frozen=True)
class Figure:
    """A published figure."""

    value: float
    """A share, or in the target's own unit."""
    spread: float | None
    """What the paper puts behind +-; the table says of what."""


@dataclass(frozen=True)
class Row:
    """One line of a published table."""

    name: str
    recipe: str
    """Empty: there is none."""
    settings: Mapping[str, Any]
    """What must be set for the recipe to be this row."""
    target: Figure | None
    private: Figure | None
    images: int | None
    """Test images behind the private figure, where their number is known."""
    stand_in: str
    """A recipe that was run in its place, on other data; empty where there is none."""
    note: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """One published table."""

    name: str
    where: str
    """In the paper."""
    plan: str
    """Name of the plan that runs it."""
    seeds: int
    """Training seeds that the plan asks of a row."""
    target: str
    private: str
    """Empty: nothing is private in it."""
    measure: Literal["accuracy", "mae"]
    unit: str
    """Of a mean absolute error."""
    comparable: tuple[str, ...]
    """Which of `target` and `private` runs of the plan in full may be held against: measured as the paper did."""
    spread: str
    """What the published spread is of."""
    protocol: str
    """How the published private accuracy was come by."""
    stand_in: str
    """Which data stand in for those of the paper; empty: none."""
    stand_in_plan: str
    notes: tuple[str, ...]
    fits: tuple[Fit, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Paper:
    """What a paper published."""

    name: str
    """As `--paper` takes it."""
    title: str
    source: str
    tables: tuple[Table, ...]
    folder: Path
    """Of the recipes and of the folder of plans that its tables speak of."""


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A row as it is written."""

    name: str = ""
    recipe: str = ""
    set: dict = field(default_factory=dict)
    target: float | None = None
    target_spread: float | None = None
    private: float | None = None
    private_spread: float | None = None
    images: int | None = None
    stand_in: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Head:
    """A table as it is written, without its rows."""

    name: str = ""
    where: str = ""
    plan: str = ""
    seeds: int = 1
    target: str = ""
    private: str = ""
    measure: Literal["accuracy", "mae"] = "accuracy"
    unit: str = ""
    comparable: tuple[str, ...] = BOTH
    spread: str = ""
    protocol: str = ""
    stand_in: str = ""
    stand_in_plan: str = ""
    notes: tuple[str, ...] = ()


def names() -> list[str]:
    """The papers there are."""
    return sorted({path.name.removesuffix(ENDING) for path in _files()})


def read(name: str) -> Paper:
    """
    The paper of that name.

    Raises:
        InputError: there is none, and the nearest is named; or its file is not as it should be.
    """
    path = next((path for path in _files() if path.name == f"{name}{ENDING}"), None)
    if path is None:
        raise InputError(f"--paper: no paper {name!r}. {catalog.suggest(name, names())}")
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
        tables = tuple(_table(dict(table), str(path)) for table in held["table"])
        return Paper(name, str(held["title"]), str(held["source"]), tables, path.parents[1])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        why = error if isinstance(error, (OSError, ValueError)) else repr(error)
        raise InputError(f"{path}: not figures of a paper ({why})") from error


def shipped() -> list[Path]:
    """The lines of sweeps that ship."""
    return sorted(path for folder in recipe.folders() for path in (folder / FOLDER / RESULTS).glob("*.jsonl"))


def _files() -> list[Path]:
    return [path for folder in recipe.folders() for path in sorted((folder / FOLDER).glob(f"*{ENDING}"))]


def _table(held: dict[str, Any], where: str) -> Table:
    rows, fits = held.pop("rows"), tuple(Fit(**fit) for fit in held.pop("fits", ()))
    place = f"{where}: {held.get('name', 'a table without a name')}"
    head = _Head(**catalog.check(_Head, held, place))
    if not set(head.comparable) <= set(BOTH):
        raise InputError(f"{place}: comparable = {list(head.comparable)}: of {' and '.join(BOTH)} expected")
    unit = PERCENT if head.measure == "accuracy" else 1.0
    return Table(**vars(head), fits=fits, rows=tuple(_row(row, unit, place) for row in rows))


def _row(held: Mapping[str, Any], unit: float, where: str) -> Row:
    made = _Written(**catalog.check(_Written, held, f"{where}: {held.get('name', 'a row without a name')}"))
    target = _figure(made.target, made.target_spread, unit)
    private = _figure(made.private, made.private_spread, PERCENT)
    return Row(made.name, made.recipe, made.set, target, private, made.images, made.stand_in, made.note)


def _figure(value: float | None, spread: float | None, unit: float) -> Figure | None:
    return None if value is None else Figure(value / unit, None if spread is None else spread / unit)
