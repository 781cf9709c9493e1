"""
One image file as 8-bit RGB, whatever it is stored as.

What lets the background shine through stands before black, as transparent pixels of most files are; a palette, grey,
black-and-white and CMYK become RGB, 16 bits a channel of a colour their upper 8, and 16 bits of grey are refused: their
window is not known. A file with several frames is refused, as no row says which; of the pictures in a camera's MPO the
first is the photograph. EXIF orientation is not followed: the papers' pipelines, and torchvision's, do not either.
"""

import io
import re
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from leakaudit.images import dicom, jpeg

DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes of more than 8 bits, which it would clip."""
CLEAR = ("RGBA", "LA", "PA", "RGBa", "La")
"""Its modes that let a background shine through."""
LARGEST = 178_956_970
"""Pixels of an image that is still decoded: Pillow's own limit."""
_MUTE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
"""Pillow's warnings say nothing that an error, or a good image, does not."""


def decode(path: str | Path | io.BytesIO, size: int | None) -> UInt8[np.ndarray, "h w 3"]:
    """
    One file as RGB: of its own size, or where a side of `size` is all that is needed, of a smaller one not below it.

    A JPEG is scaled down by halves while it is decoded.

    Raises:
        OSError: it is missing, truncated or no image.
        ValueError: it cannot be shown in 8 bits, or is larger than is ever decoded.
    """
    if not isinstance(path, io.BytesIO):
        if dicom.known(path):
            return dicom.decode(path, size)
        plain = jpeg.decode(path, size)
        if plain is not None:
            return plain
    with _opened(path) as image:
        if image.mode in DEEP:
            raise ValueError("more than 8 bits a channel: convert it to 8 bits first")
        if size is not None:
            image.draft("RGB", (size, size))
        return np.asarray(_plain(image))


def measure(path: str | Path, size: int | None) -> tuple[int, int]:
    """Height and width of what `decode` gives, read from the file's header alone; raises as it does."""
    if dicom.known(path):
        return dicom.measure(path, size)
    plain = jpeg.glance(path, size)
    if plain is not None:
        return plain
    with _opened(path) as image:
        if size is not None:
            image.draft("RGB", (size, size))
        return image.height, image.width


def _opened(path: str | Path | io.BytesIO) -> Image.Image:
    """The file's header; the pixels are read when they are asked for."""
    if _MUTE not in warnings.filters:
        warnings.filterwarnings("ignore", module=_MUTE[3].pattern)
    try:
        image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(f"larger than the {LARGEST:,} pixels that are still decoded") from error
    if image.format != "MPO" and getattr(image, "is_animated", False):
        image.close()
        raise ValueError("several frames: one image a file expected")
    return image


def _plain(image: Image.Image) -> Image.Image:
    """The image as RGB, on black where it lets a background shine through."""
    if image.mode in CLEAR or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, (0, 0, 0, 255)), seen).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def why(error: Exception) -> str:
    """What is wrong with a file, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    said = error.strerror if isinstance(error, OSError) else None
    return (said or str(error) or "no image").splitlines()[0]


BROKEN = (OSError, ValueError, SyntaxError, NotImplementedError)
"""What `decode` raises where a file is to blame."""
