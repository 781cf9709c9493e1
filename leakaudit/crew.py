"""
A crew: the processes that torchrun started for one extraction, on one machine or many.

Rank 0 alone looks into the store and writes there. It says which shards are missing; each rank passes its range of
their batches, the same batches as one process passes, and goes ahead of what it is asked for; rank 0 asks for batch
after batch, in the order of the rows. What goes wrong anywhere ends all of them, with the words of rank 0. Numbers go
from the memory of one process to that of another: no disk is shared.
"""

import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NoReturn

import numpy as np
import torch
from torch import distributed as dist

from leakaudit.errors import InputError, LeakauditError, RefusedError
from leakaudit.numerics.gather import Ranks, joined, ranks
from leakaudit.origins import Traits, of_rows
from leakaudit.passes import Make, Passed, Shared, Way, alone, passes, shards, starts

PATIENCE = timedelta(days=1)
"""How long one rank waits for another that lives: it may have to read all images."""
GRACE = timedelta(seconds=10)
"""How long rank 0 waits for one that it tells to stop."""
PAUSE_SECONDS = 3
"""For rank 0 to say why: torchrun ends all others as soon as one has ended."""
STOPPED, INTERRUPTED = 2, 130
"""Exit statuses of a rank that is told to stop, and of one that Ctrl-C ended."""

Seen = tuple[range, list[np.ndarray]]
"""Rows of a batch; what is read of them, their logits, and last what their images are made of, as int64."""


@contextlib.contextmanager
def mustered(device: str) -> "Iterator[tuple[str, Crew]]":
    """
    The device of this process, and those that it works with: alone, where torchrun started none.

    Raises:
        InputError: a node has fewer GPUs than processes, or one GPU is asked for by number.
    """
    with joined(device) as mine:
        here = ranks()
        yield mine, Crew(here, dist.new_group(backend="gloo", timeout=PATIENCE) if here.world > 1 else None)


