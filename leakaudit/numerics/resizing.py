"""Images brought to the size that a network takes, on whichever device they lie: bilinear, over the area of a pixel."""

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.nn import functional


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
