"""Jobs for the engines' tests: small work that counts, waits, fails, dies, or says where and how it runs."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import numpy as np

from leakaudit.engines import Job, Note
from leakaudit.errors import HereError, InputError, RefusedError


def count(to: int) -> Generator[Note, None, int]:
    """Count."""
    for number in range(to):
        yield Note("", f"step {number}", number + 1, to)
    return to


def meet(mine: Path, other: Path) -> Generator[Note, None, bool]:
    """End well only if another job runs at the same time."""
    mine.touch()
    for number in range(300):
        if other.exists():
            return True
        time.sleep(0.1)
        yield Note("", "waiting", number, 300)
    return False


def fail(how: str, once: Path | None = None) -> Generator[Note, None, None]:
    """Fail as a user causes it, as a bug does, or die; once there is such a file."""
    yield Note("", "", 0, 1)
    while once is not None and not once.exists():
        time.sleep(0.02)
    if how == "input":
        raise InputError("faces.csv: nothing there")
    if how == "refused":
        raise RefusedError("model.pth: would run code")
    if how == "here":
        raise HereError("mnist: not on this machine")
    if how == "disk":
        raise OSError(errno.ENOSPC, "No space left on device", "shard.safetensors")
    if how == "bug":
        raise ZeroDivisionError("of all things\nthis")
    if how == "exit":
        sys.exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


def die_until(times: int, folder: Path) -> Generator[Note, None, int]:
    """Be killed so many times, then end well."""
    tried = len(list(folder.iterdir()))
    (folder / f"{tried}.{os.getpid()}").touch()
    yield Note("", "", 0, 1)
    if tried < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return tried


def die_while_sending(times: int, folder: Path, seed: int) -> Generator[Note, None, int]:
    """Be killed so many times, at moments of chance, while much is being sent; then end well with how often it ran."""
    tried = len(list(folder.glob(f"{seed}.*")))
    (folder / f"{seed}.{tried}").touch()
    if tried < times:
        moment = np.random.default_rng([seed, tried]).uniform(0, 0.05)
        threading.Timer(moment, partial(os.kill, os.getpid(), signal.SIGKILL)).start()
    for number in range(40 if tried == times else 1_000_000):
        yield Note("", "x" * 300_000, number, 40)
    return tried + 1


def sleep(folder: Path, seconds: float = 600) -> Generator[Note, None, None]:
    """Say where it runs, and where a process that it starts, and sleep; ended, it says that it ended."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    (folder / "process").write_text(str(os.getpid()))
    (folder / "child").write_text(str(child.pid))
    try:
        yield Note("", "", 0, 1)
        last = time.monotonic() + seconds
        while time.monotonic() < last:  # Ray interrupts Python, not a call that waits in the kernel
            time.sleep(0.05)
    finally:
        (folder / "cleaned").touch()


def send(size: int, seconds: float = 0.0) -> Generator[Note, None, np.ndarray]:
    """Send many numbers, slowly."""
    yield Note("", "x" * size, 0, 1)
    time.sleep(seconds)
    return np.arange(size)


def node() -> str:
    """The name of the node of a test's cluster that this is on."""
    return os.environ.get("LEAKAUDIT_NODE", "")


def only_on(name: str, *, full: bool = False) -> Generator[Note, None, str]:
    """End well on one node, and fail on any other by what it lacks: the data, or room on its disk."""
    yield Note("", "", 0, 1)
    if node() != name and full:
        with Path("/dev/full").open("wb") as file:
            file.write(b"x" * 100_000)
    if node() != name:
        raise HereError(f"{name}: not on this machine")
    return node()


def where(folder: Path, seconds: float, size: int, name: str = "") -> Generator[Note, None, np.ndarray]:
    """Say where it runs, sleep, and send many numbers; with `name`, on that node until `anywhere` is said."""
    if name and node() != name and not (folder / "anywhere").exists():
        raise HereError(f"{name}: not on this machine")
    (folder / node()).touch()
    yield Note("", "", 0, 1)
    time.sleep(seconds)
    (folder / f"{node()}.done").touch()
    return np.arange(size)


def unsendable() -> Generator[Note, None, object]:
    """End with what no other process can be sent."""
    yield Note("", "", 0, 1)
    return (number for number in range(3))


def look() -> Generator[Note, None, dict[str, object]]:
    """Say how many threads and which GPUs it was given."""
    import torch
    from threadpoolctl import threadpool_info

    yield Note("", "", 0, 1)
    pools = {pool["user_api"]: pool["num_threads"] for pool in threadpool_info()}
    named = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}
    return {"torch": torch.get_num_threads(), **pools, **named}


def speak() -> Generator[Note, None, None]:
    """Print where only the product may stand."""
    print("not the product")  # noqa: T201  that is the point
    yield Note("", "", 0, 1)


def overlap(folder: Path, seconds: float = 0.3) -> Generator[Note, None, int]:
    """Say how many ran at the same time as it began."""
    mine = folder / str(os.getpid())
    mine.touch()
    yield Note("", "", 0, 1)
    time.sleep(seconds)
    together = len(list(folder.iterdir()))
    mine.unlink()
    return together


def finish(work: Generator) -> tuple[list, dict[str, object]]:
    """The records of a generator, and its result."""
    records = []
    while True:
        try:
            records.append(next(work))
        except StopIteration as end:
            return records, end.value


def alive(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(process: int, seconds: float = 10) -> bool:
    """Whether a process ends in time."""
    last = time.monotonic() + seconds
    while alive(process) and time.monotonic() < last:
        time.sleep(0.02)
    return not alive(process)


def every_way() -> list[Job]:
    """One job of each way to end that the engines must tell alike."""
    ways = ("input", "refused", "here", "disk", "bug", "exit")
    jobs = [Job("counts", partial(count, 3)), Job("sends", partial(send, 1000)), Job("unsendable", unsendable)]
    return jobs + [Job(how, partial(fail, how)) for how in ways]
