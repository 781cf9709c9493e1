"""Little images for layouts that tests make."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, seed: int, size: tuple[int, int] = (24, 32), mode: str = "RGB") -> Path:
    """A picture of `size` (height, width) with smooth colours of its own; its folder is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BILINEAR).convert(mode)
    picture.save(path, **({"quality": 95} if path.suffix in (".jpg", ".jpeg") else {}))
    return path
