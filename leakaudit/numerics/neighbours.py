"""
Nearest neighbours by products of matrices, and their votes on many questions about the same rows at once.

One search serves all questions: each counts, of the neighbours found, the first that it shows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

CELLS = 1 << 23
"""Distances, or votes, held at a time."""
PRIOR = 2.0
"""Neighbours of average weight that the shares among all rows count for."""


@dataclass(frozen=True)
class Found:
    """Rows near to m queries, nearest first."""

    index: Int64[Tensor, "m k"]
    """Row of the references; 0 where there are no more."""
    real: Bool[Tensor, "m k"]
    """Whether there is such a row."""


def nearest(
    queries: Float[Tensor, "m r"],
    references: Float[Tensor, "n r"],
    count: int,
    among: tuple[Int64[Tensor, " m"], Int64[Tensor, " n"]] | None = None,
) -> Found:
    """The `count` nearest references of each query; with `among`, only those that bear the query's mark."""
    index = torch.zeros(len(queries), count, dtype=torch.int64, device=queries.device)
    real = torch.zeros(len(queries), count, dtype=torch.bool, device=queries.device)
    if among is None:
        _nearest(queries, references, None, None, index, real)
    else:
        asked, held = among
        by_query, by_row = asked.argsort(stable=True), held.argsort(stable=True)
        for mark in asked.unique():
            mine = by_query[slice(*torch.searchsorted(asked[by_query], torch.stack((mark, mark + 1))).tolist())]
            rows = by_row[slice(*torch.searchsorted(held[by_row], torch.stack((mark, mark + 1))).tolist())]
            _nearest(queries, references, mine, rows, index, real)
    return Found(index, real)


def _nearest(
    queries: Tensor, references: Tensor, mine: Tensor | None, rows: Tensor | None, index: Tensor, real: Tensor
) -> None:
    """Fill in what is nearest to some of the queries among some of the references."""
    held = references if rows is None else references[rows]
    asked = queries if mine is None else queries[mine]
    most = min(index.shape[1], len(held))
    if not most:
        return
    square = held.square().sum(1)
    step = max(1, CELLS // len(held))
    for first in range(0, len(asked), step):
        far = torch.addmm(square, asked[first : first + step], held.T, alpha=-2)
        near = far.topk(most, largest=False).indices
        at = slice(first, first + step) if mine is None else mine[first : first + step]
        index[at, :most] = near if rows is None else rows[near]
        real[at, :most] = True


def votes(
    found: Found,
    labels: Int64[Tensor, " n"],
    weights: Float[Tensor, " n"],
    classes: int,
    counts: tuple[int, ...],
    barred: Bool[Tensor, "m k"] | None = None,
) -> list[Float[Tensor, "m c"]]:
    """
    P(class | row) by the first of the neighbours that have a label, for each of `counts` in ascending order.

    A neighbour counts by its weight; `PRIOR` neighbours of average weight that vote as all rows do stand beside them.
    Rows with label -1 or weight 0, and those `barred`, are passed over.
    """
    weight = weights * (labels >= 0)
    total = weight.sum()
    prior = torch.zeros(classes, device=weight.device).scatter_add_(0, labels.clamp_min(0), weight)
    prior = prior / total if float(total) > 0 else torch.full_like(prior, 1 / classes)
    prior = prior * PRIOR * float(total) / max(1, int((weight > 0).sum()))
    if not float(total) > 0:
        prior = torch.full_like(prior, PRIOR / classes)
    made = [torch.empty(len(found.index), classes, device=weight.device) for _ in counts]
    step = max(1, CELLS // max(found.index.shape[1], classes))
    if not len(labels):
        return [torch.full_like(out, 1 / classes) for out in made]
    for first in range(0, len(found.index), step):
        part = slice(first, first + step)
        index = found.index[part]
        counted, label = weight[index], labels[index].clamp_min(0)
        shown = found.real[part] & (counted > 0)
        if barred is not None:
            shown &= ~barred[part]
        whole = bool(shown[:, : max(counts)].all())
        place = None if whole else shown.cumsum(1, dtype=torch.int16)
        for count, out in zip(counts, made, strict=True):
            if place is None:
                mine, label = counted[:, :count], labels[index[:, :count]]
            else:
                mine = counted * (shown & (place <= count))
            if classes == 2:  # noqa: PLR2004  # sums are quicker than scattering, and most questions have two classes
                second = (mine * label).sum(1)
                tally = torch.stack((mine.sum(1) - second, second), 1)
            else:
                tally = torch.zeros(len(index), classes, device=weight.device).scatter_add_(1, label, mine)
            tally += prior
            out[part] = tally / tally.sum(1, keepdim=True)
    return made