@dataclass(frozen=True)
class Crew:
    """This process among those that it works with."""

    here: Ranks
    group: Any = None
    """Through which numbers go from memory to memory."""

    @property
    def first(self) -> bool:
        """Whether this process leads: it alone writes and speaks."""
        return self.here.first

    @contextlib.contextmanager
    def leading(self) -> Iterator[Make]:
        """Who makes shards; at the end, good or bad, the others are told."""
        others = range(1, self.here.world)
        try:
            yield self._make if others else alone
        except BaseException:
            told = []
            for rank in others:
                with contextlib.suppress(RuntimeError):
                    told += self._sent(rank, {"order": "stop"})
            for work in told:
                with contextlib.suppress(RuntimeError):
                    work.wait(GRACE)
            raise
        for rank in others:
            self._say(rank, {"order": "over"})

    def _make(self, way: Way, missing: Sequence[range], traits: Traits) -> Generator[Shared, None, None]:
        """The shards, in order, of batches that all ranks pass."""
        others = range(1, self.here.world)
        for rank in others:
            ends = [(rows.start, rows.stop) for rows in missing]
            self._say(rank, {"order": "begin", "size": way.size, "missing": ends})
        for rank in others:
            said, _ = self._heard(rank)
            weights, layers, *rest = said["traits"]
            other = traits.other(Traits(weights, tuple((name, entry) for name, entry in layers), *rest))
            if other:
                raise InputError(f"{said['who']}: other {other} than process 0; the same on every node expected")
        with contextlib.closing(self._merged(way, missing)) as merged:
            yield from shards(missing, merged)

    def _merged(self, way: Way, missing: Sequence[range]) -> Generator[Passed, None, None]:
        """All batches, in order."""
        windows = shares(missing, way.size, self.here.world)
        mine = [start for window in windows for start in window[0]]
        with contextlib.closing(ahead(passes(way, mine), len(windows[0][0]))) as own:
            for window in windows:
                for rank, share in enumerate(window):
                    for start in share:
                        rows, parts = next(own) if rank == 0 else self._fetched(rank, way)
                        assert rows.start == start, f"process {rank} passed {rows}, {start} expected"
                        yield rows, parts

    def _fetched(self, rank: int, way: Way) -> Passed:
        """
        The next batch of another rank.

        Raises:
            InputError: it is made of something else than the images of this machine.
        """
        self._say(rank, {"order": "next"})
        said, (*parts, contents) = self._heard(rank)
        rows = range(*said["rows"])
        other = np.flatnonzero(way.dataset.contents[rows.start : rows.stop] != contents.view(np.uint64))
        if len(other):
            where = f"row {rows[int(other[0])]} of {way.dataset.name} {way.dataset.split}"
            raise InputError(f"{said['who']}: {where} is another image than that of process 0")
        return rows, parts

    def follow(self, prepare: Callable[[], tuple[Traits, Way]]) -> None:
        """Pass what rank 0 asks for until it says that this extraction is over, or ends all; it alone speaks."""
        try:
            self._follow(prepare)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except _GoneError:  # torchrun says what became of it
            raise SystemExit(STOPPED) from None

    def _follow(self, prepare: Callable[[], tuple[Traits, Way]]) -> None:
        failed: LeakauditError | None = None
        try:
            traits, way = prepare()
        except LeakauditError as error:
            failed = error
        own: Iterator[Seen] = iter(())
        with contextlib.ExitStack() as held:
            while (said := self._hear(0)[0])["order"] != "over":
                if said["order"] == "stop":
                    time.sleep(PAUSE_SECONDS)
                    raise SystemExit(STOPPED)
                answer: dict[str, Any] = {"who": f"process {self.here.rank} on {socket.gethostname()}"}
                arrays: list[np.ndarray] = []
                try:
                    if failed is not None:
                        raise failed
                    if said["order"] == "begin":
                        windows = shares([range(*ends) for ends in said["missing"]], said["size"], self.here.world)
                        mine = [start for window in windows for start in window[self.here.rank]]
                        seen = witnessed(replace(way, size=said["size"]), mine)
                        own = held.enter_context(contextlib.closing(ahead(seen, len(windows[0][0]))))
                        answer["traits"] = traits
                    else:
                        rows, arrays = next(own)
                        answer["rows"] = rows.start, rows.stop
                except LeakauditError as error:
                    failed, answer["wrong"], answer["status"] = error, str(error), error.exit_status
                self._say(0, answer, arrays)

    def _heard(self, rank: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        """
        The answer of another rank.

        Raises:
            InputError, RefusedError: something went wrong there.
        """
        said, arrays = self._hear(rank)
        if "wrong" in said:
            kind = RefusedError if said["status"] == RefusedError.exit_status else InputError
            raise kind(f"{said['who']}: {said['wrong']}")
        return said, arrays

    def _hear(self, rank: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        try:
            length = torch.empty(1, dtype=torch.int64)
            dist.recv(length, rank, self.group)
            words = torch.empty(int(length), dtype=torch.uint8)
            dist.recv(words, rank, self.group)
            said = json.loads(words.numpy().tobytes())
            arrays = [torch.empty(shape, dtype=getattr(torch, kind)) for kind, shape in said.pop("arrays")]
            for array in filter(torch.numel, arrays):
                dist.recv(array, rank, self.group)
        except RuntimeError:
            self._gone(rank)
        return said, [array.numpy() for array in arrays]

    def _say(self, rank: int, said: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
        try:
            for work in self._sent(rank, said, arrays):
                work.wait()
        except RuntimeError:
            self._gone(rank)

    def _sent(self, rank: int, said: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> list[Any]:
        """What is on its way to another rank: the length of some words, the words, and arrays that they tell of."""
        words = json.dumps({**said, "arrays": [(str(array.dtype), array.shape) for array in arrays]}).encode()
        tensors = [torch.tensor([len(words)]), torch.frombuffer(bytearray(words), dtype=torch.uint8)]
        tensors += [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays if array.size]
        return [dist.isend(tensor, rank, self.group) for tensor in tensors]

    def _gone(self, rank: int) -> NoReturn:
        raise _GoneError(f"process {rank} of the {self.here.world} that torchrun started is gone")


class _GoneError(InputError):
    """A process that no longer answers."""


def shares(missing: Sequence[range], size: int, world: int) -> list[list[list[int]]]:
    """
    First rows of the batches of each rank, window after window.

    A window is about a shard, and no less than a batch for each rank; each rank has an index range of it.
    """
    first = starts(missing, size)
    each = max(1, -(-len(missing[0]) // (size * world)))
    windows = [first[at : at + each * world] for at in range(0, len(first), each * world)]
    return [
        [[window[at] for at in Ranks(rank, world).part(len(window))] for rank in range(world)] for window in windows
    ]


def witnessed(way: Way, first_rows: Sequence[int]) -> Iterator[Seen]:
    """Batches, each with what its images are made of."""
    for rows, parts in passes(way, first_rows):
        yield rows, [*parts, of_rows(way.dataset, rows).view(np.int64)]


def ahead(made: Iterator[Seen], count: int) -> Generator[Seen, None, None]:
    """The same, made in a thread of its own, up to `count` of them before they are asked for."""
    with ThreadPoolExecutor(1, "pass") as runner:
        waiting: deque[Future[Seen | None]] = deque(runner.submit(next, made, None) for _ in range(max(1, count)))
        try:
            while (found := waiting.popleft().result()) is not None:
                waiting.append(runner.submit(next, made, None))
                yield found
        finally:
            runner.shutdown(cancel_futures=True)
