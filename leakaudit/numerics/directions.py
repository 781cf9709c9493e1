"""
Directions in which the classes differ, in their means or in their covariances, many questions at once.

Means: sliced inverse regression, Li, JASA 1991, within each stratum. Covariances: the difference of the classes'
covariances (common spatial patterns; sliced average variance, Cook and Weisberg, JASA 1991), by block Lanczos steps
from a random start (Musco and Musco, NeurIPS 2015, algorithm 2). A direction counts as far as it rises above what
labels without any meaning would give: the edges of random matrices, Davidson and Szarek 2001 and Bandeira and van
Handel 2016.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

BLOCKS = 4
"""Of the Krylov space, one fewer for several contrasts, whose operator is a square."""
DENSE = 32
"""Columns up to which the covariances themselves are cheaper."""
LEAST = 0.3
"""Length of a direction that does not rise above chance."""
CONTRASTS = 8
"""Between classes, at most: beyond, random halves of the classes."""
SLICES = 32
"""Strata at most in which means are taken apart: beyond, random signed sums of strata."""


TWO = 2
BLOCK = 1 << 22
"""Numbers held at a time."""


class Directions(NamedTuple):
    """For p questions k directions each."""

    vectors: Float[Tensor, "p k r"]
    """Of length 1 where they rise far above chance, down to `LEAST`."""
    gates: Float[Tensor, "p s k"]
    """How each stratum uses them, 1 or -1 on average."""


def directions(
    x: Float[Tensor, "n r"],
    hot: Float32[Tensor, "n s"],
    labels: Int64[Tensor, "p n"],
    weights: Float[Tensor, "p n"],
    classes: int,
    *,
    means: int,
    spreads: int,
    generator: torch.Generator,
    known: Float[Tensor, "p k r"] | None = None,
) -> Directions:
    """
    At most `means` directions of the means and `spreads` of the covariances; rows of weight 0 count in neither.

    `hot` says in which stratum each row is; with no strata the means are taken over all rows, and there are no gates.
    With `known` those of the covariances are known already.
    """
    p, (n, r) = len(labels), x.shape
    signs = contrasts(labels, weights, classes, generator)
    variance = x.square().mean(0)
    total, most = float(variance.sum()), float(variance.max()) if r else 0.0
    slices = hot if hot.shape[1] else x.new_ones(n, 1)
    if slices.shape[1] > SLICES:
        slices = slices @ torch.randn(slices.shape[1], SLICES, generator=generator).to(x).sign()
    first, along = _means(x, slices, signs, min(means, r), total, most)
    second = _spreads(x, signs, min(spreads, r), total, most, generator) if known is None else known
    gates = x.new_ones(p, hot.shape[1], first.shape[1] + second.shape[1])
    if 1 < hot.shape[1] <= SLICES:
        gates[:, :, : first.shape[1]] = along
    return Directions(torch.cat((first, second), 1), gates)


def contrasts(
    labels: Int64[Tensor, "p n"], weights: Float[Tensor, "p n"], classes: int, generator: torch.Generator
) -> Float[Tensor, "p m n"]:
    """Weights of alternating sign, one class against the others, that sum to zero over the rows of a question."""
    if classes == TWO:
        table = weights.new_tensor([[-1.0, 1.0]])
    elif classes <= CONTRASTS:
        table = 2 * torch.eye(classes, device=weights.device) - 1
    else:
        table = torch.randn(CONTRASTS, classes, generator=generator).to(weights).sign()
    signs = table[:, labels.clamp_min(0)].transpose(0, 1)
    weights = weights[:, None]
    mean = (signs * weights).sum(2, keepdim=True) / weights.sum(2, keepdim=True).clamp_min(1e-12)
    return (signs - mean) * weights


def _means(x: Tensor, slices: Tensor, signs: Tensor, count: int, total: float, most: float) -> tuple[Tensor, Tensor]:
    """Leading directions (p, count, r) of the slices' mean differences over their errors; per slice its share."""
    p, m, n = signs.shape
    s, r = slices.shape[1], x.shape[1]
    table = (signs[:, :, None] * slices.T).reshape(p * m * s, n)
    error = table.square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)
    apart = (table @ x / error).view(p, m * s, r)
    values, left = torch.linalg.eigh(apart @ apart.transpose(1, 2))
    values, left = values.flip(1)[:, :count].clamp_min(1e-12).sqrt(), left.flip(2)[:, :, :count]
    edge = (m * s * most) ** 0.5 + total**0.5
    length = _above(edge / values)
    vectors = (left.transpose(1, 2) @ apart) * (length / values)[:, :, None]
    along = left.view(p, m, s, -1)
    gates = along[:, 0] * s**0.5 if m == 1 else (along.square().sum(1) * s).sqrt()
    return vectors, gates


