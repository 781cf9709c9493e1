"""
Extraction farmed out: the shards that are missing as jobs of an engine, on this machine or many.

A job finds the network and the rows on its own machine, where they must be those of whoever asked, passes the rows of a
few shards and returns what was read. Whoever asked checks and writes it, as if it had passed them itself, so that no
disk is shared and a job that is lost with its machine is done again elsewhere.
"""

import contextlib
import os
import socket
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from leakaudit import auditor
from leakaudit.engines import Ended, Failed, Job, Run
from leakaudit.errors import HereError, InputError, LeakauditError
from leakaudit.numerics import device as devices
from leakaudit.numerics.launching import launched
from leakaudit.origins import Traits, of_rows
from leakaudit.passes import Make, Shared, Way, alone
from leakaudit.store import digest_tensors
from leakaudit.subject import Terms

JOBS = 64
"""At most, while their results stay small: each begins by loading libraries and finding its subject."""
RESULT = 512 << 20
"""Bytes that a job may return, if it makes more than one shard."""
THREADS = 4
"""Of a job with a GPU, at most, to decode images. One without has one, so that its numbers are the same anywhere."""
VARIABLE = "LEAKAUDIT_DATA"


@dataclass(frozen=True)
class Errand:
    """What a job is to do, and what it must find."""

    subject: str
    """As it was typed."""
    terms: Terms
    """With the device that each job resolves for itself."""
    folder: Path
    """In which it was typed: paths may be relative to it."""
    data: str | None
    """Where data lie by the environment of whoever asks; a machine whose own says otherwise has them there."""
    traits: Traits
    rows: tuple[range, ...]
    """Of each shard."""
    contents: tuple[str, ...]
    """Sha256 of what the images of each shard are made of."""


@dataclass(frozen=True)
class Step:
    """One more shard is made."""

    done: int
    total: int


def make(run: Run, subject: str, terms: Terms) -> Make:
    """
    Who makes shards as jobs: each has a GPU to itself where the device says cuda, or says auto and there is one here.

    Raises:
        InputError: torchrun shares out the work already.
    """
    if launched():
        raise InputError("--engine: torchrun shares out the rows already; one of both expected")
    return partial(_made, run, subject, terms)


def device(asked: str) -> str:
    """
    The device of whoever asks, who passes next to nothing: a GPU that the jobs are to have may not be here.

    Raises:
        InputError: one GPU is asked for by number.
    """
    if ":" in asked:
        raise InputError(f"--device {asked}: each job has a GPU of its own; auto, cpu or cuda expected")
    return "auto" if asked == "cuda" else asked


def _made(
    run: Run, subject: str, terms: Terms, way: Way, missing: Sequence[range], traits: Traits
) -> Generator[Shared, None, None]:
    """
    The shards, as jobs end, in whatever order.

    Raises:
        InputError, RefusedError: jobs failed; raised once all the others have ended.
    """
    gpus = float(terms.device == "cuda" or (terms.device == "auto" and torch.cuda.is_available()))
    parts = _parts(missing, 4 * way.width)
    threads = min(THREADS, os.cpu_count() or 1) if gpus else 1
    place = (terms, Path.cwd(), os.environ.get(VARIABLE), traits)
    jobs = {}
    for rows in parts:
        contents = tuple(digest_tensors({"contents": way.dataset.contents[each.start : each.stop]}) for each in rows)
        errand = Errand(subject, *place, rows, contents)
        name = f"rows {rows[0].start}-{rows[-1].stop - 1}"
        jobs[name] = Job(name, partial(work, errand), threads=threads, gpus=gpus), rows
    failed: list[tuple[str, Failed]] = []
    with contextlib.closing(run([job for job, _ in jobs.values()], keep=False)) as notes:
        for note in notes:
            if isinstance(note, Ended) and isinstance(note.result, Failed):
                failed.append((note.job, note.result))
            elif isinstance(note, Ended):
                yield from zip(jobs[note.job][1], note.result, strict=True)
    if failed:
        name, first = failed[0]
        error = first.raised()
        rest = f" ({len(failed)} of {len(jobs)} jobs failed; what the others made is kept)" * (len(jobs) > 1)
        raise type(error)(f"{name}: {error}{rest}")


def work(errand: Errand) -> Generator[Step, None, list[list[np.ndarray]]]:
    """
    What is read of each shard, and its logits.

    Raises:
        HereError: the subject or its rows are not on this machine, or are others.
        InputError: an image cannot be read, or the network takes none of these.
    """
    here, terms = socket.gethostname(), errand.terms
    if os.environ.get(VARIABLE, errand.data) != errand.data:
        terms = replace(terms, root=Path(os.environ[VARIABLE]))
    with _standing(errand.folder):
        try:
            terms = replace(terms, device=devices.resolve(terms.device))
            traits, way = auditor.helped(auditor.find(errand.subject, terms), terms)
        except LeakauditError as error:
            raise HereError(f"{here}: {error}") from error
        if other := errand.traits.other(traits):
            raise HereError(f"{here}: other {other} than on the machine that asked")
        for rows, contents in zip(errand.rows, errand.contents, strict=True):
            if digest_tensors({"contents": of_rows(way.dataset, rows)}) != contents:
                where = f"rows {rows.start} to {rows.stop - 1} of {way.dataset.name} {way.dataset.split}"
                raise HereError(f"{here}: {where}: other images than on the machine that asked")
        made = []
        for _, arrays in alone(way, errand.rows, traits):
            made.append(arrays)
            yield Step(len(made), len(errand.rows))
    return made


def _parts(missing: Sequence[range], width: int) -> list[tuple[range, ...]]:
    """The shards of each job, of `width` bytes a row."""
    most = max(1, RESULT // (len(missing[0]) * width))
    count = min(most, -(-len(missing) // JOBS))
    return [tuple(missing[at : at + count]) for at in range(0, len(missing), count)]


@contextlib.contextmanager
def _standing(folder: Path) -> Iterator[None]:
    """In that folder, if this machine has it."""
    with contextlib.chdir(folder) if folder.is_dir() else contextlib.nullcontext():
        yield
