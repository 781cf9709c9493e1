"""
Methods. One file is one method, and a method is a loss:

    objective(sizes, *, <knobs>) -> Objective

One loop trains all of them. An objective may declare `views`, `readout`, `taps`, `inner` with its `warmup`, and sampler
weights, and define `inner_step`, `epoch` and `guessed`; nothing else. Its own parameters join the optimiser as a group
of their own. A method that does without the private labels says so by `BLIND = True` in its file, and gets none; one
whose target is a number by `NUMBERS = True`, and gets it in standard deviations from the mean.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor, nn

from leakaudit.numerics.taps import Out, Tapped


def _alone(call: str) -> Tapped:
    raise NotImplementedError(f"no network {call!r}: these sizes belong to no recipe")


@dataclass(frozen=True)
class Sizes:
    """What an objective is built for."""

    targets: int
    """Target classes; 1 where the target is a number."""
    privates: int
    width: int
    """Numbers in one bottleneck vector."""
    rows: int
    """Training rows."""
    table: Int64[Tensor, "targets privates"]
    """Training rows in each (target, private) cell."""
    shape: tuple[int, int, int]
    """Channels, height and width of the input."""
    taps: dict[str, tuple[int, ...]]
    """Shape of one row of each inner layer's output, by the layer's name: what `taps` can ask for."""
    network: Callable[[str], Tapped] = _alone
    """
    A second network with fresh weights for the same images and target classes: the backbone of this name, as it is
    typed (`simple-convnet:kernel=1`), or the recipe's own where it is empty. Raises InputError where it does not fit.
    """


@dataclass(frozen=True)
class Batch:
    """
    One batch of training rows.

    Under an objective with views every row stands in it as many times, under another view each: first all rows in one
    view, then all in the next. Among several ranks `x` holds the images of this rank's share alone, everything else is
    of the whole batch: a network of `Sizes.network`, as the model, takes the share and answers for all rows.
    """

    x: Float[Tensor, "m c h w"]
    """Normalised images."""
    y: Int64[Tensor, " n"] | Float[Tensor, " n"]
    """Target class; or a number, in standard deviations of the training rows from their mean."""
    v: Int64[Tensor, " n"]
    """Private class, -1 for missing; of all rows for a method that is blind."""
    rows: Int64[Tensor, " n"]
    """Position of each row in the training set: equal for the views of one image."""


@dataclass(frozen=True)
class Table:
    """The training set as an objective sees it between epochs."""

    y: Int64[Tensor, " rows"] | Float[Tensor, " rows"]
    v: Int64[Tensor, " rows"]
    epoch: int
    """Finished epochs."""
    outputs: Callable[[], Out]
    """Bottleneck and logits of every training row under the current weights, in evaluation mode; costs one pass."""
    images: Callable[[], Iterator[Float[Tensor, "_ c h w"]]] = lambda: iter(())
    """All training images, normalised, in order and in parts."""


class Objective(nn.Module):
    """
    A loss on one batch, and what it needs of the loop.

    What it remembers from one epoch to the next are parameters and buffers: they are kept for a run that is taken up
    again, and beside the weights of a finished one.
    """

    views: int = 0
    """How many augmented views of each row it wants in a batch; 0: the images as they are."""
    readout: bool = False
    """Whether the classifier learns from a detached bottleneck: the loss reaches the network through z alone."""
    taps: tuple[str, ...] = ()
    """Inner layers whose outputs it wants."""
    inner: nn.Module | None
    """A second network with an optimiser of its own, stepped on `inner_step` before each step of the model."""
    least: int = 1
    """Rows that a batch must hold at least for the loss to mean anything."""
    inner_steps: int = 1
    """How often, before each step of the model."""
    warmup: int = 0
    """Passes over the training rows, before the first epoch, in which `inner` alone learns."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = None  # here, because an attribute of the class would hide a network that is set later

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The scalar that one step of the model goes down on."""
        raise NotImplementedError

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """How often each training row is drawn, up to scale; None: every row once an epoch. Asked before each epoch."""
        del table
        return None

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The scalar that one step of `inner` goes down on; `out` is detached."""
        raise NotImplementedError

    def epoch(self, table: Table) -> None:
        """Called after each epoch."""

    def guessed(self) -> Int64[Tensor, " rows"] | None:
        """The private class of each training row as the method made it out for itself; None: it makes out none."""
        return None


@runtime_checkable
class Make(Protocol):
    """The contract of `objective`."""

    def __call__(self, sizes: Sizes, **knobs: Any) -> Objective:
        """The objective for a training set of these sizes."""


__all__ = ["Batch", "Make", "Objective", "Out", "Sizes", "Table"]
