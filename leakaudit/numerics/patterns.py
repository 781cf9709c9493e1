"""
Directions in which two classes' covariances differ, and what the rows' squares along them tell.

With pooled covariance I, two Gaussians of covariances I + D and I - D are told apart by the sign of
x'(I - D^2)^-1 D x - tr atanh D: directions without difference drop out. The leading eigenvectors of D are common
spatial patterns (Fukunaga and Koontz, IEEE Trans. Computers 1970); of few components D is formed, of many only its
products with vectors are (block Krylov, Musco and Musco, NeurIPS 2015).
"""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from leakaudit.numerics.device import generator
from leakaudit.numerics.quadric import BLOCK, Signed, Sorted

STEPS, WIDTH, WARM = 4, 8, 2
"""Of the block Krylov space, whose dimension is steps times width; steps from a start that is nearly right."""
KEPT = 16
"""Of its eigenvectors."""
MOST = 0.98
"""Largest difference believed, of a pooled variance of 1."""


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
    signs = moments.signs.flatten(0, 1).T.contiguous()
    search = krylov((p, k, min(count, rows.x.shape[1])), seed, rows.x, start)
    block = next(search)
    while True:
        flat = block.permute(2, 3, 0, 1).flatten(2).flatten(1)
        try:
            block = search.send(moved(pushed(rows.x[:, : block.shape[2]], signs, flat), moments, block))
        except StopIteration as end:
            found: Pattern = end.value
            return found


def krylov(
    shape: tuple[int, int, int], seed: int, like: Tensor, start: Float[Tensor, "p k r w"] | None
) -> Generator[Tensor, Tensor, Pattern]:
    """The search of `patterns` for p, k, r: yields blocks of directions, and is sent what the moments make of them."""
    p, k, r = shape
    steps = WARM if start is not None and start.shape[2] == r else STEPS
    if steps == STEPS:
        chance = torch.randn(r, min(WIDTH, r), generator=generator(seed)).to(like)
        chance = (chance / r**0.5).expand(p, k, -1, -1).contiguous()
        if start is not None:
            chance[:, :, : start.shape[2], : start.shape[3]] += start
        start = chance
    block = torch.linalg.qr(start)[0]
    basis, images = block, like.new_zeros(p, k, r, 0)
    for step in range(steps):
        image = yield block
        images = torch.cat((images, image), 3)
        if step == steps - 1 or basis.shape[3] + block.shape[3] > r:
            break
        for _ in range(2):
            image = torch.linalg.qr(image - basis @ (basis.transpose(2, 3) @ image))[0]
        block = image
        basis = torch.cat((basis, block), 3)
    small = basis.transpose(2, 3) @ images
    values, turn = torch.linalg.eigh((small + small.transpose(2, 3)) / 2)
    return _ordered(values, basis @ turn, KEPT)


def pushed(x: Float[Tensor, "n d"], signs: Float[Tensor, "n q"], flat: Float[Tensor, "d wq"]) -> Float[Tensor, "wq d"]:
    """Signed sums of rows times their products with directions, of which each of q problems has w."""
    q = signs.shape[1]
    out = x.new_zeros(flat.shape[1], x.shape[1])
    size = max(1, BLOCK // max(1, flat.shape[1]))
    for first in range(0, len(x), size):
        some = x[first : first + size]
        seen = (some @ flat).view(len(some), -1, q).mul_(signs[first : first + size].unsqueeze(1))
        out.addmm_(seen.view(len(some), -1).T, some)
    return out


def moved(sums: Float[Tensor, "wpk r"], moments: Signed, block: Float[Tensor, "p k r w"]) -> Float[Tensor, "p k r w"]:
    """What `pushed` summed about zero, moved to the mean of each stratum: the moments times the block."""
    p, k, r, w = block.shape
    made = sums.view(w, p, k, r).permute(1, 2, 3, 0)
    mean, first = moments.mean[:, None, :, :r], moments.first[..., :r]
    along = mean @ block
    made = made - first.transpose(2, 3) @ along - mean.transpose(2, 3) @ (first @ block)
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
