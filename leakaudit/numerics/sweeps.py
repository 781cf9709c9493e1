"""
One sweep over the rows: gradients of the cross-entropy of many linear problems, and nothing kept of the rows.

Rows come in blocks that fit a core's cache, and each block serves forwards and backwards before the next is read: of
n x d numbers every sweep reads each once. Arrays of blocks are made once; nothing of size problems x rows exists.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

BINARY = 2
CACHE = 1 << 17
"""Logits worked on at a time on a CPU."""
ROWS = 1 << 19
"""Numbers of x worked on at a time on a CPU."""
CARD = 1 << 27
"""Logits worked on at a time on a GPU."""
WIDEST = 64
"""Classes up to which the curvature along all biases together is computed; beyond, along each alone, as one column."""


@runtime_checkable
class Blocks(Protocol):
    """Rows that are read anew in every sweep, from wherever they lie."""

    @property
    def width(self) -> int:
        """Count of columns."""

    def __len__(self) -> int:
        """Count of rows."""

    def blocks(self) -> Iterator[tuple[slice, Float[Tensor, "b d"]]]:
        """All rows in order, as consecutive slices and their float32 or float64 values."""


@dataclass(frozen=True)
class Lens:
    """Columns (x - mean) @ matrix, or (x - mean) * scale, which no solve ever writes down."""

    mean: Float[Tensor, " d"]
    matrix: Float[Tensor, "d r"] | Float[Tensor, " d"]
    """A matrix, or one factor per column."""

    @property
    def width(self) -> int:
        """Count of columns seen through it."""
        return int(self.matrix.shape[-1])

    def fold(self, weights: Float[Tensor, "p r"], bias: Float[Tensor, " p"]) -> tuple[Tensor, Tensor]:
        """Weights and biases of the same logits on the columns of x themselves."""
        raw = weights * self.matrix if self.matrix.ndim == 1 else weights @ self.matrix.T
        return raw, bias - raw @ self.mean

    def unfold(self, gradient: Float[Tensor, "p d"], bias: Float[Tensor, " p"]) -> Float[Tensor, "p r"]:
        """The gradient with respect to the weights, from those with respect to the raw weights and the bias."""
        centred = gradient - torch.outer(bias, self.mean)
        return centred * self.matrix if self.matrix.ndim == 1 else centred @ self.matrix


@dataclass(frozen=True)
class Labels:
    """What the problems ask: labels and weights once per question, and which question each problem asks."""

    labels: Int[Tensor, "q n"]
    """-1 for rows that do not count; int8 is enough for 127 classes."""
    weights: Float[Tensor, "q n"] | None
    """None: every labelled row counts alike."""
    of: Int64[Tensor, " p"]
    classes: int

    def prior(self) -> tuple[Float[Tensor, "q c"], Float[Tensor, " q"]]:
        """Share of each class, and the total weight."""
        sums = torch.stack([self._class(code) for code in range(self.classes)], 1)
        total = sums.sum(1)
        return sums / total.clamp_min(1e-30)[:, None], total

    @cached_property
    def whole(self) -> bool:
        """Whether every row counts alike in every question."""
        return self.weights is None and not bool((self.labels < 0).any())

    def index(self, of: Int64[Tensor, " p"]) -> Int64[Tensor, " p"] | None:
        """Which question each of some problems asks; None: its own."""
        return None if torch.equal(of, torch.arange(len(self.labels), device=of.device)) else of

    def of_rows(
        self, rows: slice, index: Int64[Tensor, " p"] | None, like: Tensor
    ) -> tuple[Int[Tensor, "1 p b"], Float[Tensor, "1 p b"] | None]:
        """Labels of some rows and what they count, by problem."""
        labels = self.labels[:, rows]
        labels = (labels if index is None else labels[index])[None]
        if self.whole:
            return labels, None
        if self.weights is None:
            return labels, (labels >= 0).to(like.dtype)
        weights = self.weights[:, rows]
        return labels, (weights if index is None else weights[index])[None].to(like.dtype) * (labels >= 0)

    def _class(self, code: int) -> Float[Tensor, " q"]:
        """The weight of a class, in float64."""
        mine = self.labels == code
        if self.weights is None:
            return mine.sum(1).double()
        return torch.stack([(row * at).sum(dtype=torch.float64) for row, at in zip(self.weights, mine, strict=True)])


def residuals(
    z: Float[Tensor, "g p k b"], labels: Int[Tensor, "g p b"], weights: Float[Tensor, "g p b"] | None
) -> tuple[Float[Tensor, "g p k"], Float[Tensor, "g p k w"]]:
    """
    Turn logits into weighted residuals, P(class | row) less 1 for the row's class, in place.

    Gives their sums, and the curvature of the cross-entropy along the biases.
    """
    if z.shape[2] == 1:
        return _binary(z[:, :, 0], labels, weights)
    torch.softmax(z, 2, out=z)
    counted = z if weights is None else z * weights[:, :, None]
    if z.shape[2] <= WIDEST:
        bend = torch.diag_embed(counted.sum(3)) - counted @ z.transpose(2, 3)
    else:
        bend = (counted - counted * z).sum(3, keepdim=True)
    if weights is not None:
        z.copy_(counted)
    taken = -torch.ones_like(labels, dtype=z.dtype) if weights is None else -weights
    z.scatter_add_(2, labels.clamp_min(0).long()[:, :, None], taken[:, :, None])
    return z.sum(3), bend


def _binary(z: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same for two classes, whose one logit is that of the second."""
    torch.sigmoid(z, out=z)
    if weights is None:
        bend = z.sum(2) - torch.linalg.vecdot(z, z)
        z -= (labels == 1).to(z.dtype)
    else:
        square = z * weights
        bend = square.sum(2) - torch.linalg.vecdot(z, square)
        torch.addcmul(square, weights, (labels == 1).to(z.dtype), value=-1, out=z)
    return z.sum(2, keepdim=True), bend[..., None, None]


