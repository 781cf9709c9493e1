"""
How what a layer gives becomes one vector per image, by one stated rule.

A vector (n, d) stays. A map (n, c, h, w) becomes the mean or the largest number over its places, (n, c); tokens
(n, t, d), class token and all, the same over tokens, (n, d). `flatten` keeps every number. A map may have its channels
last, (n, h, w, c): it is the two sides next to each other whose ratio is nearer to that of the image, and where both
pairs are as near, channels come first, as in torch. Of several tensors the first is read.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from leakaudit.errors import InputError
from leakaudit.layer import Pool

MOST = 1 << 16
"""Numbers that a row may have: of more, 8,192 rows are gigabytes."""
TOKENS, MAP = 3, 4
"""Axes that these have."""


class Rule(NamedTuple):
    """How a tensor of one shape becomes vectors."""

    axes: tuple[int, ...]
    """That are pooled over."""
    pool: Pool
    width: int
    """Numbers in a row of what comes out."""
    words: str
    """`map 256x14x14, mean over its 196 places`."""


def rule(shape: tuple[int, ...], pool: Pool, sides: tuple[int, ...], where: str) -> Rule:
    """
    The rule for a tensor of `shape`, its rows first, where images have these `sides` (height, width).

    Raises:
        InputError: no rule is known for so many axes, or the vectors would be too long; `where` begins the message.
    """
    inner = shape[1:]
    spelled = "x".join(map(str, inner))
    if len(inner) <= 1:
        made = Rule((), "flatten", math.prod(inner), f"vector of {math.prod(inner):,}")
    elif pool == "flatten" or len(shape) > MAP:
        kind = {TOKENS: f"{inner[0]} tokens of {inner[-1]}", MAP: f"map {spelled}"}.get(len(shape), f"tensor {spelled}")
        if pool != "flatten":
            raise InputError(
                f"{where}: a {kind} for each image has no places to pool over; pool=flatten keeps all of it"
            )
        made = Rule((), pool, math.prod(inner), f"{kind}, all of its {math.prod(inner):,} numbers")
    elif len(shape) == TOKENS:
        made = Rule((1,), pool, inner[1], f"{inner[0]} tokens of {inner[1]}, {pool} over the tokens")
    else:
        last = _last(inner, sides)
        axes, width = ((1, 2), inner[2]) if last else ((2, 3), inner[0])
        told = " (channels last, told by its sides)" if last else ""
        places = math.prod(inner) // width if width else 0
        over = f"{pool} over its {places} places" if places > 1 else "its one place"
        made = Rule(axes, pool, width, f"map {spelled}{told}, {over}")
    if made.width > MOST:
        advice = "pool=mean or a later layer" if pool == "flatten" and len(shape) in (TOKENS, MAP) else "a later layer"
        raise InputError(f"{where}: {made.width:,} numbers for each image ({spelled}), at most {MOST:,}; take {advice}")
    return made


def pooled(x: Tensor, how: Rule) -> Float[Tensor, "n d"]:
    """Vectors of a tensor, float32, in memory of their own: a later layer may write over the tensor in place."""
    x = x.float() if x.dtype != torch.float64 else x
    if how.axes:
        x = x.amax(how.axes) if how.pool == "max" else x.mean(how.axes)
        return x.reshape(len(x), -1)
    return x.reshape(len(x), -1).clone()


def first(value: Any) -> Tensor | None:
    """The first tensor of what a layer is given or gives; None where there is none."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return next((found for part in parts if (found := first(part)) is not None), None)


def _last(inner: tuple[int, ...], sides: tuple[int, ...]) -> bool:
    """Whether the channels of a map lie last."""
    if len(sides) != 2 or 0 in inner:  # noqa: PLR2004 (height and width)
        return False
    wanted = math.log(sides[0] / sides[1])
    ahead, behind = (abs(math.log(inner[at] / inner[at + 1]) - wanted) for at in (1, 0))
    return behind < ahead
