"""What a machine has room for, and what a job needs of it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.engines import Job
from leakaudit.errors import InputError

NEGLIGIBLE = 1e-6
"""Of a GPU: ten times a tenth of one is a whole one."""


class Room(NamedTuple):
    """What one machine has."""

    cpus: float
    gpus: float
    memory: float
    """Bytes."""


def fits(job: Job, room: Room) -> bool:
    """Whether this much is enough for the job."""
    return not _short(job, room)


def check(jobs: Sequence[Job], rooms: Sequence[Room], where: str) -> None:
    """
    Look whether every job can ever run; `where` is what the largest of the machines is called.

    Raises:
        InputError: a job needs more than any machine has, more than one GPU but no whole number of them, or none of
            what it cannot do without.
    """
    assert len({job.name for job in jobs}) == len(jobs), "results come by name: no two jobs of one name"
    largest = Room(*(max((room[each] for room in rooms), default=0) for each in range(len(Room._fields))))
    for job in jobs:
        if job.threads < 1 or job.gpus < 0 or job.memory < 0 or not math.isfinite(job.gpus):
            raise InputError(f"{job.name}: {needs(job)}: at least 1 CPU, and no GPUs or memory below 0, expected")
        if job.gpus > 1 and job.gpus != int(job.gpus):
            raise InputError(f"{job.name}: {job.gpus:g} GPUs: a share of one, or a whole number of them, expected")
        for need, there in _short(job, largest):
            raise InputError(f"{job.name}: needs {need}, {where} has {there}")
        if not any(fits(job, room) for room in rooms):
            raise InputError(f"{job.name}: needs {needs(job)}, and no machine has all of it")


def needs(job: Job) -> str:
    """What a job declared, in words."""
    gpus, memory = job.gpus and f", {_gpus(job.gpus)}", job.memory and f", {_gigabytes(job.memory)} of memory"
    return f"{_cpus(job.threads)}{gpus or ''}{memory or ''}"


def _short(job: Job, room: Room) -> list[tuple[str, str]]:
    """What there is too little of: how much the job needs, how much there is."""
    return [
        (f"{say(need)}{what}", say(there))
        for need, there, say, what in (
            (job.threads, room.cpus, _cpus, ""),
            (job.gpus, room.gpus, _gpus, ""),
            (job.memory, room.memory, _gigabytes, " of memory"),
        )
        if need > there + NEGLIGIBLE
    ]


def _cpus(count: float) -> str:
    return f"{count:g} CPU{'' if count == 1 else 's'}"


def _gpus(count: float) -> str:
    return f"{f'{count:g}' if count else 'no'} GPU{'' if 0 < count <= 1 else 's'}"


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"
