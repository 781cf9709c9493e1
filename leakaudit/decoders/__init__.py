"""
Decoders. One file is one way to rebuild images from the bottleneck, with one function:

    decode(seen, images, unseen, *, seed, device, <knobs>) -> Decoded

It is trained on `seen` bottlenecks and their `images`, and answers for `unseen` bottlenecks, whose images it never
receives.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class Decoded:
    """Images rebuilt from the bottleneck."""

    images: Float32[np.ndarray, "m c h w"]
    """In 0..1."""
    converged: bool
    notes: tuple[str, ...] = ()


@runtime_checkable
class Decode(Protocol):
    """The contract of `decode`."""

    def __call__(
        self,
        seen: Float32[np.ndarray, "n d"],
        images: Float32[np.ndarray, "n c h w"],
        unseen: Float32[np.ndarray, "m d"],
        *,
        seed: int,
        device: str,
    ) -> Decoded:
        """Rebuild the images of the unseen rows."""
