"""
Attackers. One file is one attacker, with one function:

    attack(seen, unseen, questions, *, seed, device, <knobs>) -> list[Guesses]     one per question

An attacker never receives the answers of the rows it guesses. It knows the target class of every row (the worst
case). Attributes, permuted labels, plants and weightings are more questions about the same rows, answered in one
call. What it needs to choose a knob it takes from `seen`, by group. Scoring, intervals, baselines and controls live
once, in the verb.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from leakaudit.numerics.moments import Moments, moments


@dataclass(frozen=True)
class Rows:
    """Embeddings as an attacker sees them: no private label among them."""

    z: Float32[np.ndarray, "n d"]
    target: Int64[np.ndarray, " n"]
    """Target stratum, 0 up to `strata`."""
    strata: int
    group: Int64[np.ndarray, " n"]
    """Rows of one group stay together in whatever an attacker holds out; a row without group is its own."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.z)

    @cached_property
    def moments(self) -> Moments:
        """Mean, scale, covariance and eigenvectors of z, computed once for all attackers."""
        return moments(self.z)

    def tensor(self, device: str) -> Float32[Tensor, "n d"]:
        """Z on a device, copied once."""
        if device not in self._tensors:
            self._tensors[device] = torch.from_numpy(np.ascontiguousarray(self.z)).to(device)
        return self._tensors[device]

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return {}


@dataclass(frozen=True)
class Question:
    """One thing to guess."""

    labels: Int64[np.ndarray, " n"]
    """Private class of the seen rows, -1 for missing."""
    weights: Float32[np.ndarray, " n"]
    """How much each seen row counts; the mean over rows with a label is 1."""
    classes: int


@dataclass(frozen=True)
class Guesses:
    """The answer to one question about the unseen rows."""

    probabilities: Float32[np.ndarray, "m k"]
    """P(class | row); rows sum to 1."""
    converged: bool
    notes: tuple[str, ...] = ()
    """For a reader: the knobs chosen, why it did not converge; printed, never compared."""


@runtime_checkable
class Attack(Protocol):
    """The contract of `attack`."""

    def __call__(
        self, seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str
    ) -> list[Guesses]:
        """Guess every question for every unseen row."""
