"""
Methods. One file is one method, and a method is a loss:

    objective(sizes, *, <knobs>) -> Objective

One loop trains all of them. An objective may declare `views`, `taps`, `inner` and sampler weights, and define
`inner_step` and `epoch`; nothing else. Its own parameters join the optimiser as a group of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor, nn

from leakaudit.numerics.taps import Out


@dataclass(frozen=True)
class Sizes:
    """What an objective is built for."""

    targets: int
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


@dataclass(frozen=True)
class Batch:
    """One batch of training rows."""

    x: Float[Tensor, "n c h w"]
    """Normalised images; with views, the first view."""
    y: Int64[Tensor, " n"]
    v: Int64[Tensor, " n"]
    """Private class, -1 for missing."""
    rows: Int64[Tensor, " n"]
    """Position of each row in the training set."""
    views: tuple[Float[Tensor, "n c h w"], ...] = ()
    """Augmented views of the same rows, as many as the objective asked for."""


@dataclass(frozen=True)
class Table:
    """The training set as an objective sees it between epochs."""

    y: Int64[Tensor, " rows"]
    v: Int64[Tensor, " rows"]
    epoch: int
    """Finished epochs."""
    outputs: Callable[[], Out]
    """Bottleneck and logits of every training row under the current weights, in evaluation mode; costs one pass."""


class Objective(nn.Module):
    """
    A loss on one batch, and what it needs of the loop.

    What it remembers from one epoch to the next are parameters and buffers: they are kept for a run that is taken up
    again, and beside the weights of a finished one.
    """

    views: ClassVar[int] = 0
    """How many augmented views of each batch it wants."""
    taps: ClassVar[tuple[str, ...]] = ()
    """Inner layers whose outputs it wants."""
    inner: nn.Module | None
    """A second network with an optimiser of its own, stepped on `inner_step` before each step of the model."""
    inner_steps: int = 1

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


@runtime_checkable
class Make(Protocol):
    """The contract of `objective`."""

    def __call__(self, sizes: Sizes, **knobs: Any) -> Objective:
        """The objective for a training set of these sizes."""


__all__ = ["Batch", "Make", "Objective", "Out", "Sizes", "Table"]
