"""
Training by a recipe, into a folder that is named by what is trained: recipe, seed, data and version.

After each epoch everything the next one needs lies in the folder's `resume/`, so a run that was killed ends with the
same weights as one that was not.
"""

import contextlib
import json
import platform
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import UInt64
from torch import nn

from leakaudit import __version__, checkpoint, stats
from leakaudit import recipe as recipes
from leakaudit import store as files
from leakaudit.checkpoint import Agreement, Card, Checkpoint, Closeness
from leakaudit.dataset import Dataset
from leakaudit.errors import InputError, RefusedError
from leakaudit.images import decoded
from leakaudit.images.decoded import Keeping
from leakaudit.loop import Loop, Target
from leakaudit.numerics import device as devices
from leakaudit.numerics import state
from leakaudit.numerics.agreement import agreement
from leakaudit.numerics.closeness import closeness, plain
from leakaudit.numerics.feed import Feed
from leakaudit.plan import Plan, prepare
from leakaudit.recipe import Recipe
from leakaudit.stats import Interval


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
    recipe: Recipe, *, store: Path, root: Path, seed: int, device: str, resume: bool
) -> Generator[Epoch | Keeping, None, Checkpoint]:
    """
    The checkpoint of a recipe: trained, or found complete in the store.

    Raises:
        InputError: the recipe does not fit its data set, backbone, method, optimiser or device (before anything is
            written); an unfinished run lies there and `resume` is false; another process trains it; the loss diverged.
        RefusedError: the unfinished or the complete run is damaged.
    """
    first = None
    if recipe.train.start is not None:
        parent = recipes.load(_start(recipe))
        first = yield from train(parent, store=store, root=root, seed=seed, device=device, resume=resume)
    plan = prepare(recipe, root, seed, device, first)
    folder = store / "checkpoints" / recipe.name / plan.key
    files.open_store(store)
    with _alone(folder):
        if (folder / "checkpoint.json").exists():
            shutil.rmtree(folder / "resume", ignore_errors=True)
            return checkpoint.load(folder)
        history = _continue(plan.loop, folder, recipe.train.epochs, resume=resume)
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
            accuracy, mae, r2 = _held_out(plan, feeds)
            seconds = time.perf_counter() - start
            history.append(
                Epoch(
                    recipe.name, number + 1, recipe.train.epochs, learned.loss, learned.accuracy, accuracy, learned.lr,
                    seconds, learned.mae, learned.r2, mae, r2,
                )
            )  # fmt: skip
            lines = list(map(asdict, history))  # before the state: a run killed in between learns the epoch again
            files.write_bytes(folder / "history.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
            state.save(folder / "resume", number + 1, {"history": lines, "loop": plan.loop.state_dict()})
            yield history[-1]
        made = _finish(plan, feeds, folder, made_of, sum(epoch.seconds for epoch in history))
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
def _alone(folder: Path) -> Iterator[None]:
    """The folder of a run for oneself, without what a killed one was still writing."""
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
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


def _held_out(plan: Plan, feeds: dict[str, Feed]) -> tuple[float | None, float | None, float | None]:
    """Accuracy, or mean absolute error and R^2, on the `validation` split; nothing where there is none."""
    if "validation" not in feeds or not len(feeds["validation"]):
        return None, None, None
    guess, truth = _said(plan, feeds, "validation")
    return (float((guess == truth).mean()), None, None) if plan.loop.unit is None else (None, *plain(guess, truth))


def _figures(plan: Plan, feeds: dict[str, Feed], split: str) -> tuple[Interval | None, Closeness | None]:
    """Target accuracy on a split; or how close the numbers come, where the target is one."""
    guess, truth = _said(plan, feeds, split)
    if plan.loop.unit is not None:
        return None, closeness(guess, truth, plan.splits[split].group, plan.seed)
    share, rows = float((guess == truth).mean()), float(len(truth))
    return Interval(share, *stats.clopper_pearson(share, rows, 0.025)), None


def _said(plan: Plan, feeds: dict[str, Feed], split: str) -> tuple[np.ndarray, np.ndarray]:
    """What the network says of each row of a split, and the truth."""
    return plan.loop.guesses(feeds[split]).cpu().numpy(), plan.splits[split].column(plan.recipe.target).values


def _finish(
    plan: Plan, feeds: dict[str, Feed], folder: Path, made_of: UInt64[np.ndarray, " n"], seconds: float
) -> Checkpoint:
    """Write the checkpoint: what the objective learned, then the network, then what must be known of it."""
    recipe, loop, train = plan.recipe, plan.loop, plan.splits["train"]
    split = next(name for name in ("test", "validation", "train") if name in feeds and len(feeds[name]))
    accuracy, close = _figures(plan, feeds, split)
    weights, learned = _arrays(loop.tapped.network), _arrays(loop.objective)
    if loop.unit is not None:
        weights = loop.unit.folded(weights, plan.bottleneck)
    if learned:
        files.write_tensors(folder / "objective.safetensors", learned)
    card = Card(
        recipe=recipe.name,
        text=recipe.text,
        overrides=recipe.overrides,
        seed=plan.seed,
        tensors=files.digest_tensors(weights),
        shape=plan.sizes.shape,
        mean=train.mean,
        std=train.std,
        target_classes=train.column(recipe.target).classes,
        private_classes=train.column(recipe.private).classes,
        bottleneck=plan.bottleneck,
        width=plan.sizes.width,
        table=tuple(map(tuple, plan.sizes.table.tolist())),
        accuracy=accuracy,
        accuracy_split=split,
        provenance={
            "leakaudit": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "device": devices.describe(loop.device),
            "seconds": round(seconds, 3),
            "rows": len(train),
            "data": train.name,
            "fingerprint": plan.fingerprint,
            "threads": torch.get_num_threads(),
        },
        trained=files.digest_tensors({"ids": train.ids}),
        contents=files.digest_tensors({"contents": made_of}),
        guessed=_guessed(plan),
        closeness=close,
        unit=tuple(loop.unit or ()),
    )
    return checkpoint.save(folder, card, weights, train.ids, made_of)


def _guessed(plan: Plan) -> Agreement | None:
    """How good the labels are that the method made out, where it did; the truth is looked at here and nowhere else."""
    guess = plan.loop.objective.guessed()
    if guess is None:
        return None
    data = plan.splits["train"]
    target, private = data.column(plan.recipe.target), data.column(plan.recipe.private)
    truth = private.values if private.classes else np.full(len(data), -1)
    return agreement(guess.cpu().numpy(), truth.astype(np.int64), target.values.astype(np.int64))


def _arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
