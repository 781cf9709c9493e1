"""
A checkpoint: a folder with a trained network and everything that must be known to audit it.

    weights.safetensors   the tensors of the network
    objective.safetensors what the method learned beside it, such as a private head; only where there is something
    rows.safetensors      `ids`: the identities of the images it was trained on; `contents`: what they are made of
    history.jsonl         one line per epoch
    resume/               only while training
    checkpoint.json       last: its presence means complete
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt64

from leakaudit import recipe as recipes
from leakaudit import record, store
from leakaudit.errors import InputError, RefusedError
from leakaudit.recipe import Recipe
from leakaudit.stats import Interval


class Agreement(NamedTuple):
    """How well the private labels that a method made out for itself agree with the truth, which it was not shown."""

    rows: int
    """Training rows whose private class is known."""
    information: float | None
    """Adjusted mutual information: 0 is what chance gives, 1 full agreement; None where no row is known."""
    accuracy: float | None
    """Share of rows that agree after the best one-to-one matching of names."""
    conflicting: int
    """Rows among them whose private class is not the commonest of their target."""
    conflicting_accuracy: float | None
    """Share of those that agree, under the same matching."""


class Closeness(NamedTuple):
    """How close the numbers that a network says come to the true ones."""

    mae: Interval
    """Mean absolute error in the target's unit, with its 95 % bootstrap interval."""
    r2: Interval | None
    """Share of the variance that is explained; None where all true numbers are the same."""

    @property
    def words(self) -> str:
        """`off by 8.1 [7.8, 8.4] on average, R2 0.612 [0.580, 0.640]`."""
        explained = "not defined" if self.r2 is None else "{:.3f} [{:.3f}, {:.3f}]".format(*self.r2)
        return "off by {:.4g} [{:.4g}, {:.4g}] on average, R2 ".format(*self.mae) + explained


@dataclass(frozen=True)
class Card:
    """What `checkpoint.json` holds beside the format."""

    recipe: str
    """Name of the recipe."""
    text: str
    """The recipe, verbatim."""
    overrides: dict[str, Any]
    seed: int
    tensors: str
    """Sha256 of the tensors: the identity of the checkpoint."""
    shape: tuple[int, ...]
    """Channels, height and width of the input."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    target_classes: tuple[str, ...]
    """Empty where the target is a number."""
    private_classes: tuple[str, ...]
    bottleneck: str
    """Name of the layer whose input is the bottleneck."""
    width: int
    """Numbers in one bottleneck vector."""
    table: tuple[tuple[int, ...], ...]
    """Training rows in each (target, private) cell."""
    accuracy: Interval | None
    """
    Target accuracy on the rows of `accuracy_split`, with its 95 % Clopper-Pearson interval; None where the target is a
    number.
    """
    accuracy_split: str
    """Split of `accuracy`, or of `closeness`."""
    provenance: dict[str, Any]
    trained: str = ""
    """Sha256 of the identities of the images it was trained on; empty where an older version did not say."""
    contents: str = ""
    """Sha256 of the hashes of what those images are made of; empty where an older version did not look."""
    guessed: Agreement | None = None
    """Where the method made out private labels for itself."""
    closeness: Closeness | None = None
    """Where the target is a number: how close the network comes on the rows of `accuracy_split`."""
    unit: tuple[float, ...] = ()
    """Where the target is a number: mean and deviation among the training rows, which the last layer holds."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint."""

    folder: Path
    card: Card
    recipe: Recipe
    weights: dict[str, np.ndarray]
    trained: UInt64[np.ndarray, " n"]
    """Identities of the images it was trained on."""
    contents: UInt64[np.ndarray, " n"] | None = None
    """A hash of what each of them is made of; None where an older version did not look."""

    @property
    def name(self) -> str:
        """The recipe's name and the first digits of the identity: `digits/end@1f0f26ed`."""
        return f"{self.card.recipe}@{self.card.tensors[:8]}"

    @property
    def table(self) -> Int64[np.ndarray, "targets privates"]:
        """Training rows in each (target, private) cell."""
        return np.array(self.card.table, dtype=np.int64)

    @property
    def told(self) -> str:
        """
        Lines to be said of it, each of which may be missing.

        How often it names the target, or how close it comes to one of numbers, and how good the private labels are that
        the method made out for itself, or that there are none.
        """
        card, target = self.card, self.recipe.target
        close = card.closeness.words if card.closeness else ""
        if card.accuracy is not None:
            value, low, high = (100 * part for part in card.accuracy)
            close = f"named right in {value:.1f} % of rows [{low:.1f}, {high:.1f}]"
        close += f" (split {card.accuracy_split}, 95 %)" if close else ""
        return (f"leakaudit: {target} by {self.name}: {close}\n" if close else "") + _private(self)


