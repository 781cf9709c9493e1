"""A recipe made real: data, network, objective and loop, checked as a whole before anything is written."""

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from leakaudit import __version__, catalog
from leakaudit import store as files
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset, Labels
from leakaudit.datasets import splits
from leakaudit.debias import Objective, Sizes
from leakaudit.errors import InputError
from leakaudit.loop import Loop, chance
from leakaudit.numerics import state
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Recipe

FIGURES = ("accuracy",)
"""What a recipe can promise."""
USED = ("train", "validation", "test")
"""Splits that training looks at, where they are there: to learn, to watch, and to say how well it went."""


class Plan(NamedTuple):
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
    blind: bool
    """The method is shown no private label."""


def prepare(recipe: Recipe, root: Path, seed: int, device: str, first: Checkpoint | None) -> Plan:
    """
    Everything that a run of the recipe holds; its weights are those of `first` where it starts from another checkpoint.

    Raises:
        InputError: the recipe does not fit its data set, backbone, method, optimiser or device.
    """
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
    data: dict[str, Dataset] = {split: source.load(split, root, **knobs) for split in USED if split in there}
    fingerprint = data["train"].fingerprint
    blind = bool(getattr(method, "BLIND", False))
    data = {split: _labelled(part, recipe, split, where, blind=blind) for split, part in data.items()}
    train = data["train"]
    target, private = train.column(recipe.target), train.column(recipe.private)
    table = np.zeros((len(target.classes), len(private.classes)), dtype=np.int64)
    if private.classes:
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
        network=partial(_second, recipe, len(target.classes), train.images.shape, f"{where} [method]"),
    )
    with chance(seed, "objective"):
        objective: Objective = method.objective(sizes, **make)
    size, least = recipe.train.batch_size, objective.least
    if size < least:
        raise InputError(
            f"{where} [train]: batch_size = {size}: {recipe.method.name} compares rows of a batch; at least {least} "
            f"expected"
        )
    tapped = Tapped(network, backbone.BOTTLENECK, objective.taps, readout=objective.readout)
    loop = Loop(tapped, objective, recipe.train, seed=seed, device=device, where=f"{where} [train]")
    state.pack(loop.state_dict(), "", {})
    what = [recipe.key, str(seed), fingerprint, "" if first is None else first.card.tensors, __version__]
    return Plan(recipe, seed, loop, data, backbone.BOTTLENECK, sizes, fingerprint, files.digest(*what)[:12], blind)


def _labelled(data: Dataset, recipe: Recipe, split: str, where: str, *, blind: bool) -> Dataset:
    """
    The rows of a split whose target is known; a method that is `blind` asks nothing of the private label.

    Raises:
        InputError: a label is not there, holds numbers, or the split cannot be learned from.
    """
    if recipe.target == recipe.private:
        raise InputError(f"{where} [dataset]: target and private are both {recipe.target!r}")
    for name in (recipe.target,) if blind else (recipe.target, recipe.private):
        labels = data.column(name)
        if not labels.known.any():
            raise InputError(f"{where}: label {name!r} of {data.name} is missing in every row of split {split}")
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
    if blind and recipe.private not in data.columns:
        nothing = Labels(np.full(len(data), np.nan, dtype=np.float32))
        data = replace(data, columns={**data.columns, recipe.private: nothing})
    known = data.column(recipe.target).known
    return data if known.all() else data.take(np.flatnonzero(known))


def _second(recipe: Recipe, classes: int, shape: tuple[int, int, int], where: str, text: str) -> Tapped:
    """A second network with fresh weights: the backbone typed as `text`, or the recipe's own."""
    call = catalog.call("backbones", text, where) if text else recipe.backbone
    module = catalog.thing("backbones", call.name, where)
    network: nn.Module = module.build(classes, shape, **catalog.check(module.build, call.knobs, f"{where} {call}"))
    try:
        _shapes(network, module.BOTTLENECK, shape)
    except RuntimeError as error:
        size = "x".join(map(str, shape))
        raise InputError(f"{where}: {call} does not fit images of {size} ({str(error).splitlines()[0]})") from error
    return Tapped(network, module.BOTTLENECK)


def _shapes(network: nn.Module, bottleneck: str, shape: tuple[int, int, int]) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Numbers in one bottleneck vector, and the shape of one row of each inner layer's output."""
    names = [name for name, _ in network.named_modules() if name]
    probe = Tapped(copy.deepcopy(network), bottleneck, names).eval()
    with torch.no_grad():
        out = probe(torch.zeros(1, *shape))
    return out.z.shape[1], {
        name: tuple(tap.shape[1:]) for name, tap in out.taps.items() if isinstance(tap, torch.Tensor)
    }


def _fill(network: nn.Module, first: Checkpoint, where: str) -> None:
    tensors = {name: torch.from_numpy(np.array(tensor)) for name, tensor in first.weights.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"{where} [train]: start = {first.card.recipe!r}: its weights do not fit this backbone"
        ) from error
