"""
What a run came to: how well the network does on rows that it did not learn from, and the checkpoint of all it learned.

Among several ranks each passes its part of the rows, all know the figures, and rank 0 alone writes.
"""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt64
from torch import nn

from leakaudit import __version__, checkpoint, record, stats
from leakaudit import recipe as recipes
from leakaudit import store as files
from leakaudit.checkpoint import Agreement, Card, Checkpoint, Closeness
from leakaudit.numerics import device as devices
from leakaudit.numerics.agreement import agreement
from leakaudit.numerics.closeness import closeness, plain
from leakaudit.numerics.feed import Feed
from leakaudit.plan import Plan
from leakaudit.stats import Interval


def held_out(plan: Plan, feeds: dict[str, Feed]) -> tuple[float | None, float | None, float | None]:
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


def finish(
    plan: Plan, feeds: dict[str, Feed], folder: Path, made_of: UInt64[np.ndarray, " n"], seconds: float
) -> Checkpoint:
    """The checkpoint; rank 0 writes what the objective learned, then the network, then what must be known of it."""
    recipe, loop, train = plan.recipe, plan.loop, plan.splits["train"]
    split = next(name for name in ("test", "validation", "train") if name in feeds and len(feeds[name]))
    accuracy, close = _figures(plan, feeds, split)
    weights, learned = _arrays(loop.tapped.network), _arrays(loop.objective)
    if loop.unit is not None:
        weights = loop.unit.folded(weights, plan.bottleneck)
    if learned and loop.ranks.first:
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
            "ranks": loop.ranks.world,
        },
        trained=files.digest_tensors({"ids": train.ids}),
        contents=files.digest_tensors({"contents": made_of}),
        guessed=_guessed(plan),
        closeness=close,
        unit=tuple(loop.unit or ()),
    )
    if not loop.ranks.first:
        return Checkpoint(folder, card, recipe, weights, train.ids, made_of)
    return checkpoint.save(folder, card, weights, train.ids, made_of)


def spoken(made: Checkpoint) -> dict[str, Any]:
    """A checkpoint as what `numerics.state` can pack, for ranks that have no disk in common."""
    arrays = {name: torch.from_numpy(np.array(array)) for name, array in made.weights.items()}
    contents = None if made.contents is None else torch.from_numpy(made.contents.view(np.int64))
    ids = torch.from_numpy(made.trained.view(np.int64))
    return {"card": record.to_json(made.card), "weights": arrays, "ids": ids, "contents": contents}


def heard(said: dict[str, Any], folder: Path) -> Checkpoint:
    """What `spoken` was given; `folder` is where it lies, for rank 0."""
    card = record.from_json(Card, said["card"], str(folder))
    weights = {name: tensor.numpy() for name, tensor in said["weights"].items()}
    ids, contents = said["ids"].numpy().view(np.uint64), said["contents"]
    return Checkpoint(
        folder, card, recipes.read(card.text, card.recipe, str(folder), card.overrides), weights, ids,
        None if contents is None else contents.numpy().view(np.uint64),
    )  # fmt: skip


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
