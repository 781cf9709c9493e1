"""Processes that work together as those of torchrun do, forked from the test's own: torch is loaded once."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import jaxtyping
import scipy.stats  # noqa: F401 (as all that a command loads, loaded here: no fork loads it)
import sklearn.datasets  # noqa: F401
import torch
import torch._dynamo  # DistributedDataParallel asks for it
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed
from torch.multiprocessing import start_processes

from leakaudit import cli, train  # noqa: F401
from leakaudit.numerics.feed import Feed

Numbers = Mapping[str, Tensor]
PATIENCE = timedelta(seconds=60)
GRACE_SECONDS = 60
"""How long processes may take that torchrun would end at once, before they count as hanging."""


def together(work: Callable[[], Numbers], world: int = 2) -> list[dict[str, Tensor]]:
    """What each rank of a gloo group makes of it, in order of rank."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        start_processes(_one, (world, home, work), nprocs=world, start_method="fork")
        return [load_file(home / f"{rank}.safetensors") for rank in range(world)]


def _one(rank: int, world: int, home: Path, work: Callable[[], Numbers]) -> None:
    torch.set_num_threads(1)
    place = f"file://{home / 'meeting'}"
    distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=world, timeout=PATIENCE)
    made = {name: tensor.detach().contiguous().clone() for name, tensor in work().items()}
    save_file(made, home / f"{rank}.safetensors")
    distributed.destroy_process_group()


class End(NamedTuple):
    """How a process ended."""

    status: int
    """-15 where it was ended, as torchrun does once another failed."""
    out: str
    err: str


def command(
    *words: str, folder: Path, world: int = 2, before: Callable[[int], None] = lambda _: None, kill: float = 0
) -> list[End]:
    """
    The command, started by something like torchrun in a folder: once one fails the others are ended.

    Each process calls `before` with its rank first; after `kill` seconds all get a SIGKILL.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [folder / f".rank{rank}" for rank in range(world)]
    given = [(rank, world, port, folder, place, words, before) for rank, place in enumerate(places)]
    running = [get_context("fork").Process(target=_command, args=each) for each in given]
    for each in running:
        each.start()
    deadline = time.monotonic() + (kill or GRACE_SECONDS)
    while any(each.is_alive() for each in running) and time.monotonic() < deadline:
        if any(each.exitcode for each in running):
            [each.terminate() for each in running]
        time.sleep(0.02)
    hanging = not kill and [rank for rank, each in enumerate(running) if each.is_alive()]
    for each in running:
        each.kill()
        each.join()
    assert not hanging, f"ranks {hanging} hang"
    texts = [[(place.with_suffix(kind)).read_text() for kind in (".out", ".err")] for place in places]
    return [End(int(each.exitcode or 0), *text) for each, text in zip(running, texts, strict=True)]


def _command(
    rank: int, world: int, port: int, folder: Path, place: Path, words: Sequence[str], before: Callable[[int], None]
) -> None:
    for number, kind in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(place.with_suffix(kind), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in given.items()}, CI="1")
    os.chdir(folder)
    torch.set_num_threads(1)
    jaxtyping.config.update("jaxtyping_disable", True)
    sys.argv = ["leakaudit", *words]
    try:
        before(rank)
        cli.main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


class Held(Feed):
    """Images that lie there as they are, in whatever precision."""

    def __init__(self, images: Tensor) -> None:
        self.images, self.device = images, "cpu"  # type: ignore[assignment]
        self.held = images.__getitem__
