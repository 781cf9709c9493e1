"""Local: jobs side by side in processes of their own, as many at a time as there are cores."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Generator, Sequence
from typing import Any

from leakaudit.engines import Ended, Failed, Job, Note
from leakaudit.errors import LeakauditError

PATIENCE_SECONDS = 0.5
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(jobs: Sequence[Job], *, attempts: int = 3, processes: int = 0) -> Generator[Note | Ended, None, dict[str, Any]]:
    """
    Run the jobs, `processes` at a time (0: one per core); returns their results by name.

    Interrupted, it ends every job at once: what they wrote is whole, and a later run goes on from there.
    """
    del attempts  # to come
    context = multiprocessing.get_context("spawn")
    notes: Any = context.Queue()
    waiting, running, results = list(jobs), dict[str, Any](), dict[str, Any]()
    try:
        while waiting or running:
            while waiting and len(running) < (processes or os.cpu_count() or 1):
                job = waiting.pop(0)
                running[job.name] = context.Process(target=_work, args=(job, notes), daemon=True)
                _start(running[job.name], job.threads)
            try:
                name, what = notes.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                for name, process in running.items():
                    assert process.is_alive() or not notes.empty(), f"{name} died with status {process.exitcode}"
                continue
            if isinstance(what, Note):
                yield what
            else:
                results[name] = what[0]
                running.pop(name).join()
                yield Ended(name, what[0])
    finally:
        for process in running.values():
            process.terminate()
            process.join()
    return results


def _start(process: Any, threads: int) -> None:
    """
    Start with Ctrl-C ignored and the threads of every BLAS said, both of which the child inherits.

    It is this process that Ctrl-C ends, and that ends the others.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    unset = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, str(threads)))
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
        for name in unset:
            del os.environ[name]


def _work(job: Job, notes: Any) -> None:
    """The child: one job, its notes and its end."""
    import torch

    torch.set_num_threads(job.threads)
    try:
        work = job.work()
        while True:
            try:
                record = next(work)
            except StopIteration as end:
                notes.put((job.name, (end.value,)))
                return
            words = getattr(record, "words", "")
            notes.put((job.name, Note(job.name, words, record.done, record.total)))
    except LeakauditError as error:
        notes.put((job.name, (Failed(error.exit_status, str(error), error),)))
