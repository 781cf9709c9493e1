"""Progress on stderr: a bar per job, one table of many jobs, a line per record, or nothing."""

import sys
import time
from collections.abc import Generator
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from leakaudit.engines import Ended, Failed, Note

Result = TypeVar("Result")
Manner = Literal["quiet", "bar", "lines"]


@runtime_checkable
class Record(Protocol):
    """What long work yields."""

    @property
    def done(self) -> int:
        """Finished steps."""

    @property
    def total(self) -> int:
        """All steps."""


MOST = 20
"""Running jobs that the table of progress shows."""


class Begun(NamedTuple):
    """What there is to do, said before any of many jobs starts."""

    jobs: int
    finished: int
    """Of them, from an earlier run."""


def watch(work: Generator[Any, None, Result], words: str, manner: Manner) -> Result:
    """Run `work` to its end, showing how far it is, and return its result."""
    if manner == "quiet" or (manner == "bar" and not sys.stderr.isatty()):
        return _silently(work, aloud=manner != "quiet")
    if manner == "lines":
        return _line_by_line(work, words)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}
        while True:
            try:
                record = next(work)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            name = getattr(record, "job", words)
            if getattr(record, "told", ""):
                bars.console.print(f"leakaudit: {record.told}", markup=False, highlight=False)
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=record.total)
            bars.update(tasks[name], completed=record.done, total=record.total, description=_label(name, record))


def _silently(work: Generator[Any, None, Result], *, aloud: bool = False) -> Result:
    """Nothing is shown; with `aloud` but what a record tells whoever watches nothing."""
    while True:
        try:
            record = next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        told = getattr(record, "told", "")
        if aloud and told:
            print(f"leakaudit: {told}", file=sys.stderr, flush=True)  # noqa: T201


def _line_by_line(work: Generator[Any, None, Result], words: str) -> Result:
    while True:
        try:
            record = next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        name = getattr(record, "job", words)
        print(f"{_label(name, record)} {record.done}/{record.total}", file=sys.stderr, flush=True)  # noqa: T201


def _label(words: str, record: Any) -> str:
    return f"{words}: {record.words}" if getattr(record, "words", "") else words


def survey(work: Generator[Begun | Note | Ended, None, Result], manner: Manner) -> Result:
    """
    Run many jobs to their end and return what they came to.

    On a terminal one table shows how many wait, run, are done and have failed, and what each running one does;
    elsewhere every job that ends is a line, and with `lines` every record is. `quiet` says nothing.
    """
    if manner == "quiet":
        return _silently(work)
    board = Board()
    if manner == "lines" or not sys.stderr.isatty():
        while True:
            try:
                record = next(work)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            board.add(record)
            if manner == "lines" or not isinstance(record, Note):
                print(board.line(record), file=sys.stderr, flush=True)  # noqa: T201
    from rich.console import Console
    from rich.live import Live

    with Live(get_renderable=board.table, console=Console(stderr=True), transient=True):
        while True:
            try:
                board.add(next(work))
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]


class Board:
    """How far many jobs have come."""

    def __init__(self) -> None:
        self.jobs = self.earlier = self.done = self.failed = 0
        self.running: dict[str, tuple[float, str]] = {}

    def add(self, record: Begun | Note | Ended) -> None:
        """Take in what was said last."""
        if isinstance(record, Begun):
            self.jobs, self.earlier = record
        elif isinstance(record, Note):
            since, _ = self.running.get(record.job, (time.monotonic(), ""))
            self.running[record.job] = since, record.words
        else:
            self.running.pop(record.job, None)
            self.failed += isinstance(record.result, Failed)
            self.done += not isinstance(record.result, Failed)

    def counts(self) -> str:
        """`12 waiting, 2 running, 9 done, 1 failed`, and how many an earlier run had finished."""
        waiting = self.jobs - self.earlier - self.done - self.failed - len(self.running)
        said = f"{waiting} waiting, {len(self.running)} running, {self.done} done, {self.failed} failed"
        return f"{said}, {self.earlier} finished before" if self.earlier else said

    def line(self, record: Begun | Note | Ended) -> str:
        """A record as a line."""
        if isinstance(record, Begun):
            return f"{record.jobs} cell{'' if record.jobs == 1 else 's'}: {self.counts()}"
        if isinstance(record, Note):
            return f"{record.job}: {record.words}"
        what = record.result
        said = f"failed, exit {what.status}: {what.words}" if isinstance(what, Failed) else "done"
        return f"{record.job}: {said} ({self.counts()})"

    def table(self) -> Any:
        """All of it, for a terminal."""
        from rich.table import Table
        from rich.text import Text

        made = Table(box=None, title=self.counts(), title_justify="left", title_style="", show_header=False)
        for name, (since, words) in list(self.running.items())[:MOST]:
            minutes, seconds = divmod(int(time.monotonic() - since), 60)
            made.add_row(Text(name), Text(words, overflow="ellipsis", no_wrap=True), f"{minutes}:{seconds:02d}")
        if len(self.running) > MOST:
            made.add_row(Text(f"... and {len(self.running) - MOST} more"), "", "")
        return made
