"""A run killed by SIGKILL at any moment loses at most one epoch, and ends with the bits of one that was not."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from nursery import Errand, Fate, Nursery, nursery
from trying import TEXT

from leakaudit import checkpoint, store
from leakaudit.numerics import state

Run = Callable[..., "subprocess.CompletedProcess[str]"]
METHODS: dict[str, dict[str, Any]] = {
    "irene": {},
    "lff": {"train.scheduler": {"name": "OneCycleLR", "max_lr": 1e-2, "total_steps": 3}},
    "pseudo-bias": {"method.inner": "end", "method.warmup": 1},
    "rebias": {"method.biased": "simple-convnet:kernel=1", "train.scheduler": {"name": "ReduceLROnPlateau"}},
    "jtt": {"method.warmup": 1},
    "group-dro": {"train.optimizer": {"name": "SGD", "lr": 1e-2, "momentum": 0.9, "nesterov": True}},
    "end": {"train.channels_last": True, "train.clip": 1.0},
    "lnl": {"train.scheduler": {"name": "CosineAnnealingWarmRestarts", "T_0": 2}},
    "fairkl": {"train.optimizer": {"name": "Adam", "lr": 5e-3, "amsgrad": True}},
    "learned-mixin": {"train.optimizer": {"name": "ASGD", "lr": 1e-2}},
}
"""Heads, second networks, buffers of rows, labels made out on the way; states of many optimisers and schedules."""
KILLS = 5
"""Of each: fifty in all."""


class Whole(NamedTuple):
    """An uninterrupted run: what it left, and what it went through."""

    left: dict[str, Any]
    fate: Fate


@pytest.fixture(scope="module")
def forks(repository: Path) -> Iterator[Nursery]:
    """Where runs are born."""
    with nursery(repository) as made:
        yield made


def errand(method: str, folder: Path) -> Errand:
    """A run of the small recipe."""
    return Errand(TEXT, {"method.name": method, **METHODS[method]}, str(folder))


@pytest.fixture(scope="module")
def whole(forks: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    """The uninterrupted run of a method."""

    @cache
    def run(method: str) -> Whole:
        what = errand(method, tmp_path_factory.mktemp("whole"))
        fate = forks.run(what)
        assert (fate.killed, fate.error, fate.seen) == (False, "", 3)
        return Whole(left(what), fate)

    return run


def home(what: Errand) -> Path | None:
    """The run's folder; None where it did not come so far."""
    return next(iter((Path(what.folder) / "store" / "checkpoints").glob("try/killed/*")), None)


def left(what: Errand) -> dict[str, Any]:
    """All that a finished run leaves, but for times: weights, objective and rows as bytes, history, card."""
    folder = home(what)
    assert folder is not None
    made = checkpoint.load(folder)
    assert not [path.name for path in folder.rglob("*") if path.name.endswith(".part") or path.name == "resume"]
    bulk = {path.name: store.digest_file(path) for path in folder.glob("*.safetensors")}
    lines = [json.loads(line) | {"seconds": 0} for line in (folder / "history.jsonl").read_text().splitlines()]
    card = replace(made.card, provenance=made.card.provenance | {"seconds": 0})
    ignored = (Path(what.folder) / "store" / ".gitignore").read_text()
    return {"history": lines, "card": card, "ignored": ignored, **bulk}


def kept(what: Errand) -> int:
    """Epochs that need not be learned again; whatever lies there is whole."""
    folder = home(what)
    if folder is None:
        return 0
    if (folder / "checkpoint.json").exists():
        return len(left_whole(folder))
    if not (folder / "resume" / "state.json").exists():
        return 0
    done = len(state.load(folder / "resume")["history"])
    assert done <= len(left_whole(folder)) <= done + 1
    return done


def left_whole(folder: Path) -> list[dict[str, Any]]:
    """The lines of the history, after the tensors of a finished run were compared with what they are promised to be."""
    if (folder / "checkpoint.json").exists():
        checkpoint.load(folder)
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


