"""
What a recipe's training costs in arithmetic, counted by torch while it trains on noise.

    python tests/benchmarks/flops.py RECIPE... [--set T.K=V]...

The real loop runs one epoch on a few rows of noise of the recipe's size under `torch.utils.flop_counter`, so that
second networks, several views, inner steps and passes between epochs count; a multiply-add is two operations. Weights
are random, which arithmetic does not ask.
"""

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from leakaudit import catalog
from leakaudit import recipe as recipes
from leakaudit.catalog import Call
from leakaudit.loop import Loop
from leakaudit.numerics.feed import Feed
from leakaudit.plan import prepare
from leakaudit.recipe import Recipe

VECTORS = {"vbm_roi": 284}
"""Numbers of a row of OpenBHB's features (its data sheet)."""
CLASSES = {
    "biased-mnist": (10, 10), "cifar10": (10, 2), "cifar100": (100, 20), "imagenet-100": (100, 17), "imdb": (11, 2),
}  # fmt: skip
"""Target and private classes; two of each elsewhere."""


class Work(NamedTuple):
    """What one row costs, and how large the model is."""

    learned: float
    """Operations of an epoch, by row."""
    warmed: float
    """Operations of the second network's warm-up before the first epoch, by row; 0 where there is none."""
    named: float
    """Operations of a forward pass, by row."""
    parameters: int
    """Of the network, as it is kept."""
    beside: int
    """Of what the method learns beside it."""
    width: int
    """Numbers of a bottleneck vector."""


def shape(what: Recipe) -> tuple[int, ...]:
    """The size of one image or vector of a recipe's data set, as its knobs say."""
    knobs = catalog.knobs(catalog.thing("datasets", what.dataset.name).load)
    given = {name: parameter.default for name, parameter in knobs.items()} | what.dataset.knobs
    if "features" in given:
        return (VECTORS[given["features"]],)
    side = given.get("side") or given.get("size") or 32
    return (3, side, side)


def loop(what: Recipe, rows: int, folder: Path) -> tuple[Loop, Feed, torch.Tensor, torch.Tensor, int]:
    """The recipe's loop on rows of noise, with labels and the bottleneck's width."""
    random, size = np.random.default_rng(0), shape(what)
    classes = CLASSES.get(what.dataset.name, (2, 2))
    numbers = bool(getattr(catalog.thing("debias", what.method.name), "NUMBERS", False))
    place = np.arange(rows)
    y = random.normal(40, 10, rows).astype(np.float32) if numbers else place % min(classes[0], max(2, rows // 2))
    v = (place + place // 4) % min(classes[1], max(2, rows // 2))
    x = random.normal(size=(rows, *size)) if len(size) == 1 else random.integers(0, 256, (rows, *size), dtype=np.uint8)
    file = folder / f"{what.key}-{rows}.npz"
    np.savez(file, x=x, y=y, v=v, split=np.full(rows, "train"))
    there = catalog.knobs(catalog.thing("backbones", what.backbone.name).build)
    backbone = Call(what.backbone.name, what.backbone.knobs | ({"pretrained": False} if "pretrained" in there else {}))
    made = replace(
        what, dataset=Call("arrays", {"file": str(file)} | ({"channels": "first"} if len(size) > 1 else {})),
        target="y", private="v", promise={}, backbone=backbone,
        train=replace(what.train, start=None, compile=False, amp=False, batch_size=max(rows, what.train.batch_size)),
    )  # fmt: skip
    plan = prepare(made, folder, 0, "cpu", None)
    data = plan.splits["train"]
    labels = [torch.from_numpy(data.column(name).values) for name in ("y", "v")]
    return plan.loop, Feed(data, "cpu"), labels[0], labels[1], plan.sizes.width


def count(what: Recipe) -> Work:
    """Counted on a few rows."""
    size = shape(what)
    rows = 8 if len(size) == 1 or size[-1] <= 28 else 2
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run, feed, y, v, width = loop(what, rows, Path(folder))
        learned = _counted(lambda: run.epoch(1, feed, y, v))
        warms = run.inner is not None and run.objective.warmup
        first = _counted(lambda: run.epoch(0, feed, y, v)) if warms else learned
        named = _counted(lambda: run.guesses(feed))
    held = [sum(each.numel() for each in part.parameters()) for part in (run.tapped, run.objective)]
    return Work(learned / rows, (first - learned) / rows, named / rows, held[0], held[1], width)


def rate(what: Recipe, rows: int) -> float:
    """Operations of this process in one CPU second, while a recipe trains on so many rows of noise."""
    with tempfile.TemporaryDirectory() as folder:
        run, feed, y, v, _ = loop(replace(what, train=replace(what.train, batch_size=128)), rows, Path(folder))
        run.plan = replace(run.plan, batch_size=128)
        run.epoch(1, feed, y, v)
        start = time.process_time()
        run.epoch(2, feed, y, v)
        return rows * count(what).learned / (time.process_time() - start)


def _counted(work: object) -> int:
    counter = FlopCounterMode(display=False)
    with counter:
        work()  # type: ignore[operator]
    return counter.get_total_flops()


def main() -> None:
    """Print a line for each recipe."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("recipes", nargs="+")
    options.add_argument("--set", action="append", default=[])
    a = options.parse_args()
    changes = {key: catalog.parse_value(value) for key, _, value in (each.partition("=") for each in a.set)}
    for name in a.recipes:
        what = recipes.load(name, changes)
        work = count(what)
        print(
            f"{name:<40} {'x'.join(map(str, shape(what))):<10} {work.learned / 1e9:9.3f} GFLOP a row and epoch, "
            f"{work.named / 1e9:.3f} forward; {work.parameters:,} parameters, width {work.width}"
        )


if __name__ == "__main__":
    main()
