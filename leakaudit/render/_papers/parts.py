"""What the forms of a reproduction share: the columns of a section, the words of its cells, and what stands below."""

from collections.abc import Iterator
from typing import NamedTuple

from leakaudit.render import _figures
from leakaudit.reproduction import Claim, Line, Ours, Reproduction, Section, Table
from leakaudit.stats import Interval

DASH = "\N{EN DASH}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
EXCESS = "E [95 %]"
"""The head of that column."""
LEGEND = (
    "Target and private are shares of test images named right, in %, unless a unit is said. Published: as the paper "
    "has it, behind \N{PLUS-MINUS SIGN} its own spread, in [ ] Clopper-Pearson's 95 % for its number of test images. "
    "Ours: the mean over training seeds, and from the lowest to the highest; of one seed its own 95 % interval, in "
    "[ ]. Private, ours: by the bridging paper's linear attacker, trained as there, as the mean over private classes "
    "with the target evened out, where the paper counts images; on balanced tests that is the same. Where a paper's "
    "own figure was come by otherwise, the table says so. E, by our protocol: excess advantage of the attacker that "
    "decides, 0 where nothing beats knowing the target and 1 where everything is read; its mean "
    "over seeds, and from the lowest lower to the highest upper 95 % bound."
)
HELD = (
    "Nothing here is called reproduced. Where three or more seeds were run in full, a published figure is held against "
    "the range in which one more seed of ours would lie (95 %, normal); seeds are of training and attack, on one "
    "drawing of the data. Of twenty figures one lies outside by chance."
)


class Cell(NamedTuple):
    """A figure, and what bounds it."""

    first: str
    second: str = ""


class Column(NamedTuple):
    """A column: its head in one or two words, and its cells."""

    above: str
    """Of several columns at once."""
    head: str
    cells: tuple[Cell, ...]


def heading(made: Reproduction) -> str:
    """Title and source."""
    return f"{made.title} ({made.source})"


def columns(table: Table, section: Section) -> list[Column]:
    """The columns of a section; those without any figure are left out."""
    percent = table.measure == "accuracy"
    lines = section.lines
    aim = f"target, {table.unit}" if table.unit else "target"
    made = [
        Column(aim, "published", tuple(_claim(line.published_target, percent=percent) for line in lines)),
        Column(aim, "ours", tuple(_ours(line.target, len(line.seeds), percent=percent) for line in lines)),
        Column("private", "published", tuple(_claim(line.published_private) for line in lines)),
        Column("private", "ours", tuple(_ours(line.papers, len(line.seeds)) for line in lines)),
        Column("our protocol", EXCESS, tuple(_excess(line.excess) for line in lines)),
        Column("our protocol", "verdict", tuple(Cell(verdict(line)) for line in lines)),
    ]
    full = [column for column in made if any(cell.first for cell in column.cells)]
    return [
        column._replace(cells=tuple(cell if cell.first else Cell(DASH) for cell in column.cells)) for column in full
    ]


def named(section: Section, line: Line) -> Cell:
    """The row's name, told from others of that name by what was set of the method; and how often it was run."""
    twins = [other for other in section.lines if other.name == line.name]
    own = ", ".join(f"{key.removeprefix('method.')}={value}" for key, value in line.settings.items())
    return Cell(f"{line.name} ({own})" if len(twins) > 1 and own else line.name, ran(line))


def ran(line: Line) -> str:
    """`3 of 3 seeds`, `not run`."""
    if not line.seeds and not line.failed:
        return "not run" if line.recipe else "no recipe"
    failed = f", {len(line.failed)} failed" if line.failed else ""
    return f"seeds {len(line.seeds)} of {max(line.wanted, len(line.seeds))}{failed}"


def verdict(line: Line) -> str:
    """The verdict of all seeds, or each with how many seeds end in it, a line for each."""
    if len(line.verdicts) == 1:
        return line.verdicts[0][0]
    return "\n".join(f"{name} {count}" for name, count in line.verdicts)


def title(section: Section) -> str:
    """What the runs of a section are."""
    if not section.runs and not section.failed:
        return "As published; no run of ours"
    asked = [line for line in section.lines if line.recipe]
    ran, plural = sum(bool(line.seeds) for line in asked), "s" * (section.runs != 1)
    return f"{section.says}: {ran} of {len(asked)} rows, {section.runs} run{plural}"


