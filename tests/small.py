"""A small training set and second networks that fit it: what a method is tried on, in float64."""

from dataclasses import replace

import torch
from torch import Tensor

from leakaudit.backbones import simple_convnet
from leakaudit.debias import Batch, Out, Sizes, Table
from leakaudit.numerics.taps import Tapped

ROWS, WIDTH, TARGETS, PRIVATES = 24, 6, 3, 4


def second(text: str) -> Tapped:
    """A network that sees single pixels, or, unnamed, patches; its weights are always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = simple_convnet.build(TARGETS, (3, 8, 8), kernel=1 if text else 3, width=1)
    return Tapped(network, simple_convnet.BOTTLENECK)


SIZES = Sizes(
    targets=TARGETS, privates=PRIVATES, width=WIDTH, rows=ROWS, table=torch.full((TARGETS, PRIVATES), 2),
    shape=(3, 8, 8), taps={}, network=second,
)  # fmt: skip


def batch(rows: int = ROWS, seed: int = 1) -> Batch:
    """Random images and labels, the first rows of the training set."""
    random = torch.Generator().manual_seed(seed)
    y, v = (torch.randint(k, (rows,), generator=random) for k in (TARGETS, PRIVATES))
    return Batch(torch.randn(rows, 3, 8, 8, generator=random, dtype=torch.float64), y, v, torch.arange(rows))


def out(rows: int = ROWS, seed: int = 2) -> Out:
    """A random answer that a gradient can go back to."""
    random = torch.Generator().manual_seed(seed)
    z, logits = (torch.randn(rows, k, generator=random, dtype=torch.float64) for k in (WIDTH, TARGETS))
    return Out(z.requires_grad_(), logits.requires_grad_(), {})


def part(whole: Batch, rows: Tensor) -> Batch:
    """Some rows of a batch."""
    return Batch(whole.x[rows], whole.y[rows], whole.v[rows], whole.rows[rows])


def unlabelled(whole: Batch) -> Batch:
    """The same rows without any private class."""
    return replace(whole, v=torch.full_like(whole.v, -1))


def table(whole: Batch, epoch: int) -> Table:
    """The rows of a batch as the training set."""

    def outputs() -> Out:
        raise NotImplementedError

    return Table(whole.y, whole.v, epoch, outputs, lambda: iter(whole.x.split(7)))
