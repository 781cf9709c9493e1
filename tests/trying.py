"""A small recipe, and what it takes to train it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from leakaudit import recipe, train
from leakaudit.checkpoint import Checkpoint
from leakaudit.recipe import Recipe

TEXT = """
[dataset]
name = "digits"
target = "digit"
private = "colour"
[backbone]
name = "simple-convnet"
kernel = 3
width = 2
activation = "tanh"
[method]
name = "irene"
[train]
epochs = 3
batch_size = 100
optimizer = { name = "Adam", lr = 5e-3 }
scheduler = { name = "StepLR", step_size = 1, gamma = 0.5 }
"""


def plan(name: str = "try/irene", **overrides: Any) -> Recipe:
    """The small recipe, with some knobs changed: `train__epochs=2`."""
    return recipe.read(TEXT, name, "try", {key.replace("__", "."): value for key, value in overrides.items()})


def work(
    what: Recipe, folder: Path, *, seed: int = 0, resume: bool = False
) -> Generator[train.Epoch, None, Checkpoint]:
    """Training into a store below `folder`."""
    return train.train(what, store=folder / "store", root=folder, seed=seed, device="cpu", resume=resume)


def finish(running: Generator[train.Epoch, None, Checkpoint]) -> tuple[Checkpoint, list[train.Epoch]]:
    """The checkpoint and all epochs on the way."""
    epochs = []
    while True:
        try:
            epochs.append(next(running))
        except StopIteration as stop:
            return stop.value, epochs
