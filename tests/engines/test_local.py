"""The local engine runs jobs side by side, and ends them together."""

import os
import signal
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from leakaudit.engines import Job, Note, local
from leakaudit.errors import InputError


def count(to: int, folder: Path) -> Generator[Note, None, int]:
    """Count, leaving the process number behind."""
    (folder / f"{os.getpid()}").touch()
    for number in range(to):
        yield Note("", f"step {number}", number + 1, to)
    return to


def wait_for_each_other(mine: Path, other: Path) -> Generator[Note, None, bool]:
    """End only if another job runs at the same time."""
    mine.touch()
    for number in range(300):
        if other.exists():
            return True
        time.sleep(0.1)
        yield Note("", "waiting", number, 300)
    return False


def fail(how: str, folder: Path) -> Generator[Note, None, None]:
    """Fail as a user causes it, as a bug does, or die."""
    if how == "input":
        raise InputError(f"{folder}: nothing there")
    if how == "death":
        os.kill(os.getpid(), signal.SIGKILL)
    yield Note("", "", 0, 1)


def sleep_long(folder: Path) -> Generator[Note, None, None]:
    """Say where it runs, and sleep."""
    (folder / f"{os.getpid()}").touch()
    yield Note("", "", 0, 1)
    time.sleep(600)


def finish(work: Generator) -> tuple[list, object]:
    """The records of a generator, and its result."""
    records = []
    while True:
        try:
            records.append(next(work))
        except StopIteration as end:
            return records, end.value


def test_every_job_ends_with_its_result_and_its_notes(tmp_path):
    """Results come by name, notes carry the job's name, and each job has a process of its own."""
    jobs = [Job("three", partial(count, 3, tmp_path)), Job("five", partial(count, 5, tmp_path))]
    notes, results = finish(local.run(jobs, processes=1))
    assert results == {"three": 3, "five": 5}
    assert [note.done for note in notes if note.job == "five" and isinstance(note, Note)] == [1, 2, 3, 4, 5]
    assert len(set(tmp_path.iterdir())) == 2
    assert os.getpid() not in {int(path.name) for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_two_jobs_run_at_the_same_time(tmp_path):
    """Each of two jobs that wait for the other ends."""
    ours, theirs = tmp_path / "a", tmp_path / "b"
    jobs = [Job("a", partial(wait_for_each_other, ours, theirs)), Job("b", partial(wait_for_each_other, theirs, ours))]
    assert finish(local.run(jobs, processes=2))[1] == {"a": True, "b": True}


def test_what_a_user_caused_is_raised_here(tmp_path):
    """The error of one job keeps its kind and its words, and leaves the others alone."""
    jobs = [Job("counting", partial(count, 3, tmp_path)), Job("failing", partial(fail, "input", tmp_path))]
    results = finish(local.run(jobs, processes=2))[1]
    assert results["counting"] == 3
    assert results["failing"].status == 2
    assert isinstance(results["failing"].raised(), InputError)


def test_a_job_that_dies_is_noticed(tmp_path):
    """A killed process is a bug that is told, not a wait for ever."""
    with pytest.raises(AssertionError, match="died with status -9"):
        finish(local.run([Job("dying", partial(fail, "death", tmp_path))]))


def test_closing_ends_the_processes(tmp_path):
    """Whoever stops listening leaves no process behind."""
    work = local.run([Job("sleeper", partial(sleep_long, tmp_path))])
    next(work)
    work.close()
    (path,) = tmp_path.iterdir()
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.name), 0)
