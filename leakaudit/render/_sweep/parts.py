"""What the forms of a tally share: cells by recipe and settings, figures as words, and means over seeds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from leakaudit import store
from leakaudit.results import Result, Tally, short
from leakaudit.stats import Interval

NONE = "-"
FIGURES = ("accuracy", "mae", "papers", "private", "excess")
"""Those of a cell that have an interval."""
SHARES = ("papers", "private")
SUMMARY = "mean and range over the seeds that finished"


class Group(NamedTuple):
    """The cells of one recipe with one choice of settings."""

    recipe: str
    settings: dict[str, Any]
    cells: tuple[Result, ...]

    @property
    def finished(self) -> tuple[Result, ...]:
        """Those that have figures."""
        return tuple(cell for cell in self.cells if cell.finished)


class Spread(NamedTuple):
    """One figure over seeds."""

    mean: float
    least: float
    most: float


def groups(made: Tally) -> list[Group]:
    """All cells, in the order of the table."""
    by = groupby(made.results, key=lambda cell: (cell.recipe, store.canonical(cell.settings)))
    found = [tuple(cells) for _, cells in by]
    return [Group(cells[0].recipe, cells[0].settings, cells) for cells in found]


def head(made: Tally) -> str:
    """How many cells there are, and how many are finished."""
    failed = sum(not cell.finished for cell in made.results)
    said = [f"{made.cells} cell{'' if made.cells == 1 else 's'}", f"{len(made.results) - failed} finished"]
    said += [f"{failed} failed"] * bool(failed)
    said += [f"{made.cells - len(made.results)} not run"] * (len(made.results) < made.cells)
    return f"{made.plan}: {', '.join(said)}"


def varying(made: Tally) -> dict[str, str]:
    """The knobs that have several values, each with its title."""
    values = _values(made)
    titles = short(values)
    return {knob: titles[knob] for knob, found in values.items() if len(found) > 1}


def constant(made: Tally) -> str:
    """The settings that are the same wherever they are set."""
    values = _values(made)
    titles = short(values)
    return ", ".join(f"{titles[knob]}={value(found[0])}" for knob, found in values.items() if len(found) == 1)


def value(found: Any) -> str:
    """A setting as it is typed."""
    return found if isinstance(found, str) else store.canonical(found)


def aims(made: Tally) -> str:
    """What the column of the target holds."""
    kinds = {cell.mae is not None for cell in made.results if cell.finished}
    return {(): "target %", (False,): "target %", (True,): "off by"}.get(tuple(sorted(kinds)), "target")


def columns(made: Tally) -> tuple[str, ...]:
    """Heads of the figures, from the target on."""
    return aims(made), "papers' %", "private %", "E [95 %]", "verdict", "exit"


def figures(cell: Result, aim: str) -> tuple[str, ...]:
    """The figures of a cell under those heads."""
    if not cell.finished:
        return (*[NONE] * 4, "failed", str(cell.status))
    accuracy = percent(cell.accuracy)
    close = NONE if cell.mae is None else f"{cell.mae.value:.4g}"
    mixed = f"{accuracy} %" if cell.mae is None else f"off by {close}"
    target = {"target %": accuracy, "off by": close}.get(aim, mixed)
    excess = NONE if cell.excess is None else "{:.3f} [{:.3f}, {:.3f}]".format(*cell.excess)
    return target, percent(cell.papers), percent(cell.private), excess, cell.verdict, "0"


def percent(share: Interval | None) -> str:
    """A share in percent."""
    return NONE if share is None else f"{100 * share.value:.2f}"


def spread(cells: Iterable[Result], figure: str) -> Spread | None:
    """Mean, least and most of a figure over cells; None where none has it."""
    found = [getattr(cell, figure).value for cell in cells if getattr(cell, figure) is not None]
    return Spread(sum(found) / len(found), min(found), max(found)) if found else None


def means(group: Group) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Two lines under the heads: means and ranges; None where no two seeds finished."""
    cells = group.finished
    if len(cells) < 2:  # noqa: PLR2004 (of one seed there is neither)
        return None
    numbers = cells[0].mae is not None
    target = spread(cells, "mae") if numbers else _hundred(spread(cells, "accuracy"))
    shares = [target, *(_hundred(spread(cells, name)) for name in SHARES)]
    excess = spread(cells, "excess")
    verdicts = ", ".join(f"{count} {name}" for name, count in Counter(cell.verdict for cell in cells).most_common())
    mean = [NONE if each is None else f"{each.mean:.2f}" for each in shares]
    ends = [NONE if each is None else f"{each.least:.1f}-{each.most:.1f}" for each in shares]
    last = (NONE, NONE) if excess is None else (f"{excess.mean:.3f}", f"{excess.least:.3f} to {excess.most:.3f}")
    return (*mean, last[0], verdicts, ""), (*ends, last[1], "", "")


def legend(made: Tally) -> Sequence[str]:
    """What the heads mean, a sentence each."""
    first = {
        "target %": "target: held-out rows whose target is named right",
        "off by": "off by: mean absolute error of the target, in its own unit",
    }.get(aims(made), "target: held-out rows named right, or the mean absolute error of a target of numbers")
    return (
        f"{first}.",
        "papers': the private attribute named right under the papers' own protocol.",
        "private: the same by the attacker that decides, each class counting alike.",
        "E: excess advantage, what is read beyond what the target tells, from 0 to 1.",
        "exit: the status that the cell would have had as a command.",
        *[f"mean, range: {SUMMARY}."] * any(means(group) is not None for group in groups(made)),
    )


def _values(made: Tally) -> dict[str, list[Any]]:
    """The values that each knob has, in the order in which they come."""
    found: dict[str, list[Any]] = {}
    for cell in made.results:
        for knob, each in cell.settings.items():
            known = found.setdefault(knob, [])
            if each not in known:
                known.append(each)
    return found


def _hundred(found: Spread | None) -> Spread | None:
    return None if found is None else Spread(*(100 * each for each in found))
