"""Processes that extract together, forked from the test's own: each has what the test made, and says how it ended."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401 (once, for all that are forked)
from test_extract import encoder, finish
from torch import distributed as dist
from torch import multiprocessing

from leakaudit import extract
from leakaudit.crew import Crew
from leakaudit.dataset import Dataset
from leakaudit.encoder import Encoder
from leakaudit.errors import LeakauditError
from leakaudit.numerics import taps
from leakaudit.numerics.gather import ranks

Case = Callable[[int], tuple[Encoder, Dataset]]
"""What the process of a rank finds on its machine."""


def plain(data: Dataset, source: Encoder | None = None) -> Case:
    """The same on every machine."""
    return lambda _: (source or encoder(data), data)


def run(world: int, home: Path, case: Case, **how: Any) -> list[dict[str, Any]]:
    """What each rank says in the end: its exit status, words, and how many rows passed its network."""
    home.mkdir(parents=True, exist_ok=True)
    place = home.parent / f"{home.name}-said"
    place.mkdir(exist_ok=True)
    for left in place.iterdir():
        left.unlink()
    arguments = (world, home, place, case, {"device": "cpu", "batch_size": 7} | how)
    multiprocessing.start_processes(_rank, arguments, nprocs=world, start_method="fork")
    return [json.loads((place / str(rank)).read_text()) for rank in range(world)]


def _rank(rank: int, world: int, home: Path, place: Path, case: Case, how: dict[str, Any]) -> None:
    passed: list[int] = []
    forward = taps.Tapped.forward
    taps.Tapped.forward = lambda self, x: (passed.append(len(x)), forward(self, x))[1]  # type: ignore[method-assign]
    said: dict[str, Any] = {"status": 0, "words": "", "steps": []}
    try:
        dist.init_process_group("gloo", init_method=f"file://{place / 'meet'}", rank=rank, world_size=world)
        crew = Crew(ranks(), dist.new_group(backend="gloo", timeout=timedelta(seconds=60)))
        if crew.first:
            with crew.leading() as make:
                steps, _ = finish(extract.together(*case(rank), store=home, make=make, **how))  # type: ignore[arg-type]
                said["steps"] = [step.done for step in steps]
        else:
            crew.follow(lambda: extract.helped(*case(rank), **how))
    except LeakauditError as error:
        said |= {"status": error.exit_status, "words": str(error)}
    except SystemExit as error:
        said["status"] = error.code
    said["passed"] = sum(passed) - 4 * 2 if passed else 0  # four passes over two images show what it gives
    (place / str(rank)).write_text(json.dumps(said))
    os._exit(0)
