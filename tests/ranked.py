"""Processes that work together as those of torchrun do, forked from the test's own: torch is loaded once."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import torch
import torch._dynamo  # DistributedDataParallel asks for it: loaded here, no fork loads it
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed
from torch.multiprocessing import start_processes

from leakaudit.numerics.feed import Feed

Numbers = Mapping[str, Tensor]
PATIENCE = timedelta(seconds=60)


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
    made = work()
    save_file(
        {name: tensor.detach().contiguous().clone() for name, tensor in made.items()}, home / f"{rank}.safetensors"
    )
    distributed.destroy_process_group()


@contextlib.contextmanager
def launched(rank: int, world: int) -> Iterator[None]:
    """The variables of torchrun."""
    given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in given.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Held(Feed):
    """Images that lie there as they are, in whatever precision."""

    def __init__(self, images: Tensor) -> None:
        self.images, self.device = images, "cpu"  # type: ignore[assignment]
        self.held = images.__getitem__
