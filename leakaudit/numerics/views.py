"""Augmented views: the same image, shifted a little. No flips, because a mirrored 2 is no 2."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def shifted(
    x: Float[Tensor, "n c h w"], generator: torch.Generator, rows: int | None = None, mine: range | None = None
) -> Float[Tensor, "n c h w"]:
    """
    Each image moved by up to an eighth of its sides (at least a pixel) in any direction; edges are repeated.

    Where the images are those of a batch of `rows` that are `mine`, they are moved as one process moves them.
    """
    rows, mine = rows or len(x), mine or range(len(x))
    count, channels, height, width = x.shape
    down, right = max(1, height // 8), max(1, width // 8)
    padded = functional.pad(x, (right, right, down, down), mode="replicate")
    top = _offsets(rows, down, height, generator, x.device)[mine.start : mine.stop, None, :, None]
    left = _offsets(rows, right, width, generator, x.device)[mine.start : mine.stop, None, None, :]
    image = torch.arange(count, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return padded[image, channel, top, left]


def _offsets(count: int, most: int, side: int, generator: torch.Generator, device: torch.device) -> Tensor:
    start = torch.randint(2 * most + 1, (count, 1), generator=generator, device=device)
    return start + torch.arange(side, device=device)
