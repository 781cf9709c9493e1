"""The watched process, warm: what every test of hostile files asks."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked import asked_of

from leakaudit import store

ROOM = 8 << 30
"""Bytes of address space beyond what the libraries hold: protects the machine that runs the tests."""
GROWTH = 256 << 20
"""Bytes of memory that opening a small file may touch."""
SECONDS = 20
"""Within which it ends; killed after that."""


@dataclass(frozen=True)
class End:
    """How a job in the watched process ended."""

    exit: int | None
    """None: a reader gave a result, which `said` tells of."""
    said: str
    bug: str
    """What must never be: a traceback, a signal, a hang, or what the watcher stopped."""
    out: str
    err: str
    seen: list[str]
    """Events that the watcher stopped."""
    changed: list[str]
    """Files of its folder that are new, gone or other than before."""
    seconds: float
    grown: int
    """Bytes by which its memory grew at its peak."""

    def nothing_done(self) -> None:
        """Fail where the file ran, wrote, connected, crashed, hung or filled the memory."""
        assert not self.bug, self.bug
        assert not self.seen
        assert not self.changed
        assert self.grown < GROWTH

    def said_in_one_line(self) -> str:
        """What was said at the end, which is one line that a terminal shows as it is."""
        words = self.said or (self.err.strip().splitlines() or [""])[-1]
        assert words
        assert words.isprintable(), words[:300]
        assert len(words) < 2000
        return words


Asking = Callable[[Path], list[list[str]]]
"""The jobs that are asked of a file."""


class Watcher:
    """Asks the watched process."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder = process, folder

    def ask(self, **ask: Any) -> list[dict[str, Any]]:
        """Send one line, and have one back."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def warm(self, *jobs: list[str]) -> None:
        """Do jobs without a fork, so that what they import is there."""
        home = self.folder / "warm"
        home.mkdir(exist_ok=True)
        self.ask(warm=True, home=str(home), jobs=jobs)

    def each(self, jobs: list[list[str]], home: Path, **more: Any) -> list[End]:
        """How jobs end, one after the other in one fork; the last to be told is where it crashed or hung."""
        return [
            End(**end) for end in self.ask(jobs=jobs, home=str(home), **({"seconds": SECONDS, "room": ROOM} | more))
        ]

    def every(self, jobs: list[list[str]], home: Path) -> list[End]:
        """The same for many, of which one that crashes or hangs does not keep the others from their end."""
        ends: list[End] = []
        while len(ends) < len(jobs):
            ends += self.each(jobs[len(ends) :], home, seconds=10 * SECONDS)
        return ends

    def files(self, files: dict[str, bytes], ask: Asking, folder: Path) -> dict[str, list[End]]:
        """How what is asked of each file ends, by its name; they are written to a folder, and worked on in another."""
        store.open_store(folder / "home" / ".leakaudit")
        for name, data in files.items():
            (folder / name).write_bytes(data)
        asked = [ask(folder / name) for name in files]
        ends = iter(self.every([job for jobs in asked for job in jobs], folder / "home"))
        return {name: [next(ends) for _ in jobs] for name, jobs in zip(files, asked, strict=True)}

    def __call__(self, job: str, *words: object, home: Path, **more: Any) -> End:
        """How a job ends in a fork of the watched process, whose folder is `home`."""
        return self.each([[job, *map(str, words)]], home, **more)[0]


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder to work in, with the empty store that every command would make."""
    store.open_store(tmp_path / ".leakaudit")
    return tmp_path


@pytest.fixture
def post(tmp_path_factory) -> Path:
    """The folder in which a stranger's file arrives."""
    return tmp_path_factory.mktemp("post")


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A data set of eight small images, on which a hostile model is attacked."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 4, 4), dtype=np.uint8)
    np.savez(path, images=image, digit=np.arange(8) % 2, background=np.arange(8) // 4)
    return path


@pytest.fixture(scope="session")
def watcher(tmp_path_factory, environment, images) -> Iterator[Watcher]:
    """The watched process, after it opened an honest file of each kind."""
    from honest import files

    folder = tmp_path_factory.mktemp("watched")
    code = Path(__file__).with_name("watched.py")
    process = subprocess.Popen(
        [sys.executable, str(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
        env=environment | {"PYTHONPATH": str(code.parents[2])},
    )  # fmt: skip
    with process:
        asked = Watcher(process, folder)
        for path in files(folder):
            asked.warm(["embeddings", str(path)], ["ledger", str(path)], *asked_of(path, images))
            asked.warm(["command", "checkpoints", "list", "--ledger", str(path)], ["command", "extract", str(path)])
        yield asked
        assert process.stdin is not None
        process.stdin.close()
