"""
Training by a recipe, into a folder that is named by what is trained: recipe, seed, data and version.

After each epoch everything the next one needs lies in the folder's `resume/`, so a run that was killed ends with the
same weights as one that was not. Of several ranks that torchrun started the first alone looks into the store and writes
there; the others hear from it where the run stands, and need no disk in common with it. Decoded images alone are
kept by each machine, below its own store (`images.decoded`).
"""

import contextlib
import json
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from leakaudit import checkpoint
from leakaudit import recipe as recipes
from leakaudit import store as files
from leakaudit.certificate import finish, heard, held_out, spoken
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset
from leakaudit.errors import InputError, RefusedError
from leakaudit.images import decoded
from leakaudit.images.decoded import Keeping
from leakaudit.loop import Loop, Target
from leakaudit.numerics import device as devices
from leakaudit.numerics import state
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.gather import ranks, told
from leakaudit.plan import Plan, prepare
from leakaudit.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """One epoch is over; a line of `history.jsonl`."""

    recipe: str
    done: int
    """Finished epochs."""
    total: int
    loss: float
    """Mean over the epoch's rows."""
    accuracy: float | None
    """Target accuracy on the training rows, each at the moment it was learned from; None for a target of numbers."""
    validation_accuracy: float | None
    """Target accuracy on the `validation` split; None where there is none."""
    lr: float
    seconds: float
    mae: float | None = None
    """For a target of numbers: mean absolute error in its own unit on the training rows, likewise."""
    r2: float | None = None
    """And the share of its variance that is explained."""
    validation_mae: float | None = None
    """The same on the `validation` split."""
    validation_r2: float | None = None

    @property
    def words(self) -> str:
        """For a progress bar."""
        off = f"off by {self.mae:.4g}" if self.accuracy is None else f"{self.accuracy:.3f}"
        return f"loss {self.loss:.3f}, target {off}"


def train(
    recipe: Recipe, *, store: Path, root: Path, seed: int, device: str, resume: bool, patience: float = 0.0
) -> Generator[Epoch | Keeping, None, Checkpoint]:
    """
    The checkpoint of a recipe: trained, or found complete in the store.

    Another process that trains it is waited for, for `patience` seconds.

    Raises:
        InputError: the recipe does not fit its data set, backbone, method, optimiser or device (before anything is
            written); an unfinished run lies there and `resume` is false; another process trains it; the loss diverged.
        RefusedError: the unfinished or the complete run is damaged.
    """
    first = None
    if recipe.train.start is not None:
        parent = recipes.load(_start(recipe))
        how: dict[str, Any] = {"store": store, "root": root, "seed": seed, "device": device, "patience": patience}
        first = yield from train(parent, resume=resume, **how)
    plan = prepare(recipe, root, seed, device, first)
    folder = store / "checkpoints" / recipe.name / plan.key
    writes = ranks().first
    if writes:
        files.open_store(store)
    with _alone(folder, patience) if writes else contextlib.nullcontext(), devices.hoarding(device):
        made, history = _stand(plan, folder, resume=resume)
        if made is not None:
            return made
        made_of = plan.splits["train"].contents
        sets = plan.splits
        if recipe.train.decoded:
            sets = yield from decoded.kept(sets, store / "data" / "decoded", device)
        feeds = {split: Feed(data, device) for split, data in sets.items()}
        y = _column(plan.splits["train"], recipe.target, device)
        hidden = torch.full_like(y, -1, dtype=torch.int64)
        v = hidden if plan.blind else _column(plan.splits["train"], recipe.private, device)
        for number in range(len(history), recipe.train.epochs):
            start = time.perf_counter()
            try:
                learned = plan.loop.epoch(number, feeds["train"], y, v)
            except InputError as error:
                kept = f"; the state after epoch {number} is kept in {folder / 'resume'}" if number else ""
                raise InputError(f"{error}{kept}") from error
            accuracy, mae, r2 = held_out(plan, feeds)
            seconds = time.perf_counter() - start
            history.append(
                Epoch(
                    recipe.name, number + 1, recipe.train.epochs, learned.loss, learned.accuracy, accuracy, learned.lr,
                    seconds, learned.mae, learned.r2, mae, r2,
                )
            )  # fmt: skip
            if writes:
                _keep(plan.loop, folder, history)
            yield history[-1]
        made = finish(plan, feeds, folder, made_of, sum(epoch.seconds for epoch in history))
        if writes:
            shutil.rmtree(folder / "resume", ignore_errors=True)
        return made


