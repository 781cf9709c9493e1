"""One image file as 8-bit RGB, whatever it is stored as."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes of more than 8 bits, which it would clip."""


def decode(path: str | Path, size: int | None) -> UInt8[np.ndarray, "h w 3"]:
    """
    One file as RGB: of its own size, or where a side of `size` is all that is needed, of a smaller one not below it.

    A JPEG is scaled down by halves while it is decoded.

    Raises:
        OSError: it is missing, truncated or no image.
        ValueError: it cannot be shown in 8 bits, or is larger than is ever decoded.
    """
    with Image.open(path) as image:
        if image.mode in DEEP:
            raise ValueError("more than 8 bits a channel: convert it to 8 bits first")
        if size is not None:
            image.draft("RGB", (size, size))
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def measure(path: str | Path, size: int | None) -> tuple[int, int]:
    """Height and width of what `decode` gives, read from the file's header alone; raises as it does."""
    with Image.open(path) as image:
        if size is not None:
            image.draft("RGB", (size, size))
        return image.height, image.width


def why(error: Exception) -> str:
    """What is wrong with a file, in a few words."""
    return "not an image" if isinstance(error, UnidentifiedImageError) else (str(error) or "no image").splitlines()[0]


BROKEN = (OSError, ValueError, SyntaxError)
"""What `decode` raises where a file is to blame."""
