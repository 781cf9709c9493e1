"""
A paper's tables beside our runs: lines of sweeps laid to the rows that they are of, and never mixed where they differ.

Runs that were changed alike (fewer images, other data, another precision) stand in a section of their own, which says
what was changed; so do runs of another recipe of that name, or attacked otherwise than the table's plan says. A
published figure is held against ours only where nothing that matters was changed and both were measured alike: there it
lies in or outside the range in which one more of our seeds would lie (normal, Student's t over training seeds).
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from leakaudit import grid, orders, published, recipe, reproduction, results, stats, store
from leakaudit.errors import InputError
from leakaudit.reproduction import Claim, Line, Ours, Reproduction, Section
from leakaudit.results import Result
from leakaudit.stats import Interval

QUICK = ("train.amp", "train.channels_last", "train.compile")
"""Knobs that make a run fast, and change its figures by rounding alone."""
FEWEST = 3
"""Seeds from which their spread says where one more would lie."""
OTHERWISE = {"recipe or attack": "other than the plan's"}
"""What was changed where the lines themselves do not say."""
ORDER = {"full": 0, "quick": 1, "changed": 2, "stand-in": 3}


@dataclass(frozen=True)
class Found:
    """A line of results, and the name of the file that it stands in."""

    result: Result
    file: str


@dataclass(frozen=True)
class Laid:
    """A line that belongs to a row: what kind of run it is, and what was changed of the row's recipe."""

    place: int
    """Of the row."""
    kind: reproduction.Kind
    changed: Mapping[str, Any]
    method: Mapping[str, Any]
    found: Found


def gather(files: Sequence[Path], home: Path) -> list[Found]:
    """
    The lines of these files, or else of those that ship and of the store's; of one recipe in the order of the files.

    Raises:
        InputError: a file that was named is not there, or holds no line of a sweep.
        RefusedError: a file holds something else than results.
    """
    lacking = next((path for path in files if not path.is_file()), None)
    if lacking is not None:
        raise InputError(f"--results {lacking}: no such file; lines that `leakaudit sweep` left expected")
    paths = files or [*published.shipped(), *sorted((home / "sweeps").rglob("*.jsonl"))]
    found: list[Found] = []
    for path in paths:
        lines = results.read(path)
        if files and not lines:
            raise InputError(f"--results {path}: no line of a sweep is in it")
        found += [Found(result, path.name) for result in lines.values()]
    return sorted(found, key=lambda each: results.order(each.result))


Plain = Callable[[published.Paper, published.Table, Result], bool]
"""Whether a line is the recipe that ships beside the paper, attacked as the table's plan says."""


def plain(paper: published.Paper, table: published.Table, line: Result) -> bool:
    """Whether a line's cell has the digits of that recipe, with its settings and seed, and of that plan's attack."""
    own = any(row.recipe == line.recipe for row in table.rows)
    path = paper.folder / published.FOLDER / f"{table.plan if own else table.stand_in_plan}{grid.ENDING}"
    try:
        attack = orders.attack(tomllib.loads(path.read_text(encoding="utf-8")).get("attack", {}), str(path))
        made = recipe.load(str(paper.folder / f"{line.recipe}.toml"), line.settings)
        parents = tuple(each.key for each in grid.parents(made))
    except (InputError, OSError, ValueError):
        return False
    cell = grid.Cell(made, line.settings, line.seed, attack, orders.Resources(), parents, "")
    return cell.by(line.versions.get("leakaudit", "")) == line.cell


def beside(paper: published.Paper, found: Sequence[Found], plain: Plain = plain) -> Reproduction:
    """The paper's tables, each with the runs of its rows; of one row, settings and seed the last that ended."""
    audits: dict[str, None] = {}
    tables, used = [], set[int]()
    for table in paper.tables:
        last: dict[tuple[int, str, str], Laid] = {}
        for number, line in enumerate(found):
            for each in _laid(table, line, partial(plain, paper, table)):
                used.add(number)
                key = each.place, each.kind, store.canonical([each.changed, each.method, line.result.seed])
                if line.result.finished or key not in last:
                    last[key] = each
        audits |= dict.fromkeys(each.found.result.audit for each in last.values() if each.found.result.audit)
        tables.append(_table(table, list(last.values())))
    return Reproduction(
        paper.name, paper.title, paper.source, tuple(tables), tuple(audits), tuple(_foreign(found, used))
    )


