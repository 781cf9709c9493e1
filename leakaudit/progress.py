"""Progress on stderr: a bar per job, or a line per record, or nothing."""

import sys
from collections.abc import Generator
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

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


def watch(work: Generator[Any, None, Result], words: str, manner: Manner) -> Result:
    """Run `work` to its end, showing how far it is, and return its result."""
    if manner == "quiet" or (manner == "bar" and not sys.stderr.isatty()):
        return _silently(work)
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
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=record.total)
            bars.update(tasks[name], completed=record.done, total=record.total, description=_label(name, record))


def _silently(work: Generator[Any, None, Result]) -> Result:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


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
