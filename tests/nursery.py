"""
A process that holds torch and forks a training run for each line it reads; each dies by SIGKILL where it is told to.

One JSON line in, one out. `after` is a moment on the clock, in seconds; `before` is a change of a file below the run's
folder (a write that begins, a rename, a removal), counted from 1 as Python's audit events report them
(https://docs.python.org/3/library/audit_events.html): the run kills itself there, and the change is not made.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

TORN = re.compile(r"\.\d+\.part|\d+(?=\.safetensors)")
"""What differs in names of temporary files from one process to the next, and from epoch to epoch."""


@dataclass(frozen=True)
class Errand:
    """A run to be trained, and when it is to die."""

    text: str
    """The recipe."""
    overrides: dict[str, Any]
    folder: str
    resume: bool = True
    after: float | None = None
    """Seconds."""
    before: int | None = None
    """The change of a file that it does not live to make."""


@dataclass(frozen=True)
class Fate:
    """What became of it."""

    killed: bool
    seen: int
    """Epochs that it said were done, before it died."""
    changes: list[str]
    """Changes of files that it made, in words."""
    error: str
    """Traceback of a run that ended by itself and not well."""
    seconds: float

    @property
    def last(self) -> str:
        """The change that it did not live to make."""
        return self.changes[-1] if self.killed and self.changes else "none"


class Nursery:
    """The process, from the side of who asks."""

    def __init__(self, repository: Path) -> None:
        paths = os.pathsep.join(map(str, (repository, Path(__file__).parent)))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": paths}
        words = [sys.executable, __file__]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def run(self, errand: Errand, **changes: Any) -> Fate:
        """The run's fate; `changes` are to the errand."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(replace(errand, **changes))) + "\n")
        self.process.stdin.flush()
        return Fate(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """Let it end."""
        self.process.communicate(timeout=60)


@contextmanager
def nursery(repository: Path) -> Iterator[Nursery]:
    """One, for as long as it is asked."""
    made = Nursery(repository)
    try:
        yield made
    finally:
        made.close()


def watch(folder: str, before: int | None, told: int) -> None:
    """From here on tell of each change below the folder before it is made, and die before one of them."""
    made = 0

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal made
        if event == "open":
            changes = isinstance(values[1], str) and bool(set(values[1]) & set("wax+"))
        else:
            changes = event in ("os.rename", "os.remove", "os.rmdir")
        if not changes or isinstance(values[0], int):
            return
        apart = event != "open" and values[-1] != -1  # rmtree names what it removes by the folder that it is in
        path = os.fsdecode(values[1 if event == "os.rename" else 0])
        if not apart and not path.startswith(folder):
            return
        made += 1
        os.write(told, f"change {event.removeprefix('os.')} {TORN.sub('', Path(path).name)}\n".encode())
        if made == before:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def train(errand: Errand, told: int) -> NoReturn:
    """In the fork: train to the end, telling of each epoch that is done."""
    from leakaudit import recipe
    from leakaudit import train as training

    status = 1
    try:
        folder = Path(errand.folder)
        what = recipe.read(errand.text, "try/killed", "try", errand.overrides)
        watch(str(folder), errand.before, told)
        for epoch in training.train(
            what, store=folder / "store", root=folder, seed=0, device="cpu", resume=errand.resume
        ):
            os.write(told, f"epoch {epoch.done}\n".encode())
        status = 0
    except BaseException:  # noqa: BLE001 (the fork must never run on as its parent)
        os.write(told, b"error " + json.dumps(traceback.format_exc()).encode() + b"\n")
    finally:
        os._exit(status)


def raised(errand: Errand) -> Fate:
    """Fork, wait, kill, and say what happened."""
    hears, tells = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if not child:
        os.close(hears)
        train(errand, tells)
    os.close(tells)
    said = b""
    while True:
        left = None if errand.after is None else start + errand.after - time.monotonic()
        if left is not None and left <= 0:
            os.kill(child, signal.SIGKILL)
            errand = replace(errand, after=None)
            continue
        if select.select([hears], [], [], left)[0]:
            part = os.read(hears, 1 << 16)
            said += part
            if not part:
                break
    os.close(hears)
    _, status = os.waitpid(child, 0)
    lines = [line.partition(" ")[::2] for line in said.decode().splitlines()]
    return Fate(
        killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
        seen=max([int(rest) for kind, rest in lines if kind == "epoch"], default=0),
        changes=[rest for kind, rest in lines if kind == "change"],
        error="".join(json.loads(rest) for kind, rest in lines if kind == "error"),
        seconds=time.monotonic() - start,
    )


def main() -> None:
    """Load everything once, then fork for each line."""
    import torch
    from trying import finish, plan, work

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        finish(work(plan(train__epochs=1), Path(folder)))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(raised(Errand(**json.loads(line))))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
