"""An encoder: a network with its weights and how an image enters it, ready to be extracted."""

from dataclasses import dataclass, replace

import numpy as np

from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint


@dataclass(frozen=True)
class Encoder:
    """A network by name and knobs, and the tensors that fill it."""

    name: str
    """What a person calls it: `digits/end@1f0f26ed`."""
    kind: str
    """`checkpoint`, `weights` (a file) or `random-init`."""
    backbone: Call
    classes: int
    shape: tuple[int, ...]
    """Channels, height and width of the input."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: dict[str, np.ndarray] | None
    """None: fresh weights drawn with `seed`."""
    seed: int = 0

    def untrained(self, seed: int) -> "Encoder":
        """The same architecture before any training: the baseline of a random initialisation."""
        return replace(self, name=f"random-init of {self.name}", kind="random-init", weights=None, seed=seed)


def of(checkpoint: Checkpoint) -> Encoder:
    """The encoder of a checkpoint."""
    card, recipe = checkpoint.card, checkpoint.recipe
    return Encoder(
        name=checkpoint.name,
        kind="checkpoint",
        backbone=recipe.backbone,
        classes=len(card.target_classes),
        shape=card.shape,
        mean=card.mean,
        std=card.std,
        weights=checkpoint.weights,
        seed=card.seed,
    )
