"""
Engines. One file is one way to run independent jobs, with one function:

    run(jobs, *, <knobs>) -> Generator[Note, None, dict[str, Any]]      the result of every job, by name

Jobs meet through files. The numbers do not depend on the engine: each job declares its threads, and chance is seeded
inside it. What a user can cause in one job ends all of them, as it would end that job alone.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

Work = Callable[[], Generator[Any, None, Any]]


class Job(NamedTuple):
    """Long work under a name; `work` starts it, and can be sent to another process."""

    name: str
    work: Work
    threads: int = 1


class Note(NamedTuple):
    """How far a job is."""

    job: str
    words: str
    done: int
    total: int


@runtime_checkable
class Run(Protocol):
    """The contract of `run`."""

    def __call__(self, jobs: Sequence[Job]) -> Generator[Note, None, dict[str, Any]]:
        """Run all jobs to their end."""
