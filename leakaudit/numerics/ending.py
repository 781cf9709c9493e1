"""
How processes that work together end: whichever has something to say says it, once, and all end with its exit status.

A rank that fails leaves the others waiting in a collective, and torchrun ends them; what they see of it before (a
connection closed by a peer) is nothing to tell a user. Who speaks is settled in the store that torchrun lends its
processes, by one atomic step; rank 0 goes first, so that what all of them find wrong is said by it.
"""

import contextlib
import platform
import time
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import distributed as dist

from leakaudit.errors import HereError, InputError, LeakauditError

GRACE_SECONDS = 1.0
"""How long the others wait for what rank 0 has to say."""
PAUSE_SECONDS = 3.0
"""How long a rank that lost another waits for what that one has to say."""
INTERRUPTED = 130
KEY, BEGUN, DEVICE = "leakaudit/end", "leakaudit/begun", "leakaudit/device"
LOST = ("gloo", "nccl", "peer", "connection", "socket", "store")
"""Words of torch about another process that is not there any more."""


@runtime_checkable
class Board(Protocol):
    """What of torch's `Store` is used here."""

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        """Write where it stands as expected; what stands there then."""

    def check(self, keys: list[str]) -> bool:
        """Whether these are there."""

    def get(self, key: str) -> bytes:
        """What is there, once it is."""

    def set(self, key: str, value: str) -> None:
        """Write."""


def meet(store: Board, rank: int) -> None:
    """Wait for rank 0 to have begun: what all find wrong it says, however late it is."""
    if rank:
        store.get(BEGUN)
    else:
        store.set(BEGUN, "")


def match(store: Board, rank: int, kind: str) -> None:
    """
    Look whether this process works on a device of the same kind as rank 0; else they would wait for each other.

    Raises:
        InputError: it does not.
    """
    if not rank:
        store.set(DEVICE, kind)
        return
    found = store.get(DEVICE).decode()
    if found != kind:
        raise InputError(f"--device auto is {kind} here and {found} for process 0; the same on all expected: name it")


@contextlib.contextmanager
def one_voice(store: Board, rank: int, world: int) -> Iterator[None]:
    """
    What goes wrong in here is raised on one rank alone; on the others the process ends, with the same status.

    Raises:
        LeakauditError: as it was raised inside; of another rank than the first it says which, and on what machine.
        OSError: likewise, as it was.
        InputError: another process is gone, and left no word.
    """
    try:
        yield
    except LeakauditError as error:
        _claim(store, rank, error.exit_status)
        if rank == 0:
            raise
        raise type(error)(f"{error} (process {rank} of 0-{world - 1}, on {platform.node()})") from error
    except (KeyboardInterrupt, OSError) as error:
        _claim(store, rank, INTERRUPTED if isinstance(error, KeyboardInterrupt) else InputError.exit_status)
        raise
    except RuntimeError as error:
        time.sleep(PAUSE_SECONDS)
        said = _said(store)
        if said is not None:
            raise SystemExit(said) from error
        if isinstance(error, dist.DistError) or any(word in str(error).lower() for word in LOST):
            _claim(store, rank, HereError.exit_status)
            raise InputError("another process of this run has ended; what it printed says why") from error
        raise


def _claim(store: Board, rank: int, status: int) -> None:
    """Return on the rank that is to speak; the process of any other ends here."""
    if rank:
        time.sleep(GRACE_SECONDS)
    mine = f"{status} {rank}"
    try:
        found = store.compare_set(KEY, "", mine).decode()
    except RuntimeError:  # the store went with the process that lent it
        return
    if found != mine:
        raise SystemExit(int(found.split()[0]))


def _said(store: Board) -> int | None:
    """The exit status of the rank that spoke; None: none did."""
    with contextlib.suppress(RuntimeError):
        if store.check([KEY]):
            return int(store.get(KEY).decode().split()[0])
    return None
