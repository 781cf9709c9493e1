"""
Class moments: how the classes' means and covariances differ within strata, many problems at once.

A problem is a labelling of the same rows with weights. All moments are about the mean of each stratum, weighted as the
problem weights its rows, so that strata of another mix do not blur them: the between-class sums of Fisher (Annals of
Eugenics 1936) and the differences of covariances that quadratic discriminants are made of.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.numerics.logistic import columns

BLOCK = 1 << 19
"""Numbers in flight at a time."""


@dataclass(frozen=True)
class Sorted:
    """Rows in the order of their strata."""

    x: Float[Tensor, "n r"]
    strata: Int64[Tensor, " n"]
    """Ascending."""
    order: Int64[Tensor, " n"]
    """Where each row stood before."""
    count: int

    def slices(self) -> Iterator[tuple[int, slice]]:
        """Each stratum that has rows, and where they are."""
        edges = torch.searchsorted(self.strata, torch.arange(self.count + 1, device=self.strata.device)).tolist()
        for y in range(self.count):
            if edges[y + 1] > edges[y]:
                yield y, slice(edges[y], edges[y + 1])

    def part(self, keep: Tensor) -> "Sorted":
        """Some of the rows, by a mask."""
        return Sorted(self.x[keep], self.strata[keep], self.order[keep], self.count)

    @staticmethod
    def of(x: Tensor, strata: Tensor, count: int) -> "Sorted":
        """Sort."""
        order = strata.argsort(stable=True)
        return Sorted(x[order], strata[order], order, count)


@dataclass(frozen=True)
class Whitener:
    """Takes the mean of the stratum away and makes the covariance within strata I, leading components first."""

    centre: Float32[Tensor, "s d"]
    matrix: Float32[Tensor, "d r"]

    def __call__(self, rows: Sorted) -> Sorted:
        """The rows, whitened."""
        made = rows.x @ self.matrix
        shift = self.centre @ self.matrix
        for y, part in rows.slices():
            made[part] -= shift[y]
        return Sorted(made, rows.strata, rows.order, rows.count)


def whitener(rows: Sorted, basis: Float32[Tensor, "d r"] | None = None) -> Whitener:
    """
    Learned from rows without labels, on the components x @ basis in their order: the map is upper triangular there.

    The covariance is drawn towards I by r of n + r parts.
    """
    n, d = rows.x.shape
    basis = torch.eye(d, device=rows.x.device) if basis is None else basis
    r = basis.shape[1]
    centre = rows.x.new_zeros(rows.count, d)
    for y, part in rows.slices():
        centre[y] = rows.x[part].sum(0) / (part.stop - part.start + 1)
    wide, eye = basis.double(), torch.eye(r, dtype=torch.float64, device=rows.x.device)
    for precision in (torch.float32, torch.float64):
        covariance = wide.T @ _within(rows, centre, precision).double() @ wide
        lower, failed = torch.linalg.cholesky_ex((covariance + r * eye) / max(1, n + r))
        if not failed:
            break
    # where columns are nearly alike, rounding of single precision outweighs what tells them apart
    assert not failed, "a covariance in double precision, drawn towards I, has a root"
    return Whitener(centre, (wide @ torch.linalg.solve_triangular(lower, eye, upper=False).T).float().contiguous())


def _within(rows: Sorted, centre: Float32[Tensor, "s d"], precision: torch.dtype) -> Float[Tensor, "d d"]:
    """Sum over strata of the outer products of rows about their centre."""
    d = rows.x.shape[1]
    covariance = torch.zeros(d, d, dtype=precision, device=rows.x.device)
    for y, part in rows.slices():
        for first in range(part.start, part.stop, 8192):
            centred = (rows.x[first : min(first + 8192, part.stop)] - centre[y]).to(precision)
            covariance.addmm_(centred.T, centred)
    return covariance


@dataclass(frozen=True)
class Signed:
    """Signed weights of p problems with k contrasts each, and the moments of first order."""

    signs: Float[Tensor, "p k n"]
    """Of each row; of none where the rows lie on disk."""
    mean: Float[Tensor, "p s r"]
    """Of each stratum."""
    first: Float[Tensor, "p k s r"]
    """Signed sums of the rows about the mean, by stratum."""
    total: Float[Tensor, "p k s"]
    """Signed sums of weights."""
    share: Float[Tensor, "p s"]
    """Of the weights, by stratum."""
    prior: Float[Tensor, "p c"]
    """Of the weights, by class."""


def signed(rows: Sorted, labels: Int64[Tensor, "p n"], weights: Float[Tensor, "p n"], classes: int) -> Signed:
    """Two classes: half the second less half the first. More: each class less all together."""
    p, n = labels.shape
    weights = (weights * (labels >= 0)).float()
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-30)
    prior = weights.new_zeros(p, classes).scatter_add_(1, labels.clamp_min(0), weights)
    signs = contrasts(labels, weights, prior)
    k, r, s = signs.shape[1], rows.x.shape[1], rows.count
    mean, share = rows.x.new_zeros(p, s, r), rows.x.new_zeros(p, s)
    first, total = rows.x.new_zeros(p, k, s, r), rows.x.new_zeros(p, k, s)
    room = 1 / max(1, n)
    for y, part in rows.slices():
        share[:, y] = weights[:, part].sum(1)
        mean[:, y] = weights[:, part] @ rows.x[part] / (share[:, y, None] + room)
        total[:, :, y] = signs[:, :, part].sum(2)
        first[:, :, y] = (signs[:, :, part].flatten(0, 1) @ rows.x[part]).view(p, k, r)
    first -= total.unsqueeze(3) * mean.unsqueeze(1)
    return Signed(signs, mean, first, total, share, prior)


def contrasts(
    labels: Int64[Tensor, "p n"], weights: Float[Tensor, "p n"], prior: Float[Tensor, "p c"]
) -> Float[Tensor, "p k n"]:
    """Signed weights of rows, whose weights are shares of the whole and 0 where the label is -1."""
    clean, classes = labels.clamp_min(0), prior.shape[1]
    unit = 1 / prior.clamp_min(1e-30)
    unit = torch.where(prior > 0, unit, torch.zeros_like(unit))
    each = weights * unit.gather(1, clean)
    if columns(classes) == 1:
        return (each * (clean - 0.5)).unsqueeze(1)
    signs = -weights.unsqueeze(1).repeat(1, classes, 1)
    signs.scatter_add_(1, clean.unsqueeze(1), each.unsqueeze(1))
    return signs.mul_((prior > 0).unsqueeze(2))


def spread(rows: Sorted, moments: Signed, count: int) -> Float32[Tensor, "p k s r r"]:
    """Signed second moments of the first `count` components about the mean, by stratum."""
    p, k, _ = moments.signs.shape
    r = min(count, rows.x.shape[1])
    flat = moments.signs.flatten(0, 1)
    out = rows.x.new_zeros(p, k, rows.count, r, r)
    for y, part in rows.slices():
        out[:, :, y] = outer(rows.x[part, :r], flat[:, part]).view(p, k, r, r)
    return about(out, moments)


def outer(x: Float[Tensor, "b r"], signs: Float[Tensor, "q b"]) -> Float[Tensor, "q r r"]:
    """Signed sums of the outer products of rows with themselves."""
    q, r = len(signs), x.shape[1]
    full = x.new_zeros(q * r, r)
    size = max(1, BLOCK // (q * max(1, r)))
    for start in range(0, len(x), size):
        some = x[start : start + size]
        full.addmm_((signs[:, None, start : start + size] * some.T).flatten(0, 1), some)
    return full.view(q, r, r)


def about(second: Float[Tensor, "p k s r r"], moments: Signed) -> Float[Tensor, "p k s r r"]:
    """Signed sums of outer products, moved from zero to the mean of each stratum in place."""
    r = second.shape[3]
    for y in range(second.shape[2]):
        mean, first = moments.mean[:, y, :r].unsqueeze(1), moments.first[:, :, y, :r]
        cross = first.unsqueeze(3) * mean.unsqueeze(2)
        second[:, :, y] -= cross + cross.transpose(2, 3)
        second[:, :, y] -= moments.total[:, :, y, None, None] * (mean.unsqueeze(3) * mean.unsqueeze(2))
    return second
