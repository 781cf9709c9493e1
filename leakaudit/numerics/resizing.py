"""
Images brought to the size that a network takes, on whichever device they lie: bilinear, over the area of a pixel.

Either as a whole, whatever becomes of the ratio of their sides, or with their sides in ratio and what reaches beyond
the size cut off, as torchvision's Resize and CenterCrop evaluate (and timm's, for sizes that are no squares).
"""

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.nn import functional

from leakaudit.preprocessing import covering


def fit(x: Shaped[Tensor, "b c h w"], shape: tuple[int, ...]) -> Shaped[Tensor, "b c height width"]:
    """
    The images at the height and width of `shape` (c, h, w), as the type they have; those that fit stay as they are.

    8-bit images are rounded to 8 bits again: on CPU by torch's own kernel for bytes, elsewhere by rounding. Where no
    side becomes shorter, pixels have no area to be averaged over, and the quicker kernel without it gives the same.
    """
    if x.shape[2:] == tuple(shape[1:]) or not len(x):
        return x if len(x) else x.new_empty(0, *shape)
    shrunk = x.shape[2] > shape[1] or x.shape[3] > shape[2]
    if x.dtype != torch.uint8 or x.device.type == "cpu":
        return functional.interpolate(x, shape[1:], mode="bilinear", antialias=shrunk)
    made = functional.interpolate(x.float(), shape[1:], mode="bilinear", antialias=shrunk)
    return made.round_().clamp_(0, 255).to(torch.uint8)


def middle(
    x: Shaped[Tensor, "b c h w"], size: tuple[int, int], within: tuple[int, int] | None = None
) -> Shaped[Tensor, "b c height width"]:
    """
    What is cut out of the middle at height and width `size`.

    With `within`, that around it of which the middle of this size is the one of `size`: an odd pixel stays on its side.
    """
    spans = []
    for have, want, around in zip(x.shape[2:], size, within or size, strict=True):
        first = round((have - want) / 2) - round((around - want) / 2)
        spans.append(slice(first, first + around))
    return x[:, :, spans[0], spans[1]]


def cover(
    x: Shaped[Tensor, "b c h w"], resize: tuple[int, int], size: tuple[int, int], *, kept: bool = False
) -> Shaped[Tensor, "b c height width"]:
    """The images with their sides in ratio over `resize`, and their middle of `size`; `kept`: as much as `resize`."""
    sides = covering((int(x.shape[2]), int(x.shape[3])), resize)
    return middle(fit(x, (x.shape[1], *sides)), size, resize if kept else None)
