"""
Attackers. One file is one attacker, with one function:

    attack(seen, unseen, questions, *, seed, device, <knobs>) -> list[Guesses]     one per question

An attacker never receives the answers of the rows it guesses. It knows the target class of every row (the worst
case). Attributes, permuted labels, plants, folds and weightings are more questions about the same rows, answered in
one call. Rows that a question does not show have label -1 there: they may be among the unseen rows, and count neither
in a fit nor in a choice. What an attacker needs to choose a knob it takes from the labelled rows, by group; what it
chose it may hand back as `settled`, and asked again with that, on more rows, it chooses nothing anew. Scoring,
intervals, baselines and controls live once, in the verb.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from leakaudit.numerics.moments import Moments, moments
from leakaudit.numerics.stream import Stream


@dataclass(frozen=True)
class Rows:
    """Embeddings as an attacker sees them: no private label among them."""

    z: Float32[np.ndarray, "n d"]
    target: Int64[np.ndarray, " n"]
    """Target stratum, 0 up to `strata`."""
    strata: int
    group: Int64[np.ndarray, " n"]
    """Rows of one group stay together in whatever an attacker holds out; a row without group is its own."""
    known: Moments | None = None
    """Moments of all rows of which these are a part; None: these are all there are."""
    x: Float32[np.ndarray, "n r"] | None = None
    """Z in the whitened components of `known`, where they were computed already."""
    beyond: Stream | None = None
    """All rows of a file of which these are a sample; who can read rows by blocks refits on them."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.z)

    @cached_property
    def moments(self) -> Moments:
        """Mean, scale, covariance and eigenvectors of z, computed once for all attackers."""
        return self.known or moments(self.z)

    def tensor(self, device: str) -> Float32[Tensor, "n d"]:
        """Z on a device, copied once."""
        if device not in self._tensors:
            self._tensors[device] = torch.from_numpy(np.ascontiguousarray(self.z)).to(device)
        return self._tensors[device]

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return {}


class Components(NamedTuple):
    """Uncorrelated components of unit variance, those of largest variance in z first."""

    seen: Float32[np.ndarray, "n r"]
    unseen: Float32[np.ndarray, "m r"]
    variance: Float64[np.ndarray, " r"]
    """In z, over the largest."""


def components(seen: Rows, unseen: Rows, count: int | None = None) -> Components:
    """At most `count` leading components of both, in the basis of `seen.moments`; taken from `x` where both have it."""
    basis = seen.moments.basis
    variance = basis.variance[:count]
    if seen.x is not None and unseen.x is not None and seen.known is unseen.known:
        return Components(seen.x[:, :count], unseen.x[:, :count], variance)
    return Components(basis.components(seen.z, count), basis.components(unseen.z, count), variance)


@dataclass(frozen=True)
class Further:
    """The labels of rows on disk."""

    labels: Int64[np.ndarray, " all"]
    """Private class of each row; -1 for missing, and for rows whose guesses are scored."""
    weights: Float32[np.ndarray, " all"]


@dataclass(frozen=True)
class Question:
    """One thing to guess."""

    labels: Int64[np.ndarray, " n"]
    """Private class of the seen rows, -1 for missing."""
    weights: Float32[np.ndarray, " n"]
    """How much each seen row counts; the mean over rows with a label is 1."""
    classes: int
    settled: Any = None
    """What the same attacker chose when asked on a part of these rows; None: it chooses."""
    further: Further | None = None
    """Labels of the rows of `Rows.beyond`, where they may be seen."""


@dataclass(frozen=True)
class Guesses:
    """The answer to one question about the unseen rows."""

    probabilities: Float32[np.ndarray, "m k"]
    """P(class | row); rows sum to 1."""
    converged: bool
    notes: tuple[str, ...] = ()
    """For a reader: the knobs chosen, why it did not converge; printed, never compared."""
    settled: Any = None
    """What was chosen, for `Question.settled`; None: nothing is chosen, or it is chosen anew each time."""


@runtime_checkable
class Attack(Protocol):
    """The contract of `attack`."""

    def __call__(
        self, seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str
    ) -> list[Guesses]:
        """Guess every question for every unseen row."""
