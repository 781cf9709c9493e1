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
MOST = 0.99
"""Share of a direction's variance between the strata, at most."""
PRIOR = 2
"""Rows at the origin that each stratum's mean is taken with."""


class Maps(NamedTuple):
    """Behind the second view, learned once."""

    scores: Scores
    basis: Whitening


def learned(z: Float32[np.ndarray, "n d"], seed: int, device: str) -> tuple[Maps, Float32[np.ndarray, "n d"]]:
    """The scores of columns and the basis of their components, and the scores of these rows."""
    scores = learn(z, seed, device)
    scored = scores.of(z)
    return Maps(scores, moments(scored).basis), scored


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
        plain: Callable[[], tuple[Array, Array]], scored: Array | None = None,
    ) -> None:  # fmt: skip
        self._scored = scored
        self._sides, self.maps, self._damping, self._plain, self.device = (seen, unseen), maps, damping, plain, device
        self._made: dict[int, Tensor] = {}
        self._asked: dict[int, Tensor] = {}
        self._centres: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self.count, self.groups = strata, [torch.from_numpy(side.target).to(device) for side in self._sides]
        self.hot = Pair(*(_hot(seen.target, side.target, device) for side in self._sides))
        """Which stratum rows are in, `CONDITIONS` of them told apart."""

    @property
    def strata(self) -> Int64[Tensor, " n"]:
        """Of the seen rows."""
        return self.groups[0]

    def seen(self, which: int) -> Float32[Tensor, "n r"]:
        """Of the seen rows one of `VIEWS`, less the mean of each row's stratum, of unit variance within the strata."""
        if which not in self._made:
            x = self._whole(which, 0)
            mean, share = self._means(x)
            self._centres[which] = _within(mean, share, len(x))
            self._made[which] = self._inside(which, x, self.groups[0])
        return self._made[which]

    def unseen(self, which: int) -> Float32[Tensor, "m r"]:
        """The same of the unseen rows."""
        self.seen(which)
        if which not in self._asked:
            self._asked[which] = self._inside(which, self._whole(which, 1), self.groups[1])
        return self._asked[which]

    def _inside(self, which: int, x: Tensor, group: Tensor) -> Tensor:
        mean, left, turn = self._centres[which]
        centred = x - mean[group]
        centred.addmm_((centred @ turn.T).mul_(left), turn)
        return centred.mul_(self._damp(x.shape[1])) if self._damping else centred

    def _whole(self, which: int, side: int) -> Tensor:
        if which == 0:
            x = self._plain()[side]
        else:
            known = self._scored if side == 0 else None
            x = self.maps.basis.components(self.maps.scores.of(self._sides[side].z) if known is None else known)
        x = x if x.shape[1] else np.zeros((len(x), 1), np.float32)
        return torch.from_numpy(np.ascontiguousarray(x)).to(self.device)

    def _damp(self, width: int) -> Float32[Tensor, " r"]:
        return (self._damping / torch.arange(1, width + 1, device=self.device)).clamp_max(1.0)

    def _means(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and share of the rows of each stratum, of those it is taken with."""
        count = torch.bincount(self.strata, minlength=self.count).to(x)
        mean = x.new_zeros(self.count, x.shape[1]).index_add_(0, self.strata, x) / (count + PRIOR)[:, None]
        return mean, count / max(1, len(x))


def _within(mean: Tensor, share: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """
    Means of the strata; how much longer directions become when rows are whitened within strata; and these directions.

    In components of unit variance, what is within the strata is what is not between them. A direction between them
    that does not rise above those of as many random means counts as none, in what is subtracted as well.
    """
    values, turn = torch.linalg.svd(mean * share.sqrt()[:, None], full_matrices=False)[1:]
    between = values.square()
    edge = (len(mean) ** 0.5 + mean.shape[1] ** 0.5) ** 2 / max(1, rows)
    real = (between > edge) * (between - len(mean) / max(1, rows)).clamp_min(0)
    mean = (mean @ turn.T) * (real / between.clamp_min(1e-12)) @ turn
    return mean, (1 - real.clamp_max(MOST)).rsqrt() - 1, turn


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