def _foreign(found: Sequence[Found], used: set[int]) -> Iterable[tuple[str, int]]:
    """Files and how many of their lines are of no row."""
    return Counter(line.file for number, line in enumerate(found) if number not in used).items()


def documents(made: Reproduction, home: Path) -> list[Path]:
    """
    The audits behind the lines that lie in the store.

    Raises:
        InputError: there is none: lines that ship came without their audits.
    """
    found = [home / "audits" / f"{name}.json" for name in made.audits]
    there = [path for path in found if path.is_file()]
    if not there:
        raise InputError(
            f"--figures: none of the {len(found)} audits behind {made.paper} is in {home}; leakaudit sweep makes them, "
            "by one of its plans"
        )
    return there


def _laid(table: published.Table, line: Found, plain: Callable[[Result], bool]) -> Iterable[Laid]:
    """The rows that a line is of."""
    result = line.result
    for place, row in enumerate(table.rows):
        own = row.recipe == result.recipe
        if not own and not (row.stand_in and row.stand_in == result.recipe):
            continue
        if any(key not in result.settings or result.settings[key] != value for key, value in row.settings.items()):
            continue
        rest = {key: value for key, value in result.settings.items() if key not in row.settings}
        method = {key: value for key, value in rest.items() if key.startswith("method.")}
        changed = {key: value for key, value in rest.items() if key not in method}
        kind: reproduction.Kind = "full" if not rest else "quick" if set(rest) <= set(QUICK) else "changed"
        if not plain(result):
            kind, changed = "changed", {**changed, **OTHERWISE}
        yield Laid(place, kind if own else "stand-in", changed, method, line)


def _table(table: published.Table, laid: Sequence[Laid]) -> reproduction.Table:
    groups: dict[tuple[int, str], list[Laid]] = {}
    for each in laid:
        groups.setdefault((ORDER[each.kind], store.canonical(each.changed)), []).append(each)
    sections = [_section(table, groups[key]) for key in sorted(groups)]
    if not any(section.kind in ("full", "quick") for section in sections):
        bare = _section(table, [])
        sections = sections if any(section.kind == "changed" for section in sections) else [bare, *sections]
    return reproduction.Table(
        table.name, table.where, table.target, table.private, table.measure, table.unit, tuple(_says(table, sections)),
        tuple(sections), table.notes, table.fits,
    )  # fmt: skip


def _says(table: published.Table, sections: Sequence[Section]) -> Iterable[str]:
    """What was run, what was not, and what the published figures are."""
    rows = [row for row in table.rows if row.recipe]
    best = max((_ran(section) for section in sections if section.kind in ("full", "quick")), default=0)
    whole = f"{len(rows)} row{'s' * (len(rows) > 1)} with a recipe"
    command = f"leakaudit sweep {published.FOLDER}/{table.plan}"
    if best:
        yield f"In full {best} of {whole} have runs; the plan: {command}."
    else:
        yield f"In full none of {whole} was run; to run them: {command}."
    if table.stand_in and not any(section.kind == "stand-in" for section in sections):
        yield f"The stand-in, {table.stand_in}, was not run: leakaudit sweep {published.FOLDER}/{table.stand_in_plan}."
    apart = [name for name in (published.BOTH if table.private else ("target",)) if name not in table.comparable]
    if apart:
        figures = "figures" if not table.comparable else f"{apart[0]} accuracy"
        yield f"Even in full, runs of these recipes cannot be held against the published {figures}: see the notes."
    if table.private:
        yield f"The published private accuracy: {table.protocol}."
    yield f"The published spread: {table.spread}."


def _ran(section: Section) -> int:
    """Rows of a section that have a run that ended in figures."""
    return len({line.name for line in section.lines if line.seeds})


