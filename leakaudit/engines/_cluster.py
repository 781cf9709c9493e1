"""
What the engine `ray` asks of Ray: a cluster, its nodes, tasks on them and what came of these.

Ray finds the cluster of the last `ray start` by a file in its temporary folder; a port that nobody listens at is asked
first, since Ray tries one for minutes.
"""

import contextlib
import logging
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from leakaudit.engines import Job, Note
from leakaudit.engines._room import Room, fits
from leakaudit.engines._working import Outcome, bug, environment, outcome
from leakaudit.errors import InputError, spelt

PATIENCE_SECONDS = 0.5
"""Between two looks at the notes."""
WATCH_SECONDS = 5.0
"""Between two looks at which nodes are there."""
KNOCK_SECONDS = 5.0
"""For a port to answer."""
GRACE_SECONDS = 5.0
"""For running jobs to end by themselves, once they are told to."""
NOTES = 10_000
"""That are kept, at most, until they are asked for."""
SAID = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # Ray prints "(raylet) ..." on stdout, whatever log_to_driver says
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` Ray would send the working folder, store and all
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What Ray reads as it is loaded, unless the user has said otherwise."""


class Try(NamedTuple):
    """A job that a cluster was asked to do."""

    job: Job
    attempt: int = 1
    refused: tuple[str, ...] = ()
    """Nodes that lack what it needs."""
    lacks: str = ""
    """What that is."""


class Answer(NamedTuple):
    """What came of it."""

    node: str
    came_to: Outcome


class Lost(NamedTuple):
    """Its process, its node or its result is no more."""

    words: str


class Notes:
    """What jobs said since they were last asked; an actor beside the one who asks."""

    def __init__(self) -> None:
        self._told: deque[Note] = deque(maxlen=NOTES)

    def tell(self, note: Note) -> None:
        """One more."""
        self._told.append(note)

    def taken(self) -> list[Note]:
        """All of them, once."""
        told = list(self._told)
        self._told.clear()
        return told


def library() -> Any:
    """
    Ray, loaded.

    Raises:
        InputError: it is not installed.
    """
    for name, value in SAID.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise InputError("engine ray: Ray is not installed: pip install 'leakaudit[ray]'") from error
    return ray


def connect(ray: Any, address: str) -> None:
    """
    Connect to the cluster that is meant, or start one on this machine; says which on stderr.

    Raises:
        InputError: nobody answers at `address`, or nobody of this version of Ray.
    """
    asked = address or os.environ.get("RAY_ADDRESS", "")
    known = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108  Ray's own
    found = asked if asked not in ("", "auto") else known.read_text().strip() if known.is_file() else "local"
    if found != "local" and not _answers(found):
        if asked:
            raise InputError(f"engine ray: no cluster answers at {spelt(found)}; start one with: ray start --head")
        found = "local"
    ours = {"include_dashboard": False} if found == "local" else {}
    try:
        ray.init(address=found, log_to_driver=False, logging_level=logging.CRITICAL, **ours)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"engine ray: no cluster at {spelt(found)}: {spelt(error)}") from error
    count = sum(node["Alive"] for node in ray.nodes())
    which = "a cluster of this machine alone, started for these jobs" if ours else f"the cluster at {found}"
    sys.stderr.write(f"leakaudit: ray: {which}, {count} node{'' if count == 1 else 's'}\n")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition("//")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False


class Cluster:
    """A cluster that this process is connected to, and the jobs that it was asked to do."""

    def __init__(self, ray: Any) -> None:
        """Connected it is already."""
        self._ray = ray
        self._task = ray.remote(max_calls=1, max_retries=0)(_task)  # a process each: numbers, and memory, of its own
        beside = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": beside}
        self._notes = ray.remote(**options)(Notes).remote()
        self._told: Any = None
        self._asked_at = self._watched_at = time.monotonic()
        self._stranded: dict[str, float] = {}
        self._pending: dict[Any, Try] = {}

    def ask(self, each: Try) -> None:
        """Have a job done, not on a node that refused it."""
        job = each.job
        options: dict[str, Any] = {
            "name": job.name,
            "num_cpus": job.threads,
            "num_gpus": job.gpus,
            "memory": job.memory or None,
            "runtime_env": {"env_vars": environment(job)},
        }
        if each.refused:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(each.refused)})"}
        self._pending[self._task.options(**options).remote(job, self._notes)] = each

    def busy(self) -> bool:
        """Whether something was asked that did not come to anything yet."""
        return bool(self._pending)

    def nodes(self) -> dict[str, Room]:
        """The nodes that are alive, and what each has in all."""
        found = {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}
        return {each: Room(*(has.get(key, 0) for key in ("CPU", "GPU", "memory"))) for each, has in found.items()}

    def names(self, nodes: Sequence[str]) -> str:
        """Nodes as a person knows them, and as Ray's dashboard does."""
        hosts = {node["NodeID"]: node["NodeManagerHostname"] for node in self._ray.nodes()}
        return ", ".join(f"{hosts.get(node, '?')} ({node[:8]})" for node in nodes)

    def answers(self) -> Iterator[Note | tuple[Try, Answer | Lost]]:
        """Wait a little; what was said, and one job that is over. Results stay where they are until they are due."""
        now = time.monotonic()
        if self._told is None and now - self._asked_at >= PATIENCE_SECONDS:
            self._told, self._asked_at = self._notes.taken.remote(), now
        waited = [*self._pending, *([] if self._told is None else [self._told])]
        for ready in self._ray.wait(waited, timeout=PATIENCE_SECONDS, fetch_local=False)[0]:
            if ready in self._pending:
                yield self._pending.pop(ready), self._fetched(ready)
                continue
            running = {each.job.name for each in self._pending.values()}
            self._told = None
            with contextlib.suppress(self._ray.exceptions.RayError):  # it is started again
                yield from [note for note in self._ray.get(ready) if note.job in running]

    def _fetched(self, ready: Any) -> Answer | Lost:
        broken = self._ray.exceptions
        try:
            return Answer(*self._ray.get(ready))
        except broken.RayTaskError as error:
            return Answer("", bug(error.cause))
        except broken.OutOfMemoryError:
            return Lost("its process was killed as its node ran out of memory")
        except broken.WorkerCrashedError:
            return Lost("its process was killed")
        except broken.RayError as error:
            return Lost(f"its node was lost, or its result with it ({type(error).__name__})")

    def stranded(self, patience: float) -> list[Try]:
        """Jobs that no node has had room for in so many seconds, since nodes are gone; they are asked for no more."""
        now = time.monotonic()
        if now - self._watched_at < min(WATCH_SECONDS, patience):
            return []
        self._watched_at, nodes = now, self.nodes()
        placeless = {
            each.job.name: ref
            for ref, each in self._pending.items()
            if not any(fits(each.job, room) for node, room in nodes.items() if node not in each.refused)
        }
        self._stranded = {name: self._stranded.get(name, now) for name in placeless}
        late = [placeless[name] for name, since in self._stranded.items() if now - since >= patience]
        for ref in late:
            self._ray.cancel(ref, force=True)
        return [self._pending.pop(ref) for ref in late]

    def stop(self) -> None:
        """End what is running: by its own hand where it can."""
        left = list(self._pending)
        with contextlib.suppress(self._ray.exceptions.RayError):
            for ref in left:
                self._ray.cancel(ref)
            if left:
                left = self._ray.wait(left, num_returns=len(left), timeout=GRACE_SECONDS, fetch_local=False)[1]
            for ref in left:
                self._ray.cancel(ref, force=True)
            self._ray.kill(self._notes)
        self._pending.clear()


def _task(job: Job, notes: Any) -> Answer:
    """On a node: one job, and where it was done."""
    import ray

    def tell(note: Note) -> None:
        with contextlib.suppress(ray.exceptions.RayError):
            notes.tell.remote(note)

    return Answer(ray.get_runtime_context().get_node_id(), outcome(job, tell))