def _spreads(x: Tensor, signs: Tensor, count: int, total: float, most: float, generator: torch.Generator) -> Tensor:
    """Leading eigenvectors of the sum of the squared signed covariances, (p, count, r)."""
    p, m, _ = signs.shape
    r = x.shape[1]
    if r <= DENSE:
        whole = torch.stack([((x * sign[:, None]).T @ x) for each in signs for sign in each]).view(p, m, r, r)
        values, basis = torch.linalg.eigh((whole @ whole).sum(1))
    else:
        values, basis = _lanczos(x, signs, count, generator)
    values, basis = values.flip(1)[:, :count].clamp_min(1e-24).sqrt(), basis.flip(2)[:, :, :count]
    edge = 2 * (most * total * signs.square().sum(2).sum(1, keepdim=True)) ** 0.5
    long: Tensor = basis * _above(edge / values)[:, None]
    return long.transpose(1, 2)


def _lanczos(x: Tensor, signs: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ritz values (p, q) and vectors (p, r, q), ascending, of the sum of the squared signed covariances."""
    p, m, _ = signs.shape
    one = m == 1
    blocks = min(BLOCKS if one else BLOCKS - 1, x.shape[1] // count)
    basis = torch.linalg.qr(torch.randn(p, x.shape[1], count, generator=generator).to(x))[0]
    known, images = basis, x.new_zeros(p, x.shape[1], 0)
    for block in range(blocks):
        image = _applied(x, signs, basis)
        if one:
            image = image[:, 0]
        else:
            image = torch.stack([_applied(x, signs[:, j : j + 1], image[:, j])[:, 0] for j in range(m)]).sum(0)
        images = torch.cat((images, image), 2)
        if block + 1 < blocks:
            for _ in range(2):
                image = torch.linalg.qr(image - known @ (known.transpose(1, 2) @ image))[0]
            basis, known = image, torch.cat((known, image), 2)
    small = known.transpose(1, 2) @ images
    values, turn = torch.linalg.eigh((small + small.transpose(1, 2)) / 2)
    order = (values.square() if one else values).argsort(1)
    values = values.gather(1, order)
    return values.square() if one else values, known @ turn.gather(2, order[:, None].expand(-1, turn.shape[1], -1))


def _applied(x: Tensor, signs: Tensor, basis: Tensor) -> Tensor:
    """The signed covariance of each contrast times the basis: (p, m, r, count)."""
    p, r, count = basis.shape
    m = signs.shape[1]
    flat, out = basis.transpose(0, 1).reshape(r, p * count), x.new_zeros(p * m * count, r)
    size = max(1, BLOCK // (p * m * count))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        seen = (x[rows] @ flat).view(-1, p, 1, count) * signs[:, :, rows].permute(2, 0, 1)[:, :, :, None]
        out.addmm_(seen.reshape(len(seen), -1).T, x[rows])
    return out.view(p, m, count, r).transpose(2, 3).contiguous()


def _above(chance: Tensor) -> Tensor:
    """1 far above chance, `LEAST` at chance and below."""
    return (1 - chance.square()).clamp_min(LEAST**2).sqrt()
