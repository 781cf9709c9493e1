"""
Training by a recipe, into a folder that is named by what is trained: recipe, seed, data and version.

After each epoch everything the next one needs lies in the folder's `resume/`, so a run that was killed ends with the same
weights as one that was not.
"""

import contextlib
import copy
import json
import platform
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import Int64
from torch import nn

from leakaudit import __version__, catalog, checkpoint, stats
from leakaudit import recipe as recipes
from leakaudit import store as files
from leakaudit.checkpoint import Card, Checkpoint
from leakaudit.dataset import Dataset
from leakaudit.datasets import splits
from leakaudit.debias import Objective, Sizes
from leakaudit.errors import InputError, RefusedError
from leakaudit.loop import Loop, chance
from leakaudit.numerics import device as devices
from leakaudit.numerics import state
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Recipe

FIGURES = ("accuracy",)
"""What a recipe can promise."""


@dataclass(frozen=True)
class Epoch:
    """One epoch is over; a line of `history.jsonl`."""

    recipe: str
    done: int
    """Finished epochs."""
    total: int
    loss: float
    """Mean over the epoch's rows."""
    accuracy: float
    """Target accuracy on the training rows, each at the moment it was learned from."""
    validation_accuracy: float | None
    """Target accuracy on the `validation` split; None where there is none."""
    lr: float
    seconds: float

    @property
    def words(self) -> str:
        """For a progress bar."""
        return f"loss {self.loss:.3f}, target {self.accuracy:.3f}"


