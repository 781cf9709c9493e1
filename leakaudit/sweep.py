"""
A sweep: the cells of a plan as jobs of an engine, those that are finished left out, one line of results as each ends.

What a cell came to is kept at once, so that a sweep that was cut short goes on from there another day. A cell that
failed leaves the others alone, and is tried again next time.
"""

import contextlib
import functools
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leakaudit import cell as cells
from leakaudit import results, store
from leakaudit.cell import BEACON, Made, Place
from leakaudit.engines import Ended, Failed, Job, Note
from leakaudit.errors import InputError
from leakaudit.grid import Cell, Grid
from leakaudit.progress import Begun
from leakaudit.results import Result


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs the jobs of a sweep."""

    run: Callable[..., Generator[Note | Ended, None, Any]]
    """`run` of an engine, that takes `keep` as well: without it what a cell came to is handed over once."""
    away: bool = False
    """Whether jobs may run on other machines than this one."""
    attempts: int = 3


def sweep(
    grid: Grid, place: Place, engine: Engine, path: Path, *, work: cells.Work = cells.work
) -> Generator[Begun | Note | Ended, None, list[Result]]:
    """
    What every cell of the plan came to, in the order of the table; `path` holds the lines.

    Raises:
        InputError: another sweep runs in this store; a cell needs more than there is; there is no such optimiser, or
            label to attack.
        HereError: the results cannot be written.
        RefusedError: `path` holds something else than results.
    """
    by_name = {cell.name: cell for cell in grid.cells}
    for cell in {cell.recipe.key: cell for cell in grid.cells}.values():
        cells.check(cell)
    if (grid.cells[0].attack.private, grid.cells[0].attack.target) != (None, None):  # else a recipe's own are asked of
        for cell in {_rows(cell): cell for cell in grid.cells}.values():
            cells.check_labels(cell, place.root)
    with _alone(place.store):
        waiting = _waiting(grid, results.read(path), place)
        yield Begun(len(grid.cells), len(grid.cells) - len(waiting))
        with _beacon(place, away=engine.away) as told:
            jobs = [_job(cell, told, work) for cell in waiting]
            with contextlib.closing(engine.run(jobs, attempts=engine.attempts, keep=False)) as run:
                for record in run if jobs else ():
                    if isinstance(record, Ended):
                        _keep(by_name[record.job], record.result, place.store, path)
                    yield record
    held = results.read(path)
    found = [held[cell.key] for cell in grid.cells if cell.key in held]
    return sorted(found, key=results.order)


def finished(grid: Grid, path: Path) -> list[Result]:
    """The results at `path` of cells of the plan that are finished."""
    held = results.read(path)
    return [held[cell.key] for cell in grid.cells if cell.key in held and held[cell.key].finished]


def documents(found: Sequence[Result], home: Path) -> list[Path]:
    """
    The audits of finished cells.

    Raises:
        InputError: some lie in another store than `home`.
    """
    paths = [home / "audits" / f"{result.audit}.json" for result in found if result.finished]
    lacking = [path.name for path in paths if not path.is_file()]
    if lacking:
        raise InputError(
            f"{len(lacking)} of {len(paths)} audits of finished cells are not in {home}, {lacking[0]} first: --store "
            "names another one, or --results holds what was made elsewhere"
        )
    return paths


def _job(cell: Cell, place: Place, work: cells.Work) -> Job:
    asked = cell.resources
    return Job(cell.name, functools.partial(work, cell, place), asked.cpus, asked.gpus, asked.bytes)


def _waiting(grid: Grid, held: dict[str, Result], place: Place) -> list[Cell]:
    """The cells that are not finished, or were on other data than lie here."""
    known: dict[str, str | None] = {}
    return [
        cell
        for cell in grid.cells
        if cell.key not in held
        or not held[cell.key].finished
        or _data(cell, place.root, known) not in (None, held[cell.key].fingerprint)
    ]


def _data(cell: Cell, root: Path, known: dict[str, str | None]) -> str | None:
    """Fingerprint of a cell's data; None where they cannot be read here."""
    slot = _rows(cell)
    if slot not in known:
        try:
            known[slot] = cells.fingerprint(cell, root)
        except InputError:
            known[slot] = None
    return known[slot]


def _rows(cell: Cell) -> str:
    """What two cells share that are on the same rows."""
    asked = [cell.recipe.dataset, cell.recipe.target, cell.recipe.private, cell.attack.data, cell.attack.split]
    return store.canonical([*asked, cell.attack.target, cell.attack.private])


def _keep(cell: Cell, what: Made | Failed, home: Path, path: Path) -> None:
    """One line, and before it the files that lie in another store."""
    if isinstance(what, Failed):
        plain = Result(cell=cell.key, recipe=cell.recipe.name, settings=cell.settings, seed=cell.seed, status=0)
        results.append(path, replace(plain, status=what.status, message=what.words))
        return
    for name, data in what.files:
        store.write_bytes(home / name, data)
    results.append(path, what.result)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The store for one sweep at a time."""
    folder = home / "sweeps"
    with store.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(
                f"{home}: another sweep runs in this store; wait for it, or name another --store"
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _beacon(place: Place, *, away: bool) -> Iterator[Place]:
    """The place as jobs are told it: on other machines the beacon says whether they share the store."""
    if not away:
        yield place
        return
    from leakaudit.ledgers import fetching

    path, word = place.store / BEACON, secrets.token_hex(8)
    store.write_bytes(path, word.encode())
    try:
        yield replace(place, word=word, home=str(fetching.home()))
    finally:
        path.unlink(missing_ok=True)
