"""
Rules of quadrics from all rows of a file: sums that are tallied block by block, while nothing is kept of the rows.

The first visit sums rows, squares of the leading components, and products with the directions settled on in a sample;
only where a rule wants directions of more components than squares are formed of, those of the moved directions need
another visit. What `quadric` and `patterns` sum over rows in memory is summed here as products in single precision,
added up in double; components are seen through a lens, so that a row costs a few products and no rotation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from leakaudit.numerics.logistic import columns
from leakaudit.numerics.moments import Moments
from leakaudit.numerics.patterns import Pattern, krylov, moved, pushed
from leakaudit.numerics.quadric import Signed, Sorted, Whitener, about, contrasts, outer
from leakaudit.numerics.rules import Rules, Starts, formed_rules, leading, searched, wanted
from leakaudit.numerics.scores import Scores
from leakaudit.numerics.stream import Stream

CHUNK = 1 << 20
"""Rows whose labels are counted at a time."""
HELD = 1 << 24
"""Sums held at a time."""
FINE = 1e3
"""Deviations of components further apart than this are told apart in double precision."""


@dataclass(frozen=True)
class Lens:
    """Whitened components of rows on disk: (row - centre of its stratum) @ matrix - rest of its stratum."""

    stream: Stream
    scores: Scores | None
    """Of the columns; None: the columns as they are."""
    centre: Float32[Tensor, "s d"]
    matrix: Float[Tensor, "d r"]
    rest: Float64[Tensor, "s r"]
    """What rounding of the centre leaves."""

    @staticmethod
    def of(stream: Stream, known: Moments, scores: Scores | None, whiten: Whitener) -> "Lens":
        """Of rows that are whitened as normal scores of their columns, or in the leading components of `known`."""
        inner, centre = whiten.matrix.double(), whiten.centre.double()
        if scores is not None:
            return Lens(stream, scores, whiten.centre, whiten.matrix, inner.new_zeros(len(centre), inner.shape[1]))
        basis = known.basis.matrix[:, : len(inner)]
        basis = basis if basis.shape[1] else np.zeros((len(known.mean), 1))
        fine = np.abs(basis).max(initial=0.0) > FINE * np.abs(basis[:, :1]).max(initial=0.0)
        # the basis makes the covariance I, so that with it components are taken back to columns
        mean, outward, back = (
            torch.from_numpy(part).to(stream.device) for part in (known.mean, basis, known.covariance @ basis)
        )
        middle = (mean + centre @ back.T).float()
        rest = centre @ inner + (mean - middle) @ outward @ inner
        return Lens(stream, None, middle, (outward @ inner).to(torch.float64 if fine else torch.float32), rest)

    def blocks(self, asked: "Asked") -> Iterator[tuple[Sorted, Tensor, Tensor]]:
        """Rows of which a label is told, about their centre, with labels and shares of the whole weight."""
        room = self.matrix.new_empty(0, self.stream.width)
        for rows, block in self.stream.blocks():
            order = asked.order(rows)
            if not len(order):
                continue
            if len(block) > len(room):
                room = room.new_empty(block.shape)
            places = torch.from_numpy(order).to(block.device)
            table = block if self.scores is None else self._scored(block)
            mine = torch.index_select(table.to(room.dtype), 0, places, out=room[: len(order)])
            strata = torch.from_numpy(asked.target[rows][order]).to(block.device)
            found = Sorted(mine, strata, places, len(self.centre))
            for y, part in found.slices():
                found.x[part] -= self.centre[y]
            labels, shares = asked.of(rows, order)
            yield found, labels.to(block.device), shares.to(block.device, self.matrix.dtype)

    def _scored(self, block: Tensor) -> Tensor:
        assert self.scores is not None
        return torch.from_numpy(self.scores.of(block.cpu().numpy())).to(block.device)


@dataclass(frozen=True)
class Asked:
    """What p problems ask of the rows on disk."""

    labels: Sequence[Int64[np.ndarray, " n"]]
    """-1 for rows that do not count."""
    weights: Sequence[Float32[np.ndarray, " n"]]
    classes: int
    target: Int64[np.ndarray, " n"]

    def order(self, rows: slice) -> Int64[np.ndarray, " m"]:
        """Those of some rows that count in any problem, by stratum."""
        target = self.target[rows]
        told = np.any([labels[rows] >= 0 for labels in self.labels], axis=0) & (target >= 0)
        places = np.flatnonzero(told)
        found: Int64[np.ndarray, " m"] = places[np.argsort(target[places], kind="stable")]
        return found

    def of(self, rows: slice, order: Int64[np.ndarray, " m"]) -> tuple[Int64[Tensor, "p m"], Float[Tensor, "p m"]]:
        """Labels of some of these rows, and their shares of the whole weight."""
        labels = np.stack([each[rows][order] for each in self.labels])
        shares = np.stack([each[rows][order] for each in self.weights]) * (labels >= 0)
        return torch.from_numpy(labels), torch.from_numpy(shares / self.whole[:, None])

    @cached_property
    def told(self) -> tuple[int, ...]:
        """Count of rows whose label each problem shows."""
        return tuple(int(((labels >= 0) & (self.target >= 0)).sum()) for labels in self.labels)

    @cached_property
    def tallied(self) -> tuple[int, Float64[np.ndarray, "p c"]]:
        """Count of rows that count in any problem, and the weight of each class."""
        count, sums = 0, np.zeros((len(self.labels), self.classes))
        for start in range(0, len(self.target), CHUNK):
            rows = slice(start, start + CHUNK)
            order = self.order(rows)
            count += len(order)
            for i, (labels, weights) in enumerate(zip(self.labels, self.weights, strict=True)):
                sums[i] += np.bincount(labels[rows][order] + 1, weights[rows][order], self.classes + 1)[1:]
        return count, sums

    @property
    def whole(self) -> Float64[np.ndarray, " p"]:
        """The whole weight."""
        found: Float64[np.ndarray, " p"] = np.maximum(self.tallied[1].sum(1), 1e-30)
        return found

    @property
    def prior(self) -> Float64[np.ndarray, "p c"]:
        """Share of each class in it."""
        found: Float64[np.ndarray, "p c"] = self.tallied[1] / self.whole[:, None]
        return found


@dataclass(frozen=True)
class _Sums:
    """What a visit brings back, about the lens' centres, in double precision; only `pushed` from a later one."""

    mass: Float64[Tensor, "q s"]
    """Of weights, then of signed weights."""
    rows: Float64[Tensor, "q s d"]
    squares: Float64[Tensor, "p k s l l"]
    """Of the leading components."""
    pushed: Mapping[int, Float64[Tensor, "wpk d"]]
    """By count of components (`patterns.pushed`)."""


