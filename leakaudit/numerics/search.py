"""
Logistic regression whose basis and penalty are chosen together on held-out rows.

A basis is a set of features of unit variance with penalties on each; all questions, penalties and held-out parts are
one batched solve per basis, and the winner is solved once more on all rows, to convergence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.numerics import logistic
from leakaudit.numerics.holdout import parts

OUT = 1e6
"""Penalty that keeps a feature out."""
MANY = 5_000
"""Rows from which one held-out part is enough."""
QUARTERS = 4
CELLS = 1 << 25
"""Labels of problems held at a time."""
CEILING = 9.0
"""Nats that one held-out row counts at most, lest it decide alone."""
SCALES = (0.5, 1.0, 2.5, 6.0)
"""Factors on the logits, chosen with the penalty: a strong penalty that ranks well but timidly is not at a loss."""


@dataclass(frozen=True)
class Basis:
    """Features of the seen and the unseen rows, mean 0 and variance about 1, and the penalties to try on them."""

    seen: Float[Tensor, "n r"]
    unseen: Float[Tensor, "m r"]
    penalties: Float[Tensor, "s r"]
    names: tuple[str, ...]
    """What each penalty is called."""


@dataclass(frozen=True)
class Answer:
    """What the winner says of the unseen rows."""

    probabilities: Float32[np.ndarray, "m c"]
    converged: bool
    notes: tuple[str, ...]


@runtime_checkable
class Asked(Protocol):
    """A question: `attackers.Question` is one."""

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """Class of each seen row, -1 for missing."""

    @property
    def weights(self) -> Float32[np.ndarray, " n"]:
        """How much each seen row counts."""

    @property
    def classes(self) -> int:
        """Count of classes."""


def search(
    bases: Sequence[Basis],
    questions: Sequence[Asked],
    strata: Int64[np.ndarray, " n"],
    group: Int64[np.ndarray, " n"],
    *,
    folds: int,
    seed: int,
) -> list[Answer]:
    """
    Per question, guesses by the basis, penalty and scale of lowest weighted cross-entropy on rows held out in parts.

    The parts are quarters that keep groups whole, dealt out evenly over labels and `strata`; `folds` of them are held
    out in turn, 0 means 2 below `MANY` rows and 1 from there. Rows with label -1 or weight 0 count neither in the fit
    nor in the choice.
    """
    folds = min(folds, QUARTERS) or (2 if len(strata) < MANY else 1)
    answers: dict[int, Answer] = {}
    device = bases[0].seen.device
    for alike in _batches(bases, questions, folds):
        classes = questions[alike[0]].classes
        part = [parts(questions[i].labels + (classes + 1) * strata, group, QUARTERS, seed) for i in alike]
        labels, weights, dealt = (
            torch.from_numpy(np.stack(table)).to(device)
            for table in ([questions[i].labels for i in alike], [questions[i].weights for i in alike], part)
        )
        answers.update(zip(alike, _alike(bases, labels, weights, dealt, classes, folds), strict=True))
    return [answers[i] for i in range(len(questions))]


def strengths(count: int) -> list[float]:
    """`count` penalties in nats per row and squared weight, from 0.001 to 1."""
    return [10 ** (-3 + 3 * k / (count - 1)) for k in range(count)] if count > 1 else [0.03]


def _batches(bases: Sequence[Basis], questions: Sequence[Asked], folds: int) -> list[list[int]]:
    """Questions with one count of classes, as many at a time as `CELLS` allows."""
    size = max(1, CELLS // max(1, folds * max(len(basis.names) * len(basis.seen) for basis in bases)))
    batches = []
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        batches += [alike[first : first + size] for first in range(0, len(alike), size)]
    return batches


def _alike(
    bases: Sequence[Basis], labels: Tensor, weights: Tensor, part: Tensor, classes: int, folds: int
) -> list[Answer]:
    """The answers to questions with one count of classes."""
    losses = torch.cat([_held_out(basis, labels, weights, part, classes, folds) for basis in bases], 1)
    best, scale = losses.flatten(1).argmin(1) // len(SCALES), losses.flatten(1).argmin(1) % len(SCALES)
    answers: dict[int, Answer] = {}
    first = 0
    for basis in bases:
        mine = ((best >= first) & (best < first + len(basis.names))).nonzero().squeeze(1)
        if len(mine):
            picked = best[mine] - first
            fit = logistic.fit(basis.seen, labels[mine], weights[mine], basis.penalties[picked], classes)
            factor = torch.tensor(SCALES, device=mine.device)[scale[mine]]
            logits = fit.logits(basis.unseen) * factor[:, None, None]
            chance = logistic.probabilities(logits).transpose(1, 2).cpu().numpy()
            for row, question in enumerate(mine.tolist()):
                name, solved = basis.names[int(picked[row])], bool(fit.converged[row])
                notes = (name,) if solved else (name, f"not solved in {fit.iterations} iterations")
                answers[question] = Answer(np.ascontiguousarray(chance[row]), solved, notes)
        first += len(basis.names)
    return [answers[question] for question in range(len(labels))]


def _held_out(
    basis: Basis, labels: Tensor, weights: Tensor, part: Tensor, classes: int, folds: int
) -> Float[Tensor, "q s t"]:
    """Weighted cross-entropies summed over the first `folds` parts, each from a fit without it, by scale of logits."""
    q, s = len(labels), len(basis.penalties)
    inside = torch.stack([part != fold for fold in range(folds)], 1)

    def spread(table: Tensor) -> Tensor:
        return table[:, :, None].expand(q, folds, s, -1).reshape(q * folds * s, -1)

    fit = logistic.fit(
        basis.seen, spread(labels[:, None].expand(q, folds, -1)), spread(weights[:, None] * inside),
        basis.penalties.repeat(q * folds, 1), classes, tolerance=1e-4, proven=False, iterations=20,
    )  # fmt: skip
    losses = basis.seen.new_zeros(q, s, len(SCALES))
    for question in range(q):
        for fold in range(folds):
            rows = ((part[question] == fold) & (labels[question] >= 0)).nonzero().squeeze(1)
            first = (question * folds + fold) * s
            logits = fit.part(slice(first, first + s)).logits(basis.seen[rows])
            truth, counts = labels[question, rows], weights[question, rows]
            for at, scale in enumerate(SCALES):
                losses[question, :, at] += logistic.nats(logits * scale, truth).clamp_max(CEILING) @ counts
    return losses
