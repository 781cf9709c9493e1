"""Cells for tests of sweeps: work that is done in no time, and an engine that does it in the test's own process."""

from pathlib import Path

from leakaudit import cell as cells
from leakaudit import grid, results, sweep
from leakaudit.cell import Made, Step
from leakaudit.engines import Ended, Failed, Note
from leakaudit.errors import LeakauditError
from leakaudit.results import Result
from leakaudit.stats import Interval

PLAN = """
recipes = ["digits/vanilla", "digits/end"]
seeds = [0, 1]
[set]
"method.alpha" = [0.5, 1.0]
"train.epochs" = 2
"""


def tiny(text: str = PLAN) -> grid.Grid:
    """Six cells."""
    return grid.read(text, "tiny", "tiny.plan.toml")


def place(folder: Path) -> cells.Place:
    """A store in that folder."""
    return cells.Place(store=folder / "store", root=folder / "data", device="cpu")


def result(cell: grid.Cell, share: float = 0.5, data: str = "") -> Result:
    """What a cell might come to."""
    figure = Interval(share, share - 0.1, share + 0.1)
    return Result(
        cell=cell.key, recipe=cell.recipe.name, settings=cell.settings, seed=cell.seed, status=0, accuracy=figure,
        papers=figure, private=figure, excess=figure, verdict="LEAK", attacker="linear", rows=300,
        fingerprint=data or cells.fingerprint(cell, Path()), tensors="ab", audit="tiny-attack-0", seconds=share,
    )  # fmt: skip


def quick(cell, _):
    """Done in one step."""
    yield Step(1, 1, "at it")
    return Made(result(cell, 0.5 + cell.seed / 10))


def here(jobs, *, attempts=3, keep=True):
    """One job after the other, in this process: what every engine does, by its contract."""
    assert attempts > 0
    assert not keep
    for job in jobs:
        try:
            work = job.work()
            while True:
                record = next(work)
                yield Note(job.name, record.words, record.done, record.total)
        except StopIteration as end:
            yield Ended(job.name, end.value)
        except LeakauditError as error:
            yield Ended(job.name, Failed(error.exit_status, str(error), error))
    return {}


def swept(folder: Path, work=quick, made: grid.Grid | None = None, run=here):
    """What a sweep yields, and what it comes to."""
    engine, path = sweep.Engine(run=run), folder / "lines.jsonl"
    going = sweep.sweep(made or tiny(), place(folder), engine, path, work=work)
    records = []
    while True:
        try:
            records.append(next(going))
        except StopIteration as end:
            return records, end.value


def names(records) -> list[str]:
    """The cells that ended."""
    return [record.job for record in records if isinstance(record, Ended)]


def lines(folder: Path) -> dict[str, Result]:
    """What was kept."""
    return results.read(folder / "lines.jsonl")
