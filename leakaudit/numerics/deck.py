"""Rows of many questions at once, dealt out in random batches."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

OWN = 1.25
"""Rows of all questions over those of one, from which each is dealt its own."""
FEW = 10_000
"""Rows below which they are shuffled anew for each pass."""
TWO = 2


class Rows(NamedTuple):
    """Rows of p questions. A row of weight 0 does not count for that question."""

    x: Float[Tensor, "*p n r"]
    """The same for all questions, or each its own."""
    hot: Float32[Tensor, "n s"]
    """Which class of those conditioned on each row is in; one column of ones conditions on nothing."""
    strata: Int64[Tensor, " n"]
    """Which row of `prior` is added to the logits."""
    labels: Int64[Tensor, "p n"]
    weights: Float[Tensor, "p n"]

    def counting(self, generator: torch.Generator | None = None) -> "Rows":
        """Rows that count for any question, at least one, shuffled if asked; weights of each sum to 1."""
        counting = (self.weights > 0).any(0)
        counting[0] |= ~counting.any()
        rows = counting.nonzero().squeeze(1)
        if generator is not None:
            rows = rows[torch.randperm(len(rows), generator=generator).to(rows.device)]
        weights = self.weights[:, rows]
        total = weights.sum(1, keepdim=True).clamp_min(1e-12)
        x = self.x[..., rows, :]
        return Rows(x, self.hot[rows], self.strata[rows], self.labels[:, rows].clamp_min(0), weights / total)

    def part(self, rows: slice) -> "Rows":
        """Rows that lie together, the same for all questions."""
        x, labels, weights = self.x[..., rows, :], self.labels[:, rows], self.weights[:, rows]
        return Rows(x, self.hot[rows], self.strata[rows], labels, weights)

    def batch(self, rows: Int64[Tensor, "*p b"]) -> "Rows":
        """Some rows, the same for all questions or each its own."""
        beside = (
            (slice(None), rows) if rows.dim() == 1 else (torch.arange(len(rows), device=rows.device)[:, None], rows)
        )
        x = self.x[rows] if self.x.dim() == TWO else self.x[beside]
        return Rows(x, self.hot[rows], self.strata[rows], self.labels[beside], self.weights[beside])


class Deck:
    """
    Deals batches of rows again and again, few rows in another random order each time.

    Where questions count few rows of those that others count, as when folds are asked together, each question is dealt
    its own. Many rows are dealt as they lie, which spares a copy of each: whoever wants chance shuffles them before.
    Each pass then begins somewhere in what a whole number of batches leaves over.
    """

    def __init__(self, rows: Rows, batch: int, generator: torch.Generator) -> None:
        self.rows, self.generator = rows, generator
        counting = rows.weights > 0
        self.counts = counting.sum(1).clamp_min(1)
        most = int(self.counts.max())
        n = counting.shape[1]
        self.own = len(counting) > 1 and OWN * most < n
        self.shuffles = self.own or n < FEW
        self.absent = (~counting).float() * 2 if self.own else None
        self.size = most if self.own else n
        self.batch = max(1, min(batch, self.size))
        self.order, self.at = rows.labels[0], self.size

    def deal(self) -> Rows:
        """The next batch, its weights stretched to stand for all rows."""
        if self.at + self.batch > self.size:
            self.order = self._shuffled() if self.shuffles else self.order
            spare = 0 if self.shuffles else self.size % self.batch
            self.at = int(torch.randint(spare + 1, (), generator=self.generator))
        part = slice(self.at, self.at + self.batch)
        rows = self.rows.batch(self.order[..., part]) if self.shuffles else self.rows.part(part)
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
        device = self.rows.x.device
        if self.absent is None:
            return torch.randperm(self.size, generator=self.generator).to(device)
        order = (torch.rand(self.absent.shape, generator=self.generator).to(device) + self.absent).argsort(1)
        return order.gather(1, torch.arange(self.size, device=device) % self.counts[:, None])
