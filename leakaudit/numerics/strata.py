"""
Problems with a hyperplane for all strata and what each stratum adds to it, in one sweep over the rows.

Written out as columns this is x, the strata, and their products; most of those are 0, so each stratum sweeps over its
own rows instead, with the sum of both hyperplanes: a sweep costs as much as one over x alone. Strata of like size go
through one batched product, padded with rows that do not count.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from leakaudit.numerics.sweeps import CACHE, CARD, WIDEST, Labels, residuals

LIKE = 1.3
"""Strata go together up to this ratio of their sizes."""
SMALL = 8
"""So do all up to this size."""


@dataclass(frozen=True)
class Strata:
    """
    Which stratum each row is in, 0 up to `count`.

    Parameters of a problem with r columns: for each stratum its addition to the r weights and to the bias, then the r
    weights that all share. Additions are scaled so that all columns written out would have a mean square of 1.
    """

    of_row: Int64[Tensor, " n"]
    count: int

    @cached_property
    def root(self) -> Float[Tensor, " t"]:
        """Square root of each stratum's share of the rows."""
        return (torch.bincount(self.of_row, minlength=self.count) / max(len(self.of_row), 1)).sqrt()

    @cached_property
    def unit(self) -> Float[Tensor, " t"]:
        """What scales an addition: the inverse of `root`; 1 where there is no row."""
        return torch.where(self.root > 0, self.root, 1.0).reciprocal()

    def fold(
        self, weights: Float[Tensor, "p k f"], bias: Float[Tensor, "p k"]
    ) -> tuple[Float[Tensor, "t p k r"], Float[Tensor, "t p k"]]:
        """Weights and bias of each stratum."""
        table = torch.cat((weights, bias[..., None]), 2).unflatten(2, (self.count + 1, -1))
        own = table[:, :, :-1] * self.unit.to(table.dtype)[:, None] + table[:, :, -1:]
        own = own.permute(2, 0, 1, 3)
        return own[..., :-1].contiguous(), own[..., -1].contiguous()

    def logits(
        self,
        weights: Float[Tensor, "p k f"],
        bias: Float[Tensor, "p k"],
        x: Float[Tensor, "m r"],
        of_row: Int64[Tensor, " m"],
    ) -> Float[Tensor, "p k m"]:
        """The logits of rows that lie in strata like these."""
        own, shift = self.fold(weights, bias)
        order = torch.argsort(of_row, stable=True)
        blocks = x[order].split(torch.bincount(of_row, minlength=self.count).tolist())
        made = [
            torch.addmm(moved[:, None], flat, block.T)
            for flat, moved, block in zip(own.flatten(1, 2), shift.flatten(1), blocks, strict=True)
        ]
        return torch.cat(made, 1)[:, torch.argsort(order)].view(*bias.shape, len(x))


def lots(of_row: Int64[Tensor, " n"], count: int) -> list[tuple[Int64[Tensor, " _"], int]]:
    """The rows of each stratum that has any, and which stratum it is."""
    order = torch.argsort(of_row, stable=True)
    sizes = torch.bincount(of_row, minlength=count).tolist()
    return [(rows, at) for at, rows in enumerate(order.split(sizes)) if len(rows)]


class StrataSweep:
    """Gradients as `Sweep` gives them, for problems over strata."""

    def __init__(self, x: Float[Tensor, "n r"], asked: Labels, strata: Strata) -> None:
        self.asked, self.strata = asked, strata
        self.k = 1 if asked.classes == 2 else asked.classes  # noqa: PLR2004  # two classes have one logit
        rest = sorted(lots(strata.of_row, strata.count), key=lambda lot: len(lot[0]))
        self.packs: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []
        while rest:
            most = max(len(rest[0][0]) * LIKE, SMALL)
            pack = [lot for lot in rest if len(lot[0]) <= most]
            rest = rest[len(pack) :]
            self.packs.append(self._pack(x, [rows for rows, _ in pack], [at for _, at in pack]))

    def _pack(self, x: Tensor, rows: list[Tensor], which: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Strata, and their padded x, labels and weights."""
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        index = padded.clamp_min(0)
        labels = torch.where(padded < 0, -1, self.asked.labels[:, index]).transpose(0, 1).contiguous()
        weights = None
        if self.asked.weights is not None:
            weights = (self.asked.weights[:, index].transpose(0, 1) * (labels >= 0)).to(x.dtype).contiguous()
        elif bool((labels < 0).any()):
            weights = (labels >= 0).to(x.dtype)
        return torch.tensor(which, device=x.device), x[index], labels, weights

    def __call__(
        self, weights: Float[Tensor, "p k f"], bias: Float[Tensor, "p k"], of: Int64[Tensor, " p"]
    ) -> tuple[Float[Tensor, "p k f"], Float[Tensor, "p k"], Float[Tensor, "p k w"]]:
        """Sums, not means: with respect to weights and biases, and the curvature along the biases of all."""
        p, k = bias.shape
        own, shift = self.strata.fold(weights, bias)
        r = own.shape[-1]
        slope = own.new_zeros(self.strata.count, p * k, r + 1)
        bend = own.new_zeros(p, k, k if k <= WIDEST else 1)
        index = self.asked.index(of)
        for which, x, labels, counts in self.packs:
            flat, moved = own[which].flatten(1, 2), shift[which].flatten(1)[..., None]
            sums = slope.new_zeros(len(which), p * k, r + 1)
            step = max((CARD if x.is_cuda else CACHE) // (p * k * len(which)), 64)
            for start in range(0, x.shape[1], step):
                part = slice(start, start + step)
                block = x[:, part]
                z = torch.baddbmm(moved, flat, block.transpose(1, 2))
                push, turn = residuals(z.unflatten(1, (p, k)), *_some(labels, counts, part, index))
                sums[..., -1] += push.flatten(1)
                bend += turn.sum(0)
                sums[..., :-1] += z @ block
            slope[which] = sums
        table = slope.unflatten(1, (p, k)).permute(1, 2, 0, 3)
        shared = table.sum(2, keepdim=True)
        gradient = torch.cat((table * self.strata.unit.to(table.dtype)[:, None], shared), 2).flatten(2)
        return gradient[..., :-1], gradient[..., -1], bend


def _some(
    labels: Int[Tensor, "g q m"], weights: Tensor | None, part: slice, index: Tensor | None
) -> tuple[Int[Tensor, "g p b"], Float[Tensor, "g p b"] | None]:
    """A part of the rows, by problem."""
    labels = labels[..., part]
    weights = None if weights is None else weights[..., part]
    if index is None:
        return labels, weights
    return labels[:, index], None if weights is None else weights[:, index]