class Sweep:
    """Gradients of sum_i w_i CE_i / sum_i w_i for a chunk of problems at given weights."""

    def __init__(self, x: Float[Tensor, "n d"] | Blocks, asked: Labels, lens: Lens | None) -> None:
        self.x, self.asked, self.lens = x, asked, lens
        self.n, self.d = (len(x), x.shape[1] if isinstance(x, Tensor) else x.width)
        self.k = 1 if asked.classes == BINARY else asked.classes
        self.space: Tensor | None = None

    def __call__(
        self, weights: Float[Tensor, "p k r"], bias: Float[Tensor, "p k"], of: Int64[Tensor, " p"]
    ) -> tuple[Float[Tensor, "p k r"], Float[Tensor, "p k"], Float[Tensor, "p k w"]]:
        """Sums, not means: with respect to weights and biases, and the curvature along the biases."""
        p, k, _ = weights.shape
        flat, shift = weights.flatten(0, 1), bias.flatten()
        if self.lens is not None:
            flat, shift = self.lens.fold(flat, shift)
        slope = flat.new_zeros(p * k, self.d)
        lean, bend = flat.new_zeros(p, k), flat.new_zeros(p, k, k if k <= WIDEST else 1)
        index = self.asked.index(of)
        still = not bool(weights.any())
        for rows, block in self._blocks(p * k):
            z = self._room(p * k * len(block), block).view(p * k, len(block))
            if still:
                z.copy_(shift[:, None].expand_as(z))
            else:
                torch.addmm(shift[:, None], flat, block.T, out=z)
            push, turn = residuals(z.view(1, p, k, len(block)), *self.asked.of_rows(rows, index, block))
            lean += push[0]
            bend += turn[0]
            slope.addmm_(z, block)
        gradient = slope if self.lens is None else self.lens.unfold(slope, lean.flatten())
        return gradient.view(p, k, -1), lean, bend

    def _blocks(self, columns: int) -> Iterator[tuple[slice, Tensor]]:
        """Blocks of rows that go with so many columns."""
        if isinstance(self.x, Tensor):
            step = self._step(columns, self.x)
            for start in range(0, self.n, step):
                rows = slice(start, min(start + step, self.n))
                yield rows, self.x[rows]
            return
        for rows, block in self.x.blocks():
            step = self._step(columns, block)
            for start in range(0, len(block), step):
                part = block[start : start + step]
                yield slice(rows.start + start, rows.start + start + len(part)), part

    def _step(self, columns: int, x: Tensor) -> int:
        """Rows at a time."""
        if x.is_cuda:
            return max(CARD // columns, 1024)
        return max(min(CACHE // columns, ROWS // max(self.d, 1), 4096), 128)

    def _room(self, numbers: int, like: Tensor) -> Tensor:
        """The same memory each time."""
        if self.space is None or len(self.space) < numbers:
            self.space = like.new_empty(numbers)
        return self.space[:numbers]