def together(lens: Lens, classes: int) -> int:
    """Problems whose sums are held at a time, one at least."""
    k, (s, d) = columns(classes), lens.centre.shape
    return max(1, HELD // (s * ((1 + k) * d + k * leading(k) ** 2)))


def tally(lens: Lens, asked: Asked, names: Iterable[str], seed: int, starts: Starts) -> tuple[Rules, int]:
    """
    The rules, of which these names matter, as `rules` fits them to the same rows in memory; how often they were read.

    `starts` are patterns that were found in a sample. Patterns that no name wants are not searched for.
    """
    p, k, named = len(asked.labels), columns(asked.classes), tuple(names)
    n, width = max(1, asked.tallied[0]), lens.matrix.shape[1]
    search = {
        count: krylov((p, k, count), seed, lens.centre, starts.get(count))
        for count in searched(k, width, n)
        if wanted(named, count)
    }
    blocks = {count: next(each) for count, each in search.items()}
    sums = _visit(lens, asked, min(leading(k), width), blocks)
    moments, visits = _moments(lens, sums, p, n), 1
    table = about(sums.squares, moments).float()
    found: dict[int, Pattern] = {}
    while blocks:
        for count, block in list(blocks.items()):
            image = moved(sums.pushed[count] @ lens.matrix[:, :count].double(), moments, block.double())
            try:
                blocks[count] = search[count].send(image.float())
            except StopIteration as end:
                found[count] = end.value
                del blocks[count]
        if blocks:
            sums, visits = _visit(lens, asked, 0, blocks), visits + 1
    # rows that are guessed are whitened about the whitener's centre, not the rounded one
    prior = torch.from_numpy(asked.prior).float().to(lens.centre.device)
    single = Signed(
        moments.signs.float(), (moments.mean - lens.rest).float(), moments.first.float(), moments.total.float(),
        moments.share.float(), prior,
    )  # fmt: skip
    return formed_rules(single, table, n).beside({count: found[count] for count in sorted(found)}), visits


def _visit(lens: Lens, asked: Asked, lead: int, blocks: Mapping[int, Float32[Tensor, "p k c w"]]) -> _Sums:
    """Read the file once; without `lead` only for what the moments make of the blocks of directions."""
    p, k, (s, d), kind = len(asked.labels), columns(asked.classes), lens.centre.shape, lens.matrix.dtype
    new = partial(torch.zeros, dtype=torch.float64, device=lens.centre.device)
    mass, rows, squares = new(p + p * k, s), new(p + p * k, s, d), new(p, k, s, lead, lead)
    folds, images = {}, {}
    for count, block in blocks.items():
        raw = lens.matrix[:, :count].double() @ block.double()
        folds[count] = raw.permute(2, 3, 0, 1).flatten(1).to(kind)
        images[count] = new(folds[count].shape[1], d)
    prior = torch.from_numpy(asked.prior).to(lens.centre.device, kind)
    for part, labels, shares in lens.blocks(asked):
        signs = contrasts(labels, shares, prior).flatten(0, 1)
        if lead:
            both, white = torch.cat((shares, signs)), part.x @ lens.matrix[:, :lead]
            for y, where in part.slices():
                mass[:, y] += both[:, where].sum(1)
                rows[:, y] += both[:, where] @ part.x[where]
                squares[:, :, y] += outer(white[where], signs[:, where]).view(p, k, lead, lead)
        turned = signs.T.contiguous()
        for count, fold in folds.items():
            images[count] += pushed(part.x, turned, fold)
    return _Sums(mass, rows, squares, images)


def _moments(lens: Lens, sums: _Sums, p: int, n: int) -> Signed:
    """As `signed` makes them of n rows, in double precision and about the lens' centres."""
    x = sums.rows @ lens.matrix.double()
    share, total = sums.mass[:p], sums.mass[p:].view(p, -1, sums.mass.shape[1])
    mean = (x[:p] + lens.rest / n) / (share + 1 / n).unsqueeze(2)
    first = x[p:].view(*total.shape, -1) - total.unsqueeze(3) * mean.unsqueeze(1)
    return Signed(x.new_zeros(p, total.shape[1], 0), mean, first, total, share, x.new_zeros(p, 0))