def broken_promises(made: Checkpoint, recipe: Recipe) -> list[str]:
    """
    The figures of a checkpoint that miss what the recipe promises by more than the tolerance; one line each.

    The recipe is the one asked for: what it promises may be younger than the checkpoint. An accuracy is a lower bound;
    `mae`, the mean absolute error in the target's own unit, is an upper one.
    """
    broken = []
    for figure, promise in recipe.promise.items():
        if figure == "mae" and made.card.closeness is not None:
            found, word, sign = made.card.closeness.mae.value, "above", 1
        elif made.card.accuracy is not None:
            found, word, sign = made.card.accuracy.value, "below", -1
        if sign * (found - promise.value) > promise.tolerance:
            bound = f"{promise.value} {'+' if sign > 0 else '-'} {promise.tolerance} ({promise.source})"
            broken.append(f"{made.name}: {figure} {found:.4f} is {word} {bound}")
    return broken


def _start(recipe: Recipe) -> str:
    """
    The recipe that this one starts from.

    Raises:
        InputError: it starts, by whatever way, from itself.
    """
    trail, name = [recipe.name], recipe.train.start
    while name is not None:
        if name in trail:
            raise InputError(f"recipe {recipe.name} [train]: start goes in a circle: {' -> '.join([*trail, name])}")
        trail.append(name)
        name = recipes.load(name).train.start
    return trail[1]


@contextlib.contextmanager
def _alone(folder: Path, patience: float) -> Iterator[None]:
    """The folder of a run for oneself, without what a killed one was still writing."""
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=patience)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(f"{folder}: another leakaudit is training this") from error
        for torn in folder.rglob(".*.part"):
            torn.unlink()
    try:
        yield
    finally:
        lock.release()


def _stand(plan: Plan, folder: Path, *, resume: bool) -> tuple[Checkpoint | None, list[Epoch]]:
    """
    The run where it is complete, else the epochs that are done already, with the loop standing after the last of them.

    Rank 0 looks, and tells the others.

    Raises:
        InputError: another rank has other data, or is another leakaudit.
    """
    loop, made, history = plan.loop, None, list[Epoch]()
    here = ranks()
    if here.first:
        if (folder / "checkpoint.json").exists():
            shutil.rmtree(folder / "resume", ignore_errors=True)
            made = checkpoint.load(folder)
        else:
            history = _continue(loop, folder, plan.recipe.train.epochs, resume=resume)
    if here.world == 1:
        return made, history
    said: dict[str, Any] = {"key": plan.key, "made": None if made is None else spoken(made)}
    said |= {"history": list(map(asdict, history)), "loop": loop.state_dict() if history else None}
    said = state.from_bytes(told(state.to_bytes(said) if here.first else None, loop.device))
    if said["key"] != plan.key:
        raise InputError(
            f"recipe {plan.recipe.name} is another run here ({plan.key}) than for process 0 ({said['key']}): the same "
            f"data, leakaudit and options expected on every node"
        )
    if not here.first:
        history = [Epoch(**line) for line in said["history"]]
        made = None if said["made"] is None else heard(said["made"], folder)
        if history:
            loop.load_state_dict(said["loop"])
    return made, history


def _keep(loop: Loop, folder: Path, history: list[Epoch]) -> None:
    """Where the run stands after an epoch."""
    lines = list(map(asdict, history))  # before the state: a run killed in between learns the epoch again
    files.write_bytes(folder / "history.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    state.save(folder / "resume", len(history), {"history": lines, "loop": loop.state_dict()})


def _continue(loop: Loop, folder: Path, epochs: int, *, resume: bool) -> list[Epoch]:
    """The epochs that are done already, with the loop standing after the last of them."""
    if not (folder / "resume" / "state.json").exists():
        return []
    kept = state.load(folder / "resume")
    try:
        history = [Epoch(**line) for line in kept["history"]]
        if resume:
            loop.load_state_dict(kept["loop"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RefusedError(f"{folder / 'resume'}: not a state of this run ({type(error).__name__})") from error
    if not resume:
        raise InputError(
            f"{folder}: {len(history)} of {epochs} epochs are trained; go on with --resume, or delete the folder"
        )
    return history


def _column(data: Dataset, name: str, device: str) -> Target:
    return torch.from_numpy(data.column(name).values).to(device)
