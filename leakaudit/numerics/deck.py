"""Rows of many questions at once, dealt out in random batches."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

OWN = 1.25
"""Rows of all questions over those of one, from which each is dealt its own."""


class Rows(NamedTuple):
    """Rows of p questions. A row of weight 0 does not count for that question."""

    x: Float[Tensor, "n r"]
    hot: Float32[Tensor, "n s"]
    """Which class of those conditioned on each row is in; one column of ones conditions on nothing."""
    strata: Int64[Tensor, " n"]
    """Which row of `prior` is added to the logits."""
    labels: Int64[Tensor, "p n"]
    weights: Float[Tensor, "p n"]

    def counting(self) -> "Rows":
        """Rows that count for any question, at least one; weights of each sum to 1."""
        counting = (self.weights > 0).any(0)
        counting[0] |= ~counting.any()
        rows = counting.nonzero().squeeze(1)
        weights = self.weights[:, rows]
        total = weights.sum(1, keepdim=True).clamp_min(1e-12)
        return Rows(self.x[rows], self.hot[rows], self.strata[rows], self.labels[:, rows].clamp_min(0), weights / total)

    def batch(self, rows: Int64[Tensor, "*p b"]) -> "Rows":
        """Some rows, the same for all questions or each its own."""
        beside = (
            (slice(None), rows) if rows.dim() == 1 else (torch.arange(len(rows), device=rows.device)[:, None], rows)
        )
        return Rows(self.x[rows], self.hot[rows], self.strata[rows], self.labels[beside], self.weights[beside])


class Deck:
    """
    Deals rows in random order, again and again.

    Where questions count few rows of those that others count, as when folds are asked together, each question is dealt
    its own.
    """

    def __init__(self, rows: Rows, batch: int, generator: torch.Generator) -> None:
        self.rows, self.generator = rows, generator
        counting = rows.weights > 0
        self.counts = counting.sum(1).clamp_min(1)
        most = int(self.counts.max())
        self.own = len(counting) > 1 and OWN * most < len(rows.x)
        self.absent = (~counting).float() * 2 if self.own else None
        self.size = most if self.own else len(rows.x)
        self.batch = max(1, min(batch, self.size))
        self.order, self.at = rows.labels[0], self.size

    def deal(self) -> Rows:
        """The next batch, its weights stretched to stand for all rows."""
        if self.at + self.batch > self.size:
            self.order, self.at = self._shuffled(), 0
        rows = self.rows.batch(self.order[..., self.at : self.at + self.batch])
        self.at += self.batch
        stretch = self.counts[:, None] / self.batch if self.own else self.size / self.batch
        return rows._replace(weights=rows.weights * stretch)

    def every(self) -> Rows:
        """All rows that count, once; their weights sum to 1 for each question."""
        if not self.own:
            return self.rows
        order = (self.rows.weights <= 0).float().sort(dim=1, stable=True).indices[:, : self.size]
        return self.rows.batch(order)

    def _shuffled(self) -> Tensor:
        n, device = len(self.rows.x), self.rows.x.device
        if self.absent is None:
            return torch.randperm(n, generator=self.generator).to(device)
        order = (torch.rand(self.absent.shape, generator=self.generator).to(device) + self.absent).argsort(1)
        return order.gather(1, torch.arange(self.size, device=device) % self.counts[:, None])
