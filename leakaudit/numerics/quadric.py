"""
Quadrics from class moments: Fisher's direction, and what of the classes' covariances differs, many problems at once.

A problem is a labelling of the same rows with weights. With pooled covariance I, two Gaussians of covariances I + D and
I - D are told apart by the sign of x'(I - D^2)^-1 D x - tr atanh D: directions without difference drop out. The leading
eigenvectors of D are common spatial patterns (Fukunaga and Koontz, IEEE Trans. Computers 1970); of few components D is
formed, of many only its products with vectors are (block Krylov, Musco and Musco, NeurIPS 2015). All moments are about
the mean of each stratum, weighted as the problem weights its rows, so that strata of another mix do not blur them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.numerics.device import generator
from leakaudit.numerics.logistic import columns

BLOCK = 1 << 19
"""Numbers in flight at a time."""
STEPS, WIDTH, WARM = 4, 8, 2
"""Of the block Krylov space, whose dimension is steps times width; steps from a start that is nearly right."""
KEPT = 16
"""Of its eigenvectors."""
MOST = 0.98
"""Largest difference believed, of a pooled variance of 1."""


@dataclass(frozen=True)
class Sorted:
    """Rows in the order of their strata."""

    x: Float32[Tensor, "n r"]
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

    signs: Float32[Tensor, "p k n"]
    mean: Float32[Tensor, "p s r"]
    """Of each stratum."""
    first: Float32[Tensor, "p k s r"]
    """Signed sums of the rows about the mean, by stratum."""
    total: Float32[Tensor, "p k s"]
    """Signed sums of weights."""
    share: Float32[Tensor, "p s"]
    """Of the weights, by stratum."""
    prior: Float32[Tensor, "p c"]
    """Of the weights, by class."""


def signed(rows: Sorted, labels: Int64[Tensor, "p n"], weights: Float[Tensor, "p n"], classes: int) -> Signed:
    """Two classes: half the second less half the first. More: each class less all together."""
    p, n = labels.shape
    weights = (weights * (labels >= 0)).float()
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-30)
    clean = labels.clamp_min(0)
    prior = weights.new_zeros(p, classes).scatter_add_(1, clean, weights)
    unit = 1 / prior.clamp_min(1e-30)
    unit = torch.where(prior > 0, unit, torch.zeros_like(unit))
    each = weights * unit.gather(1, clean)
    if columns(classes) == 1:
        signs = (each * (clean - 0.5)).unsqueeze(1)
    else:
        signs = -weights.unsqueeze(1).repeat(1, classes, 1)
        signs.scatter_add_(1, clean.unsqueeze(1), each.unsqueeze(1))
        signs *= (prior > 0).unsqueeze(2)
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


def spread(rows: Sorted, moments: Signed, count: int) -> Float32[Tensor, "p k s r r"]:
    """Signed second moments of the first `count` components about the mean, by stratum."""
    p, k, _ = moments.signs.shape
    r = min(count, rows.x.shape[1])
    flat = moments.signs.flatten(0, 1)
    out = rows.x.new_zeros(p, k, rows.count, r, r)
    size = max(1, BLOCK // (p * k * max(1, r)))
    for y, part in rows.slices():
        full = rows.x.new_zeros(p * k * r, r)
        for start in range(part.start, part.stop, size):
            some = slice(start, min(start + size, part.stop))
            x = rows.x[some, :r]
            full.addmm_((flat[:, None, some] * x.T).flatten(0, 1), x)
        mean, first = moments.mean[:, y, :r].unsqueeze(1), moments.first[:, :, y, :r]
        cross = first.unsqueeze(3) * mean.unsqueeze(2)
        square = moments.total[:, :, y, None, None] * (mean.unsqueeze(3) * mean.unsqueeze(2))
        out[:, :, y] = full.view(p, k, r, r) - cross - cross.transpose(2, 3) - square
    return out


@dataclass(frozen=True)
class Pattern:
    """Directions in which covariances differ, those that differ most first."""

    values: Float32[Tensor, "p k j"]
    vectors: Float32[Tensor, "p k r j"]


def formed(difference: Float32[Tensor, "p k r r"]) -> Pattern:
    """All eigenvectors."""
    values, vectors = torch.linalg.eigh(difference)
    return _ordered(values, vectors)


def patterns(
    rows: Sorted, moments: Signed, count: int, seed: int, start: Float[Tensor, "p k r w"] | None = None
) -> Pattern:
    """
    The outer eigenvectors over the first `count` components, from a block Krylov space.

    `start` are such eigenvectors from most of the same rows: then `WARM` steps are enough. Where they are of fewer
    components, chance is added: a leak may hide in the others alone.
    """
    p, k, _ = moments.signs.shape
    r = min(count, rows.x.shape[1])
    steps = WARM if start is not None and start.shape[2] == r else STEPS
    if steps == STEPS:
        chance = torch.randn(r, min(WIDTH, r), generator=generator(seed)).to(rows.x)
        chance = (chance / r**0.5).expand(p, k, -1, -1).contiguous()
        if start is not None:
            chance[:, :, : start.shape[2], : start.shape[3]] += start
        start = chance
    block = torch.linalg.qr(start)[0]
    basis, moved = block, rows.x.new_zeros(p, k, r, 0)
    signs = moments.signs.flatten(0, 1).T.contiguous()
    for step in range(steps):
        image = _times(rows, moments, signs, block)
        moved = torch.cat((moved, image), 3)
        if step == steps - 1 or basis.shape[3] + block.shape[3] > r:
            break
        for _ in range(2):
            image = torch.linalg.qr(image - basis @ (basis.transpose(2, 3) @ image))[0]
        block = image
        basis = torch.cat((basis, block), 3)
    small = basis.transpose(2, 3) @ moved
    values, turn = torch.linalg.eigh((small + small.transpose(2, 3)) / 2)
    return _ordered(values, basis @ turn, KEPT)


def _times(
    rows: Sorted, moments: Signed, signs: Float32[Tensor, "n q"], block: Float32[Tensor, "p k r w"]
) -> Float32[Tensor, "p k r w"]:
    """The signed second moments about the mean, pooled over strata, times a block."""
    p, k, r, w = block.shape
    flat = block.permute(2, 3, 0, 1).reshape(r, w * p * k)
    out = rows.x.new_zeros(w * p * k, r)
    size = max(1, BLOCK // (p * k * w))
    for first in range(0, len(rows.x), size):
        x = rows.x[first : first + size, :r]
        seen = (x @ flat).view(len(x), w, p * k).mul_(signs[first : first + size].unsqueeze(1))
        out.addmm_(seen.view(len(x), -1).T, x)
    made = out.view(w, p, k, r).permute(1, 2, 3, 0)
    mean, about = moments.mean[:, None, :, :r], moments.first[..., :r]
    along = mean @ block
    made = made - about.transpose(2, 3) @ along - mean.transpose(2, 3) @ (about @ block)
    return made - mean.transpose(2, 3) @ (moments.total.unsqueeze(3) * along)


def _ordered(values: Tensor, vectors: Tensor, most: int = 1 << 20) -> Pattern:
    order = values.abs().argsort(2, descending=True)[..., :most]
    return Pattern(values.gather(2, order), vectors.gather(3, order.unsqueeze(2).expand(-1, -1, vectors.shape[2], -1)))


def evidence(values: Float[Tensor, "p k j"], *, two: bool) -> tuple[Tensor, Tensor]:
    """Nats that the squared component and the constant add, direction by direction."""
    if two:
        values = values.clamp(-MOST, MOST)
        return values / (1 - values.square()), -torch.atanh(values)
    values = values.clamp_min(-MOST)
    return 0.5 * values / (1 + values), -0.5 * torch.log1p(values)