NASTY = {
    "the first state is written and not named": ("rename state.json", 0, 0),
    "the last epoch is neither in the history nor in the state": ("rename history.jsonl", 2, 2),
    "the last epoch is in the history and not in the state": ("rename state.json", 2, 2),
    "the last state is there and the one before is too": ("remove state-.safetensors", 1, 3),
    "all is written but the card": ("rename checkpoint.json", 0, 3),
    "the card is there and so is half of the way to it": ("remove state-.safetensors", 2, 3),
}
"""The change that is not made, its place among its kind, counted from 0, and the epochs that are kept."""
TORN = ("the last epoch is in the history and not in the state", "the card is there and so is half of the way to it")
"""Those at which what was written is taken back, or cleared away; the others are slow, beside fifty at random."""


@pytest.mark.parametrize(
    "moment", [each if each in TORN else pytest.param(each, marks=pytest.mark.slow) for each in NASTY]
)
def test_killed_at_the_worst_moments_a_run_goes_on(
    forks: Nursery, whole: Callable[[str], Whole], tmp_path: Path, moment: str
) -> None:
    """Between two writes that belong together: the state is whole, and the run ends as if nothing had been."""
    change, number, epochs = NASTY[moment]
    changes = whole("irene").fate.changes
    before = [place for place, each in enumerate(changes, 1) if each == change][number]
    what = errand("irene", tmp_path)
    fate = forks.run(what, before=before)
    assert (fate.killed, fate.last) == (True, change)
    assert kept(what) == epochs >= fate.seen
    again = forks.run(what)
    assert again.error == ""
    assert left(what) == whole("irene").left


def test_the_command_takes_up_a_killed_run_and_leaves_a_finished_one(
    forks: Nursery, whole: Callable[[str], Whole], tmp_path: Path, leakaudit_here: Run
) -> None:
    """Without --resume it says how; with it the run ends, with the same bits; asked again it trains nothing."""
    what = errand("irene", tmp_path)
    middle = [place for place, each in enumerate(whole("irene").fate.changes, 1) if each == "rename history.jsonl"][1]
    assert forks.run(what, before=middle).seen == 1
    (tmp_path / "recipes" / "try").mkdir(parents=True)
    (tmp_path / "recipes" / "try" / "killed.toml").write_text(TEXT)
    words = ("train", "try/killed", "--store", "store", "--root", ".", "--device", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    refused, done, found = (leakaudit_here(*words, *more) for more in ((), ("--resume",), ("--resume",)))
    torch.set_num_threads(threads)
    assert refused.returncode == 2
    assert "1 of 3 epochs are trained; go on with --resume" in refused.stderr
    assert (done.returncode, found.returncode) == (0, 0)
    same, there = left(what), whole("irene").left
    assert {**same, "card": same["card"].tensors} == {**there, "card": there["card"].tensors}
    assert done.stdout == found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_fifty_random_kills_leave_no_trace(
    forks: Nursery, whole: Callable[[str], Whole], tmp_path: Path, method: str
) -> None:
    """
    On the clock and before a change of a file by turns, at random; resumed runs are killed again.

    After each kill every epoch that was said to be done is kept, and nothing is torn.
    """
    straight = whole(method)
    rng = random.Random(f"killed {method}")  # noqa: S311 (moments, no secrets)
    kills, runs, trail, done = 0, 0, [], 0
    what = errand(method, tmp_path / "0")
    while kills < KILLS:
        if rng.random() < 0.5:
            when: dict[str, Any] = {"after": rng.uniform(0, straight.fate.seconds)}
        else:
            when = {"before": rng.randint(1, len(straight.fate.changes))}
        fate = forks.run(what, **when)
        trail.append((runs, when, fate.last if fate.killed else "finished"))
        assert fate.error == "", trail
        now = kept(what)
        assert now >= max(done, fate.seen), trail
        kills, done = kills + fate.killed, now
        if kills == KILLS or not fate.killed:
            again = forks.run(what)
            assert (again.killed, again.error) == (False, ""), trail
            assert left(what) == straight.left, trail
            runs, done = runs + 1, 0
            what = errand(method, tmp_path / str(runs))
