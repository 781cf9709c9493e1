"""A recipe made real: data, network, objective and loop, checked as a whole before anything is written."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from leakaudit import __version__, catalog
from leakaudit import store as files
from leakaudit.backbones import bottleneck
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset, Labels
from leakaudit.datasets import splits
from leakaudit.debias import Objective, Sizes
from leakaudit.errors import InputError
from leakaudit.loop import Loop, chance
from leakaudit.numerics import device as devices
from leakaudit.numerics import sharing, state, synchronised, unit
from leakaudit.numerics.taps import Tapped
from leakaudit.numerics.unit import Unit
from leakaudit.recipe import Recipe

FIGURES = {False: ("accuracy",), True: ("mae",)}
"""What a recipe can promise: of a target that has classes, and of one of numbers."""
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
    if recipe.train.amp and not devices.halves(device):
        raise InputError(f"{where} [train]: amp = true needs CUDA, or a processor with bfloat16; this one has none")
    backbone = catalog.thing("backbones", recipe.backbone.name, f"{where} [backbone]")
    method = catalog.thing("debias", recipe.method.name, f"{where} [method]")
    source = catalog.thing("datasets", recipe.dataset.name, f"{where} [dataset]")
    blind, numbers = (bool(getattr(method, flag, False)) for flag in ("BLIND", "NUMBERS"))
    for figure in recipe.promise:
        if figure not in FIGURES[numbers]:
            others = catalog.suggest(figure, FIGURES[numbers])
            raise InputError(f"{where} [promise]: no figure {figure!r} of {recipe.method.name}. {others}")
    build = catalog.check(backbone.build, recipe.backbone.knobs, f"{where} [backbone]")
    make = catalog.check(method.objective, recipe.method.knobs, f"{where} [method]")
    knobs = catalog.check(source.load, recipe.dataset.knobs, f"{where} [dataset]")

    there = splits(source, root, knobs)
    if "train" not in there:
        deal = "; held_out = 0.5 deals the rows into train and test" if "held_out" in catalog.knobs(source.load) else ""
        raise InputError(f"{where}: {recipe.dataset.name} has no split train. There are: {', '.join(there)}{deal}.")
    data: dict[str, Dataset] = {split: source.load(split, root, **knobs) for split in USED if split in there}
    fingerprint = data["train"].fingerprint
    asked = _asked(recipe, data.values())
    data = {
        split: _labelled(part, recipe, split, where, asked, blind=blind, numbers=numbers)
        for split, part in data.items()
    }
    train = data["train"]
    target, private = train.column(recipe.target), train.column(recipe.private)
    scale, outputs = unit.of(target.values) if numbers else None, 1 if numbers else len(target.classes)
    table = np.zeros((outputs, len(private.classes)), dtype=np.int64)
    if private.classes:
        row = 0 if numbers else target.values[private.known]
        np.add.at(table, (row, private.values[private.known]), 1)

    with chance(seed, "network"):
        network: nn.Module = backbone.build(outputs, train.images.shape, **build)
    layer = bottleneck(backbone, network)
    if first is not None:
        _fill(network, first, where, layer, scale)
    width, taps = _shapes(network, layer, train.images.shape)
    if scale is not None and f"{layer}.bias" not in network.state_dict():
        raise InputError(f"{where} [backbone]: {recipe.backbone.name} ends in no linear layer with a bias: no numbers")
    sizes = Sizes(
        targets=outputs,
        privates=len(private.classes),
        width=width,
        rows=len(train),
        table=torch.from_numpy(table),
        shape=train.images.shape,
        taps=taps,
        network=partial(_second, recipe, outputs, train.images.shape, f"{where} [method]"),
    )
    with chance(seed, "objective"):
        objective: Objective = method.objective(sizes, **make)
    size, least = recipe.train.batch_size, objective.least
    if size < least:
        raise InputError(
            f"{where} [train]: batch_size = {size}: {recipe.method.name} compares rows of a batch; at least {least} "
            f"expected"
        )
    tapped = Tapped(network, layer, objective.taps, readout=objective.readout)
    loop = Loop(tapped, objective, recipe.train, seed=seed, device=device, where=f"{where} [train]", unit=scale)
    state.pack(loop.state_dict(), "", {})
    made_of = files.digest_tensors({"contents": data["train"].contents})
    what = [recipe.key, str(seed), fingerprint, made_of, "" if first is None else first.card.tensors, __version__]
    if loop.ranks.world > 1 and any(_by_rank(each.network, train.images.shape, device) for each in loop.networks):
        what.append(f"{loop.ranks.world} ranks")
    return Plan(recipe, seed, loop, data, layer, sizes, fingerprint, files.digest(*what)[:12], blind)


def _by_rank(network: nn.Module, shape: tuple[int, ...], device: str) -> bool:
    """Whether ranks do otherwise than one process, not by rounding alone: they take statistics, or draw, each alone."""
    with chance(0, "network"):
        return synchronised.normalises(network) or sharing.draws(network, torch.zeros(2, *shape, device=device))


def _asked(recipe: Recipe, parts: Iterable[Dataset]) -> dict[str, set[int]]:
    """The classes that some row of some split has: IMDB's halves leave out two of the papers' twelve age bins."""
    held = [part.columns for part in parts]
    return {
        name: {int(code) for columns in held if name in columns for code in np.unique(columns[name].values).tolist()}
        for name in (recipe.target, recipe.private)
        if all(columns[name].classes for columns in held if name in columns)
    }


def _labelled(
    data: Dataset, recipe: Recipe, split: str, where: str, asked: Mapping[str, set[int]], *, blind: bool, numbers: bool
) -> Dataset:
    """
    The rows of a split whose target is known; a method that is `blind` asks nothing of the private label.

    Raises:
        InputError: a label is not there, holds numbers where classes are asked for or the other way round, or the split
            cannot be learned from.
    """
    if recipe.target == recipe.private:
        raise InputError(f"{where} [dataset]: target and private are both {recipe.target!r}")
    for name in (recipe.target,) if blind else (recipe.target, recipe.private):
        if name == recipe.private and name not in data.columns:
            others = catalog.suggest(name, data.columns)
            raise InputError(f"{where}: {data.name} has no label {name!r}. {others} {_blind(numbers=numbers)}")
        labels = data.column(name)
        if not labels.known.any():
            raise InputError(
                f"{where}: label {name!r} of {data.name} is missing in every row of split {split}."
                + (f" {_blind(numbers=numbers)}" if name == recipe.private else "")
            )
        if name == recipe.target and bool(labels.classes) is numbers:
            raise InputError(f"{where}: label {name!r} of {data.name} {_unfit(recipe.method.name, numbers=numbers)}")
        if name == recipe.target and numbers:
            only = np.unique(labels.values[labels.known])
            if split == "train" and len(only) == 1:
                raise InputError(f"{where}: label {name!r} of {data.name} is {only[0]:g} in every row of split train")
            continue
        if not labels.classes:
            raise InputError(f"{where}: label {name!r} of {data.name} holds numbers; training needs classes")
        if split == "train":
            counts = np.bincount(labels.values[labels.known], minlength=len(labels.classes))
            codes = np.flatnonzero(counts == 0).tolist()
            empty = [labels.classes[code] for code in codes if code in asked[name]]
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


def _unfit(method: str, *, numbers: bool) -> str:
    """Why a method cannot learn a target, and which can."""
    names = catalog.names("debias")
    others = [name for name in names if bool(getattr(catalog.thing("debias", name), "NUMBERS", False)) is not numbers]
    found, wanted = ("classes", "numbers") if numbers else ("numbers", "classes")
    return f"holds {found}; {method} learns {wanted}. Methods for {found}: {', '.join(others)}."


def _blind(*, numbers: bool) -> str:
    """Which methods need no private label."""
    things = {name: catalog.thing("debias", name) for name in catalog.names("debias")}
    kind = [name for name, thing in things.items() if bool(getattr(thing, "NUMBERS", False)) is numbers]
    return f"Methods that ask for none: {', '.join(name for name in kind if getattr(things[name], 'BLIND', False))}."


def _second(recipe: Recipe, classes: int, shape: tuple[int, int, int], where: str, text: str) -> Tapped:
    """A second network with fresh weights: the backbone typed as `text`, or the recipe's own."""
    call = catalog.call("backbones", text, where) if text else recipe.backbone
    module = catalog.thing("backbones", call.name, where)
    network: nn.Module = module.build(classes, shape, **catalog.check(module.build, call.knobs, f"{where} {call}"))
    layer = bottleneck(module, network)
    try:
        _shapes(network, layer, shape)
    except RuntimeError as error:
        size = "x".join(map(str, shape))
        raise InputError(f"{where}: {call} does not fit images of {size} ({str(error).splitlines()[0]})") from error
    return Tapped(network, layer)


def _shapes(network: nn.Module, bottleneck: str, shape: tuple[int, int, int]) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Numbers in one bottleneck vector, and the shape of one row of each inner layer's output."""
    probe = Tapped(copy.deepcopy(network), bottleneck).eval()
    taps: dict[str, tuple[int, ...]] = {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, torch.Tensor):
            taps[name] = tuple(output.shape[1:])

    for name, layer in probe.network.named_modules():
        if name:
            layer.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
    with torch.no_grad():
        out = probe(torch.zeros(1, *shape))
    return out.z.shape[1], taps


def _fill(network: nn.Module, first: Checkpoint, where: str, layer: str, scale: Unit | None) -> None:
    """Weights to start from; those of a network that speaks a target's own unit are taken back to deviations."""
    weights = first.weights if scale is None or not first.card.unit else scale.unfolded(first.weights, layer)
    tensors = {name: torch.from_numpy(np.array(tensor)) for name, tensor in weights.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"{where} [train]: start = {first.card.recipe!r}: its weights do not fit this backbone"
        ) from error
