"""
Engines. One file is one way to run independent jobs, with one function:

    run(jobs, *, attempts, keep, <knobs>) -> Generator[Note | Ended, None, dict[str, Any]]    what jobs came to, by name

Jobs meet through files and results. The numbers do not depend on the engine: each job declares its threads, and chance
is seeded inside it. A job that fails leaves the others alone: what it comes to is `Failed`, and whoever asked decides.
A worker that dies is started again, up to `attempts` times, and so is, elsewhere, a job that fails by what one machine
lacks (`HereError`).
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from leakaudit.errors import InputError, LeakauditError

BUG = 70
"""The exit status of a bug."""
Work = Callable[[], Generator[Any, None, Any]]


class Job(NamedTuple):
    """Long work under a name; `work` starts it, and can be sent to another process."""

    name: str
    work: Work
    threads: int = 1
    """CPU cores that it is given, and threads of its arithmetic."""
    gpus: float = 0.0
    """GPUs, or the share of one."""
    memory: int = 0
    """Bytes that it is trusted to take; 0: not counted."""


class Note(NamedTuple):
    """How far a job is."""

    job: str
    words: str
    done: int
    total: int


class Failed(NamedTuple):
    """What a job came to that did not end well."""

    status: int
    """The exit status that it would have had as a command; 128 and the signal where it was killed every time."""
    words: str
    """One line."""
    error: LeakauditError | None = None
    """What a user caused; None for a bug and for a worker that died."""

    def raised(self) -> Exception:
        """As an exception, to end on; the traceback of a bug was told by the engine."""
        return self.error or (RuntimeError if self.status == BUG else InputError)(self.words)


class Ended(NamedTuple):
    """A job is over: it stands among the notes."""

    job: str
    result: Any
    """What its work returned, or `Failed`."""
    words: str = ""
    done: int = 1
    total: int = 1


@runtime_checkable
class Run(Protocol):
    """The contract of `run`."""

    def __call__(
        self, jobs: Sequence[Job], *, attempts: int = 3, keep: bool = True
    ) -> Generator[Note | Ended, None, dict[str, Any]]:
        """
        Run all jobs to their end; without `keep` a result is handed over once, in `Ended`, and held no longer.

        Raises:
            InputError: a job needs more than there is, or the engine cannot run here; before any job starts.
        """