def below(section: Section) -> Iterator[str]:
    """Sentences under a section: what was changed, on what, by what, and what can be said of the published figures."""
    if section.changed:
        yield f"Changed: {', '.join(section.changed)}."
    if section.methods:
        yield f"Of methods that have it: {', '.join(section.methods)}."
    rows = sorted({rows for line in section.lines for rows in line.rows})
    if rows:
        yield f"Attacked: {_figures.joined([f'{count:,}' for count in rows])} rows of each model."
    if section.made_by:
        yield f"Made by {', '.join(section.made_by)}; lines in {', '.join(section.files)}."
    yield from _held(section)
    for line in section.lines:
        for words in line.failed:
            yield f"{line.name} failed, {words}"
    for line in section.lines:
        if line.mixed:
            yield f"{line.name}: its seeds were not on the same data."


def notes(table: Table) -> list[str]:
    """What must be known of the table, and of single rows of it."""
    rows = dict.fromkeys(
        f"{line.name}: {line.note}." for section in table.sections for line in section.lines if line.note
    )
    fits = [f"{fit.model} {fit.group} {fit.mean:g} ({fit.std:g})" for fit in table.fits]
    drawn = f"Published mean (standard deviation) on the first principal component: {', '.join(fits)}."
    return [*rows, *table.notes, *([drawn] if fits else [])]


def closing(made: Reproduction) -> Iterator[str]:
    """What stands under all tables."""
    yield LEGEND
    yield HELD
    if made.foreign:
        counts = _figures.joined([f"{count} in {file}" for file, count in made.foreign])
        yield f"Lines of sweeps that are of no row of these tables: {counts}."
    if made.audits:
        yield (
            f"Drawings of these {len(made.audits)} audits, such as accuracy against leak and both against rho, where "
            f"the store holds them: leakaudit report --paper {made.paper} --figures DIR."
        )


def _held(section: Section) -> Iterator[str]:
    """Published figures against the range of one more seed."""
    if not section.comparable or not section.runs:
        return
    few = [
        line.name for line in section.lines if line.seeds and line.target is not None and line.target.further is None
    ]
    if few:
        yield f"Fewer than three seeds, so that nothing is said of the published figures: {_figures.joined(few)}."
    for what, pairs in (
        ("target accuracy", [(line, line.target) for line in section.lines]),
        ("private accuracy", [(line, line.papers) for line in section.lines]),
    ):
        told = [(line.name, ours.inside) for line, ours in pairs if ours is not None and ours.inside is not None]
        out = [name for name, inside in told if not inside]
        if told:
            where = f"outside in {_figures.joined(out)}" if out else "outside in none"
            yield (
                f"The published {what} lies inside the 95 % range of one more seed of ours in "
                f"{len(told) - len(out)} of {len(told)} rows, {where}."
            )


def _claim(claim: Claim | None, *, percent: bool = True) -> Cell:
    if claim is None:
        return Cell("")
    unit = 100 if percent else 1
    if claim.interval is not None:
        return Cell(_digits(unit * claim.value), _bounds(claim.interval))
    return Cell(_digits(unit * claim.value), "" if claim.spread is None else f"{PLUS_MINUS}{unit * claim.spread:.2f}")


def _ours(ours: Ours | None, seeds: int, *, percent: bool = True) -> Cell:
    if ours is None:
        return Cell("")
    unit, digits = (100, 1) if percent else (1, 2)
    ends = f"{unit * ours.low:.{digits}f}", f"{unit * ours.high:.{digits}f}"
    said = f"[{ends[0]}, {ends[1]}]" if seeds == 1 else f"{ends[0]}{DASH}{ends[1]}"
    return Cell(f"{unit * ours.mean:.{digits}f}", said)


def _excess(excess: Interval | None) -> Cell:
    return Cell("") if excess is None else Cell(_figures.three(excess.value), _figures.bounds(excess))


def _bounds(interval: Interval) -> str:
    return f"[{_figures.percent(interval.low)}, {_figures.percent(interval.high)}]"


def _digits(value: float) -> str:
    """As published: two digits, or one where the second is 0."""
    text = f"{value:.2f}"
    return text.removesuffix("0")