def _section(table: published.Table, laid: Sequence[Laid]) -> Section:
    kind = laid[0].kind if laid else "full"
    comparable = table.comparable if kind in ("full", "quick") else ()
    lines = []
    for place, row in enumerate(table.rows):
        own = [each for each in laid if each.place == place]
        variants = sorted({store.canonical(each.method): each.method for each in own}.items()) or [("", {})]
        for key, method in variants:
            same = [each.found.result for each in own if store.canonical(each.method) == key or not key]
            lines.append(_line(table, row, method, same, kind, comparable))
    changed = laid[0].changed if laid else {}
    methods = dict.fromkeys(text for each in laid for text in _spelt(each.method))
    done = [each.found.result for each in laid if each.found.result.status == 0]
    return Section(
        kind, _words(table, kind), tuple(_spelt(changed)), tuple(methods), bool(comparable), tuple(lines), len(done),
        len(laid) - len(done), _made_by(laid), tuple(dict.fromkeys(each.found.file for each in laid)),
    )  # fmt: skip


def _words(table: published.Table, kind: reproduction.Kind) -> str:
    return {
        "full": "In full",
        "quick": "In full, but for what makes it fast",
        "changed": "Reduced or otherwise changed, and not comparable with the published figures",
        "stand-in": f"A stand-in, {table.stand_in}: nothing in it speaks of the published figures",
    }[kind]


def _spelt(settings: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value if isinstance(value, str) else store.canonical(value)}" for key, value in settings.items()]


def _made_by(laid: Sequence[Laid]) -> tuple[str, ...]:
    """Versions and devices."""
    versions = dict.fromkeys(
        f"{name} {version}"
        for each in laid
        for name, version in sorted(each.found.result.versions.items())
        if name in ("leakaudit", "torch", "numpy")
    )
    devices = dict.fromkeys(each.found.result.device for each in laid if each.found.result.device)
    return (*versions, *(f"on {device}" for device in devices))


def _line(
    table: published.Table, row: published.Row, method: Mapping[str, Any], runs: Sequence[Result],
    kind: reproduction.Kind, comparable: Sequence[str],
) -> Line:  # fmt: skip
    done = [run for run in runs if run.status == 0]
    near = kind != "stand-in"
    target, private = (_claim(row.target, None), _claim(row.private, row.images)) if near else (None, None)
    aims = [run.mae if table.measure == "mae" else run.accuracy for run in done]
    excesses = [run.excess for run in done if run.excess is not None]
    return Line(
        name=row.name,
        recipe=row.recipe if near else row.stand_in,
        settings=method,
        seeds=tuple(sorted(run.seed for run in done)),
        wanted=table.seeds if near else 1,
        failed=tuple(f"seed {run.seed}: {run.message}" for run in runs if run.status != 0),
        published_target=target,
        published_private=private,
        target=_ours(aims, target if "target" in comparable else None),
        papers=_ours([run.papers for run in done], private if "private" in comparable else None),
        private=_ours([run.private for run in done], None),
        excess=_pooled(excesses),
        verdicts=tuple(Counter(run.verdict for run in done if run.verdict).most_common()),
        rows=tuple(sorted({run.rows for run in done if run.rows})),
        mixed=len({run.fingerprint for run in done}) > 1,
        note=row.note if near else "",
    )


def _claim(figure: published.Figure | None, images: int | None) -> Claim | None:
    if figure is None:
        return None
    bounds = stats.clopper_pearson(figure.value, images, stats.LEVEL / 2) if images else None
    return Claim(figure.value, figure.spread, None if bounds is None else Interval(figure.value, *bounds))


def _pooled(found: Sequence[Interval]) -> Interval | None:
    """The mean, and from the lowest lower to the highest upper bound."""
    if not found:
        return None
    ends = min(each.low for each in found), max(each.high for each in found)
    return Interval(fmean(each.value for each in found), *ends)


def _ours(found: Sequence[Interval | None], claim: Claim | None) -> Ours | None:
    known = [each for each in found if each is not None]
    if not known:
        return None
    values = [each.value for each in known]
    mean = fmean(values)
    low, high = (known[0].low, known[0].high) if len(known) == 1 else (min(values), max(values))
    if len(values) < FEWEST:
        return Ours(mean, low, high, None, None)
    reach = further(values)
    return Ours(mean, low, high, reach, None if claim is None else reach[0] <= claim.value <= reach[1])


def further(values: Sequence[float]) -> tuple[float, float]:
    """Where one more draw of a normal lies in 95 % of cases: mean +- t s sqrt(1 + 1 / n)."""
    count = len(values)
    half = float(stdtrit(count - 1, 1 - stats.LEVEL / 2)) * stdev(values) * (1 + 1 / count) ** 0.5
    return fmean(values) - half, fmean(values) + half
