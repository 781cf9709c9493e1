"""
Local: jobs side by side in processes of their own, as many at a time as this machine has cores, GPUs and memory for.

Each process has a pipe of its own to this one, so that whatever kills it, at whatever moment, holds up no other, and a
process group of its own, so that what it started ends with it.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple

from leakaudit.engines import BUG, Ended, Failed, Job, Note
from leakaudit.engines._room import NEGLIGIBLE, Room, check, fits
from leakaudit.engines._working import Outcome, bug, environment, outcome

PATIENCE_SECONDS = 0.5
"""Between two looks at who is still alive."""
GRACE_SECONDS = 5.0
"""For a process to end by itself, once it is told to or has done its work."""
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What a container may take."""
KILLED = 128


class Worker(NamedTuple):
    """A job's process."""

    job: Job
    attempt: int
    process: Any
    pipe: connection.Connection
    devices: tuple[int, ...]
    """GPUs of this machine that it was given, or has a share of."""


def run(
    jobs: Sequence[Job], *, attempts: int = 3, keep: bool = True, processes: int = 0, cpus: int = 0
) -> Generator[Note | Ended, None, dict[str, Any]]:
    """
    Run the jobs, `processes` at a time (0: as many as fit) on `cpus` cores (0: those that this process may use).

    Without `keep` each result is handed over once, in `Ended`, and what is returned in the end holds none. Interrupted,
    it ends every job at once: what they wrote is whole, and a later run goes on from there.

    Raises:
        InputError: a job needs more than this machine has; before any job starts.
    """
    machine = _machine(jobs, cpus)
    check(jobs, [machine], "this machine")
    waiting = [(job, 1) for job in jobs]
    running: list[Worker] = []
    results: dict[str, Any] = {}
    try:
        while waiting or running:
            for job, attempt in list(waiting):
                devices = _given(job, machine, running) if len(running) < (processes or len(jobs)) else None
                if devices is not None:
                    waiting.remove((job, attempt))
                    running.append(_started(job, attempt, devices))
            connection.wait(
                [each for worker in running for each in (worker.pipe, worker.process.sentinel)], PATIENCE_SECONDS
            )
            for worker in list(running):
                gone = worker.process.exitcode is not None  # asked first: what it said before is in the pipe by now
                came_to = yield from _heard(worker, gone=gone)
                if came_to is None and not gone:
                    continue
                how = _death(worker) if came_to is None else None
                _swept(worker)
                running.remove(worker)
                if how is not None and worker.attempt < attempts:
                    waiting.insert(0, (worker.job, worker.attempt + 1))
                    yield Note(worker.job.name, f"{how.words}; attempt {worker.attempt + 1} of {attempts}", 0, 1)
                    continue
                yield _ended(worker.job.name, came_to or Outcome(_given_up(worker, how)), results, keep=keep)
                del came_to
    finally:
        _stop(running)
    return results


def _machine(jobs: Sequence[Job], cpus: int) -> Room:
    """What this process may use; GPUs are counted, by the driver's library, only where a job asks for one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = cpus or (len(affinity(0)) if affinity else os.cpu_count() or 1)
    gpus = 0
    if any(job.gpus for job in jobs):
        import torch

        gpus = torch.cuda.device_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int(LIMIT.read_text()))
    return Room(cores, gpus, memory)


def _given(job: Job, machine: Room, running: Sequence[Worker]) -> tuple[int, ...] | None:
    """The GPUs for a job, the idlest first; None where it has to wait."""
    free = [1.0] * int(machine.gpus)
    for worker in running:
        for device in worker.devices:
            free[device] -= min(1.0, worker.job.gpus)
    share = min(1.0, job.gpus)
    idlest = sorted(
        (device for device in range(len(free)) if free[device] + NEGLIGIBLE >= share), key=lambda at: -free[at]
    )
    devices = tuple(sorted(idlest[: max(1, int(job.gpus))])) if job.gpus else ()
    left = Room(
        machine.cpus - sum(worker.job.threads for worker in running),
        len(devices),
        machine.memory - sum(worker.job.memory for worker in running),
    )
    return devices if fits(job, left) else None


def _started(job: Job, attempt: int, devices: Sequence[int]) -> Worker:
    """
    Start with Ctrl-C held back and the environment of the job, both of which the child inherits.

    It is this process that Ctrl-C ends, and that ends the others.
    """
    said = environment(job)
    if devices:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        known = dict(enumerate(visible if any(visible) else ()))
        said["CUDA_VISIBLE_DEVICES"] = ",".join(known.get(device, str(device)).strip() for device in devices)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, theirs), daemon=True)
    before = {name: os.environ.get(name) for name in said}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(said)
    try:
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
    return Worker(job, attempt, process, ours, tuple(devices))


def _heard(worker: Worker, *, gone: bool) -> Generator[Note, None, Outcome | None]:
    """What a worker has said since, and what its job came to; what was cut off as it died is left out."""
    if gone:
        _kill(worker)  # what it left behind may hold the pipe open
    with contextlib.suppress(EOFError, OSError):
        while worker.pipe.poll():
            said = worker.pipe.recv()
            if isinstance(said, Outcome):
                return said
            yield said
    return None


def _death(worker: Worker) -> Failed:
    """How a process ended that said nothing of it."""
    status = worker.process.exitcode
    if status < 0:
        return Failed(KILLED - status, f"its process was killed by {signal.Signals(-status).name}")
    return Failed(BUG, f"its process ended with status {status}")


def _given_up(worker: Worker, how: Failed | None) -> Failed:
    assert how is not None
    return how._replace(words=f"{how.words}{f', {worker.attempt} times' if worker.attempt > 1 else ''}")


def _ended(name: str, came_to: Outcome, results: dict[str, Any], *, keep: bool) -> Ended:
    sys.stderr.write(came_to.trace)
    results[name] = came_to.result if keep else None
    return Ended(name, came_to.result)


def _stop(running: Sequence[Worker]) -> None:
    """End them all: by their own hand where they can, and none is left."""
    for worker in running:
        with contextlib.suppress(ValueError):  # closed as the interruption came
            worker.process.terminate()
    last = time.monotonic() + GRACE_SECONDS
    try:
        for worker in running:
            with contextlib.suppress(ValueError):
                worker.process.join(max(0.0, last - time.monotonic()))
    finally:
        for worker in running:
            with contextlib.suppress(ValueError):
                _swept(worker, patience=0.0)


def _swept(worker: Worker, patience: float = GRACE_SECONDS) -> None:
    """Let a worker end, then kill what is left of it and of what it started."""
    worker.process.join(patience)
    _kill(worker)
    worker.process.kill()
    worker.process.join(GRACE_SECONDS)
    if worker.process.exitcode is not None:
        worker.process.close()
    worker.pipe.close()


def _kill(worker: Worker) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signal.SIGKILL)


def _work(job: Job, pipe: connection.Connection) -> None:
    """The child: one job, its notes and its end."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _told_to_end)
    os.dup2(2, 1)  # stdout is for what the command is asked for
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    try:
        came_to = outcome(job, pipe.send)
        try:
            pipe.send(came_to)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001  whatever cannot be sent
            pipe.send(bug(error))
    except (KeyboardInterrupt, BrokenPipeError):
        _end()


def _told_to_end(*_: object) -> None:
    raise KeyboardInterrupt


def _outlive_nobody() -> None:
    """Wait for the parent to die, and follow it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    _end()


def _end() -> None:
    """End at once, and with it whatever this job has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(KILLED + signal.SIGTERM)
