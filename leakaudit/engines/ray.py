"""
Ray: jobs as tasks of a Ray cluster, on as many machines as it has (`pip install 'leakaudit[ray]'`).

Ray Core places the tasks, starts their processes and carries results. What is lost with a process or a node, a result
that was not fetched yet too, is asked for again, up to `attempts` times. A job that fails by what one node lacks is
tried on every other, by a label selector (https://docs.ray.io/en/latest/ray-core/scheduling/labels.html).
"""

import sys
from collections.abc import Generator, Sequence
from typing import Any

from leakaudit.engines import Ended, Failed, Job, Note
from leakaudit.engines._cluster import Answer, Cluster, Lost, Try, connect, library
from leakaudit.engines._room import check, fits, needs
from leakaudit.engines._working import Outcome
from leakaudit.errors import HereError, InputError

KILLED = 137
"""128 + SIGKILL: Ray does not tell which signal it was."""


def run(
    jobs: Sequence[Job], *, attempts: int = 3, keep: bool = True, address: str = "", patience: float = 60.0
) -> Generator[Note | Ended, None, dict[str, Any]]:
    """
    Run the jobs on the cluster at `address` (empty: that of `RAY_ADDRESS`, of the last `ray start`, or a new one).

    Without `keep` each result is handed over once, in `Ended`, and what is returned in the end holds none. Arrays of a
    result are read-only: they lie in Ray's store until the last of them is let go. Where every node that has room for a
    job is gone, it is given up after `patience` seconds. Interrupted, it ends every job at once, and the cluster too if
    it was started for them.

    Raises:
        InputError: Ray is not installed, no cluster is at `address`, or a job needs more than the largest node has;
            before any job starts.
    """
    ray = library()
    already = ray.is_initialized()
    if not already:
        connect(ray, address)
    try:
        cluster = Cluster(ray)
        try:
            check(jobs, list(cluster.nodes().values()), "the largest node")
            return (yield from _run(cluster, jobs, attempts=attempts, keep=keep, patience=patience))
        finally:
            cluster.stop()
    finally:
        if not already:
            ray.shutdown()


def _run(
    cluster: Cluster, jobs: Sequence[Job], *, attempts: int, keep: bool, patience: float
) -> Generator[Note | Ended, None, dict[str, Any]]:
    results: dict[str, Any] = {}

    def ended(name: str, came_to: Outcome) -> Ended:
        sys.stderr.write(came_to.trace)
        results[name] = came_to.result if keep else None
        return Ended(name, came_to.result)

    for job in jobs:
        cluster.ask(Try(job))
    while cluster.busy():
        for said in cluster.answers():
            if isinstance(said, Note):
                yield said
                continue
            each, answer = said
            again = _again(cluster, each, answer, attempts)
            if again is not None:
                cluster.ask(again)
                lost = f"{answer.words}; attempt {again.attempt} of {attempts}" if isinstance(answer, Lost) else ""
                yield Note(each.job.name, lost or f"{again.lacks}; tried on another node", 0, 1)
            else:
                yield ended(each.job.name, _over(cluster, each, answer))
            del said, answer
        for each in cluster.stranded(patience):
            yield ended(each.job.name, Outcome(_placeless(cluster, each)))
    return results


def _again(cluster: Cluster, each: Try, answer: Answer | Lost, attempts: int) -> Try | None:
    """The job to be asked for once more, if it makes sense to."""
    if isinstance(answer, Lost):
        return each._replace(attempt=each.attempt + 1) if each.attempt < attempts else None
    result = answer.came_to.result
    if not isinstance(result, Failed) or not isinstance(result.error, HereError):
        return None
    refused = (*each.refused, answer.node)
    left = any(fits(each.job, room) for node, room in cluster.nodes().items() if node not in refused)
    return each._replace(refused=refused, lacks=result.words) if left else None


def _over(cluster: Cluster, each: Try, answer: Answer | Lost) -> Outcome:
    """What a job that is not asked for again came to; of one that no node could do, which nodes those are."""
    if isinstance(answer, Lost):
        return Outcome(Failed(KILLED, f"{answer.words}{f', {each.attempt} times' if each.attempt > 1 else ''}"))
    result = answer.came_to.result
    if not each.refused or not isinstance(result, Failed) or not isinstance(result.error, HereError):
        return answer.came_to
    error = HereError(f"{result.words} (tried on {cluster.names((*each.refused, answer.node))})")
    return Outcome(Failed(error.exit_status, str(error), error))


def _placeless(cluster: Cluster, each: Try) -> Failed:
    """Of a job that no node which is left has room for, or only nodes that lack what it needs."""
    error: InputError = InputError(f"{each.job.name}: needs {needs(each.job)}, and no node that is left has it")
    if each.refused:
        error = HereError(f"{each.lacks} (tried on {cluster.names(each.refused)}), and no other node is left")
    return Failed(error.exit_status, str(error), error)
