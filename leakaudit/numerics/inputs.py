"""
Inputs of networks: whitened components of z and of the normal scores of its columns, whole or within each stratum.

Where rows are few the components behind the leading ones are damped: a leak is rarely far from where the variance is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from leakaudit.numerics.moments import Whitening, moments
from leakaudit.numerics.scores import Scores, learn

Array = Float32[np.ndarray, "n r"]
VIEWS = ("components", "components of normal scores")
CONDITIONS = 32
"""Strata told apart at most, the most frequent; all others are one more."""
PRIOR = 2
"""Rows at the origin that each stratum's mean is taken with."""


class Maps(NamedTuple):
    """Behind the second view, learned once."""

    scores: Scores
    basis: Whitening


def learned(z: Float32[np.ndarray, "n d"], seed: int, device: str) -> Maps:
    """The scores of columns, and the basis of their components."""
    scores = learn(z, seed, device)
    return Maps(scores, moments(scores.of(z)).basis)


@dataclass
class Side:
    """Rows on one side of an attack."""

    z: Float32[np.ndarray, "n d"]
    target: Int64[np.ndarray, " n"]


class Pair(NamedTuple):
    """Of the seen and of the unseen rows."""

    seen: Tensor
    unseen: Tensor


class Inputs:
    """Both sides as inputs, made when asked for."""

    def __init__(
        self, seen: Side, unseen: Side, strata: int, maps: Maps, damping: int, device: str,
        plain: Callable[[], tuple[Array, Array]],
    ) -> None:  # fmt: skip
        self._sides, self.maps, self._damping, self._plain, self.device = (seen, unseen), maps, damping, plain, device
        self._made: dict[tuple[int, bool], Pair] = {}
        self.count, self.groups = strata, [torch.from_numpy(side.target).to(device) for side in self._sides]
        self._hot = Pair(*(_hot(seen.target, side.target, device) for side in self._sides))
        self._ones = Pair(*(torch.ones(len(side.z), 1, device=device) for side in self._sides))

    @property
    def strata(self) -> Int64[Tensor, " n"]:
        """Of the seen rows."""
        return self.groups[0]

    def hot(self, conditioned: bool) -> Pair:  # noqa: FBT001  # one of two forms
        """Which stratum rows are in, or a column of ones."""
        return self._hot if conditioned else self._ones

    def view(self, which: int, conditioned: bool) -> Pair:  # noqa: FBT001  # one of two forms
        """One of `VIEWS`; conditioned: less the mean of each row's stratum."""
        if (which, conditioned) not in self._made:
            if conditioned:
                pair = self.view(which, conditioned=False)
                mean = self._means(pair.seen)
                made = Pair(*(x - mean[group] for x, group in zip(pair, self.groups, strict=True)))
            else:
                made = self._whole(which)
            self._made[which, conditioned] = made
        return self._made[which, conditioned]

    def _whole(self, which: int) -> Pair:
        if which == 0:
            both = self._plain()
        else:
            old, new = (self.maps.basis.components(self.maps.scores.of(side.z)) for side in self._sides)
            both = old, new
        if not both[0].shape[1]:
            both = np.zeros((len(both[0]), 1), np.float32), np.zeros((len(both[1]), 1), np.float32)
        if self._damping:
            damp = np.minimum(1.0, self._damping / np.arange(1, both[0].shape[1] + 1)).astype(np.float32)
            both = both[0] * damp, both[1] * damp
        return Pair(*(torch.from_numpy(np.ascontiguousarray(x)).to(self.device) for x in both))

    def _means(self, x: Tensor) -> Tensor:
        count = torch.bincount(self.strata, minlength=self.count).to(x)
        return x.new_zeros(self.count, x.shape[1]).index_add_(0, self.strata, x) / (count + PRIOR)[:, None]


def _hot(seen: Int64[np.ndarray, " n"], target: Int64[np.ndarray, " m"], device: str) -> Float32[Tensor, "m s"]:
    """Which of the most frequent seen strata each row is in, the last column for all others."""
    values, counts = np.unique(seen, return_counts=True)
    kept = np.sort(values[np.argsort(-counts, kind="stable")[:CONDITIONS]])
    others = len(kept) < len(values)
    place = np.minimum(np.searchsorted(kept, target), len(kept) - 1)
    place = np.where(kept[place] == target, place, len(kept) if others else -1)
    hot = np.zeros((len(target), len(kept) + others), np.float32)
    rows = (place >= 0).nonzero()[0]
    hot[rows, place[rows]] = 1
    return torch.from_numpy(hot).to(device)