def save(
    folder: Path,
    card: Card,
    weights: dict[str, np.ndarray],
    trained: UInt64[np.ndarray, " n"],
    contents: UInt64[np.ndarray, " n"] | None = None,
) -> Checkpoint:
    """Write a checkpoint; `checkpoint.json` comes last."""
    store.write_tensors(folder / "weights.safetensors", weights)
    store.write_tensors(
        folder / "rows.safetensors", {"ids": trained} | ({} if contents is None else {"contents": contents})
    )
    store.write_json(folder / "checkpoint.json", {"format": 1, "kind": "checkpoint", **record.to_json(card)})
    return load(folder)


def load(folder: Path) -> Checkpoint:
    """
    Read a checkpoint folder.

    Raises:
        InputError: it is not a checkpoint folder, or training has not finished.
        RefusedError: a file is damaged, or the weights are not those that `checkpoint.json` names.
    """
    if not (folder / "checkpoint.json").is_file():
        unfinished = (folder / "resume").is_dir()
        what = "training has not finished; train it with --resume" if unfinished else "not a checkpoint folder"
        raise InputError(f"{folder}: {what}")
    data = store.read_json(folder / "checkpoint.json")
    card = record.from_json(Card, data, str(folder / "checkpoint.json"))
    for name in ("weights.safetensors", "rows.safetensors"):
        if not (folder / name).is_file():
            raise RefusedError(f"{folder / name}: missing beside checkpoint.json")
    weights, _ = store.read_tensors(folder / "weights.safetensors")
    identity = store.digest_tensors(weights)
    if identity != card.tensors:
        raise RefusedError(
            f"{folder}: weights have sha256 {identity[:12]}, checkpoint.json promises {card.tensors[:12]}"
        )
    rows, _ = store.read_tensors(folder / "rows.safetensors")
    ids = rows.get("ids", np.empty(0))
    if ids.dtype != np.uint64 or card.trained not in ("", store.digest_tensors({"ids": ids})):
        raise RefusedError(f"{folder / 'rows.safetensors'}: not the rows that checkpoint.json says it was trained on")
    contents = rows.get("contents")
    if card.contents and (contents is None or card.contents != store.digest_tensors({"contents": contents})):
        raise RefusedError(f"{folder / 'rows.safetensors'}: not the images that checkpoint.json says it was trained on")
    try:
        recipe = recipes.read(card.text, card.recipe, str(folder / "checkpoint.json"), card.overrides)
    except InputError as error:
        raise RefusedError(f"{folder}: its recipe is damaged: {error}") from error
    return Checkpoint(folder, card, recipe, weights, ids, contents if card.contents else None)


def stored(root: Path, name: str) -> list[Path]:
    """The folders of the complete checkpoints of a recipe in the store, oldest name first."""
    home = root / "checkpoints" / name
    return sorted(path.parent for path in home.glob("*/checkpoint.json"))


def _private(made: Checkpoint) -> str:
    found, private = made.card.guessed, made.recipe.private
    if found is None:
        none = f"leakaudit: {made.name}: {private!r} has no classes in its training rows; none were asked for\n"
        return "" if made.card.private_classes else none
    if found.information is None or found.accuracy is None:
        return f"leakaudit: pseudo-labels of {made.name}: no row with a known {private} to compare them with\n"
    conflict = found.conflicting_accuracy
    rest = (
        f" ({conflict:.1%} of the {found.conflicting} that conflict with their target)" if conflict is not None else ""
    )
    return (
        f"leakaudit: pseudo-labels of {made.name}: {found.accuracy:.1%} of {found.rows} training rows agree with "
        f"{private} after matching names{rest}; adjusted mutual information {found.information:.3f}\n"
    )