def train(
    recipe: Recipe, *, store: Path, root: Path, seed: int, device: str, resume: bool
) -> Generator[Epoch, None, Checkpoint]:
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
    plan = _plan(recipe, root, seed, device, first)
    folder = store / "checkpoints" / recipe.name / plan.key
    files.open_store(store)
    with _alone(folder):
        if (folder / "checkpoint.json").exists():
            shutil.rmtree(folder / "resume", ignore_errors=True)
            return checkpoint.load(folder)
        history = _continue(plan.loop, folder, recipe.train.epochs, resume=resume)
        feeds = {split: Feed(data, device) for split, data in plan.splits.items()}
        y, v = (_column(plan.splits["train"], name, device) for name in (recipe.target, recipe.private))
        for number in range(len(history), recipe.train.epochs):
            start = time.perf_counter()
            learned = plan.loop.epoch(number, feeds["train"], y, v)
            held_out = _accuracy(plan, feeds, "validation")
            seconds = time.perf_counter() - start
            history.append(
                Epoch(recipe.name, number + 1, recipe.train.epochs, learned.loss, learned.accuracy, held_out, learned.lr, seconds)
            )
            lines = list(map(asdict, history))
            state.save(folder / "resume", number + 1, {"history": lines, "loop": plan.loop.state_dict()})
            files.write_bytes(folder / "history.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
            yield history[-1]
        made = _finish(plan, feeds, folder, sum(epoch.seconds for epoch in history))
        shutil.rmtree(folder / "resume", ignore_errors=True)
        return made


def broken_promises(made: Checkpoint) -> list[str]:
    """The figures of a checkpoint that lie below what its recipe promises, less the tolerance; one line each."""
    found = {"accuracy": made.card.accuracy.value}
    return [
        f"{made.name}: {figure} {found[figure]:.4f} is below {promise.value} - {promise.tolerance} ({promise.source})"
        for figure, promise in made.recipe.promise.items()
        if found[figure] < promise.value - promise.tolerance
    ]


class _Plan(NamedTuple):
    """A recipe made real: everything that can be wrong with it has been checked, and nothing written."""

    recipe: Recipe
    seed: int
    loop: Loop
    splits: dict[str, Dataset]
    bottleneck: str
    sizes: Sizes
    fingerprint: str
    key: str
    """Twelve hexadecimal digits: the name of the run's folder."""


def _plan(recipe: Recipe, root: Path, seed: int, device: str, first: Checkpoint | None) -> _Plan:
    where = f"recipe {recipe.name}"
    if recipe.train.amp and not device.startswith("cuda"):
        raise InputError(f"{where} [train]: amp = true needs CUDA; this run is on {device}")
    for figure in recipe.promise:
        if figure not in FIGURES:
            raise InputError(f"{where} [promise]: no figure {figure!r}. {catalog.suggest(figure, FIGURES)}")
    backbone = catalog.thing("backbones", recipe.backbone.name, f"{where} [backbone]")
    method = catalog.thing("debias", recipe.method.name, f"{where} [method]")
    source = catalog.thing("datasets", recipe.dataset.name, f"{where} [dataset]")
    build = catalog.check(backbone.build, recipe.backbone.knobs, f"{where} [backbone]")
    make = catalog.check(method.objective, recipe.method.knobs, f"{where} [method]")
    knobs = catalog.check(source.load, recipe.dataset.knobs, f"{where} [dataset]")

    there = splits(source, root, knobs)
    if "train" not in there:
        raise InputError(f"{where}: {recipe.dataset.name} has no split train. There are: {', '.join(there)}.")
    data = {split: source.load(split, root, **knobs) for split in ("train", "validation", "test") if split in there}
    fingerprint = data["train"].fingerprint
    data = {split: _labelled(part, recipe, split, where) for split, part in data.items()}
    train = data["train"]
    target, private = train.column(recipe.target), train.column(recipe.private)
    table = np.zeros((len(target.classes), len(private.classes)), dtype=np.int64)
    np.add.at(table, (target.values[private.known], private.values[private.known]), 1)

    with chance(seed, "network"):
        network: nn.Module = backbone.build(len(target.classes), train.images.shape, **build)
    if first is not None:
        _fill(network, first, where)
    width, taps = _shapes(network, backbone.BOTTLENECK, train.images.shape)
    sizes = Sizes(
        targets=len(target.classes),
        privates=len(private.classes),
        width=width,
        rows=len(train),
        table=torch.from_numpy(table),
        shape=train.images.shape,
        taps=taps,
    )
    with chance(seed, "objective"):
        objective: Objective = method.objective(sizes, **make)
    tapped = Tapped(network, backbone.BOTTLENECK, objective.taps)
    loop = Loop(tapped, objective, recipe.train, seed=seed, device=device, where=f"{where} [train]")
    state.pack(loop.state_dict(), "", {})
    what = [recipe.key, str(seed), fingerprint, "" if first is None else first.card.tensors, __version__]
    return _Plan(
        recipe, seed, loop, data, backbone.BOTTLENECK, sizes, fingerprint, files.digest(*what)[:12]
    )


def _labelled(data: Dataset, recipe: Recipe, split: str, where: str) -> Dataset:
    """
    The rows of a split whose target is known.

    Raises:
        InputError: a label is not there, holds numbers, or the split cannot be learned from.
    """
    if recipe.target == recipe.private:
        raise InputError(f"{where} [dataset]: target and private are both {recipe.target!r}")
    for name in (recipe.target, recipe.private):
        labels = data.column(name)
        if not labels.classes:
            raise InputError(f"{where}: label {name!r} of {data.name} holds numbers; training needs classes")
        if split == "train":
            counts = np.bincount(labels.values[labels.known], minlength=len(labels.classes))
            empty = [word for word, count in zip(labels.classes, counts, strict=True) if not count]
            if counts.sum() == 0 or len(labels.classes) < 2:  # noqa: PLR2004 (one class is nothing to tell apart)
                raise InputError(
                    f"{where}: label {name!r} of {data.name} has {np.count_nonzero(counts)} class in split train; "
                    f"at least 2 expected"
                )
            if empty:
                raise InputError(f"{where}: split train of {data.name} has no rows with {name} = {', '.join(empty)}")
    known = data.column(recipe.target).known
    return data if known.all() else data.take(np.flatnonzero(known))


def _shapes(network: nn.Module, bottleneck: str, shape: tuple[int, int, int]) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Numbers in one bottleneck vector, and the shape of one row of each inner layer's output."""
    names = [name for name, _ in network.named_modules() if name]
    probe = Tapped(copy.deepcopy(network), bottleneck, names).eval()
    with torch.no_grad():
        out = probe(torch.zeros(1, *shape))
    return out.z.shape[1], {name: tuple(tap.shape[1:]) for name, tap in out.taps.items() if isinstance(tap, torch.Tensor)}


def _fill(network: nn.Module, first: Checkpoint, where: str) -> None:
    tensors = {name: torch.from_numpy(np.array(tensor)) for name, tensor in first.weights.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{where} [train]: start = {first.card.recipe!r}: its weights do not fit this backbone") from error


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
    """The folder of a run for oneself."""
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(f"{folder}: another leakaudit is training this") from error
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
            f"{folder}: {len(history)} of {epochs} epochs are trained already; go on with --resume, or delete the folder"
        )
    return history


def _column(data: Dataset, name: str, device: str) -> Int64[torch.Tensor, " rows"]:
    return torch.from_numpy(data.column(name).values).to(device)


def _accuracy(plan: _Plan, feeds: dict[str, Feed], split: str) -> float | None:
    if split not in feeds or not len(feeds[split]):
        return None
    y = _column(plan.splits[split], plan.recipe.target, plan.loop.device)
    return plan.loop.hits(feeds[split], y) / len(y)


def _finish(plan: _Plan, feeds: dict[str, Feed], folder: Path, seconds: float) -> Checkpoint:
    """Write the checkpoint: what the objective learned, then the network, then what must be known of it."""
    recipe, loop, train = plan.recipe, plan.loop, plan.splits["train"]
    split = next(name for name in ("test", "validation", "train") if name in feeds and len(feeds[name]))
    y = _column(plan.splits[split], recipe.target, loop.device)
    hits = loop.hits(feeds[split], y)
    weights, learned = _arrays(loop.tapped.network), _arrays(loop.objective)
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
        accuracy=stats.Interval(hits / len(y), *stats.clopper_pearson(hits / len(y), len(y), 0.025)),
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
    )
    return checkpoint.save(folder, card, weights, train.ids)


def _arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
