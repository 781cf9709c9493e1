"""
Logistic regression whose basis and penalty are chosen together on held-out rows.

A basis is a set of features of unit variance with penalties to try on it; all questions, penalties and held-out parts
are one batched solve per basis, and the winner is solved once more on all rows, to a proven gap. What was settled on
is handed back, and asked again with it nothing is chosen: the solve starts from where the last one ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.numerics import logistic
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.logistic import Fit
from leakaudit.numerics.strata import Strata

OUT = float("inf")
"""Penalty that keeps a feature out."""
MANY = 5_000
"""Rows from which one held-out part is enough."""
QUARTERS = 4
CELLS = 1 << 27
"""Labels of problems held at a time, in bytes."""
CEILING = 9.0
"""Nats that one held-out row counts at most, lest it decide alone."""
SCALES = (0.5, 1.0, 2.5, 6.0)
"""Factors on the logits, chosen with the penalty: a strong penalty that ranks well but timidly is not at a loss."""
FEW = 64
"""Private classes beyond which one penalty of three is tried on each basis, with one part held out."""
LOOSE = 3e-4
"""Nats, as estimated, to which problems are solved that only help to choose."""


@dataclass(frozen=True)
class Stratified:
    """The stratum of the seen and of the unseen rows, 0 up to `count`: each adds a hyperplane of its own."""

    seen: Int64[Tensor, " n"]
    unseen: Int64[Tensor, " m"]
    count: int


@dataclass(frozen=True)
class Basis:
    """Features of the seen and the unseen rows, mean 0 and variance about 1, and the penalties to try on them."""

    seen: Float[Tensor, "n r"]
    unseen: Float[Tensor, "m r"]
    penalties: Float[Tensor, "s f"]
    """One per feature; with `strata` in the order of `Strata`."""
    names: tuple[str, ...]
    """What each penalty is called."""
    strata: Stratified | None = None

    def thinned(self) -> "Basis":
        """The same features, with one penalty of three in order."""
        kept = range(1, len(self.names), 3) if len(self.names) > 1 else range(1)
        return replace(self, penalties=self.penalties[list(kept)], names=tuple(self.names[at] for at in kept))

    def fit(
        self, labels: Tensor, weights: Tensor, picked: Tensor, classes: int, start: Fit | None = None, **how: Any
    ) -> Fit:
        """Solve problems with these of the penalties; the problems of one question stand together."""
        of = torch.arange(len(labels), device=labels.device).repeat_interleave(len(picked) // max(len(labels), 1))
        strata = None if self.strata is None else Strata(self.strata.seen, self.strata.count)
        penalty = self.penalties[picked]
        return logistic.fit(self.seen, labels, weights, penalty, classes, of=of, strata=strata, start=start, **how)

    def logits(self, fit: Fit, rows: Tensor | None = None) -> Float[Tensor, "p k m"]:
        """Of the unseen rows; of some of the seen rows where given."""
        x = self.unseen if rows is None else self.seen[rows]
        if self.strata is None:
            return fit.logits(x)
        of_row = self.strata.unseen if rows is None else self.strata.seen[rows]
        return Strata(self.strata.seen, self.strata.count).logits(fit.weights, fit.bias, x, of_row)


@dataclass(frozen=True)
class Choice:
    """What was settled on, and the solution it led to."""

    name: str
    """Of the penalty."""
    scale: float
    fit: Fit
    spared: bool = False
    """Whether fewer penalties were tried, because classes are many."""


@dataclass(frozen=True)
class Answer:
    """What the winner says of the unseen rows."""

    probabilities: Float32[np.ndarray, "m c"]
    converged: bool
    notes: tuple[str, ...]
    settled: Choice


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

    @property
    def settled(self) -> Any:
        """A `Choice`, or None."""


class _Table(NamedTuple):
    """Questions with one count of classes, as tensors."""

    labels: Tensor
    weights: Tensor
    classes: int


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
    device = bases[0].seen.device
    answers: dict[int, Answer] = {}
    for alike in _batches(bases, questions, folds):
        classes = questions[alike[0]].classes
        small = torch.int8 if classes < torch.iinfo(torch.int8).max else torch.int64
        labels = torch.from_numpy(np.stack([questions[i].labels for i in alike])).to(device, small)
        weights = torch.from_numpy(np.stack([questions[i].weights for i in alike])).to(device)
        table = _Table(labels, weights, classes)
        settled = {at: questions[i].settled for at, i in enumerate(alike) if _known(questions[i].settled, bases)}
        fresh = [at for at in range(len(alike)) if at not in settled]
        if fresh:
            asked = [questions[alike[at]] for at in fresh]
            dealt = [parts(each.labels + (classes + 1) * strata, group, QUARTERS, seed) for each in asked]
            part = torch.from_numpy(np.stack(dealt)).to(device)
            few = bases if classes <= FEW else [basis.thinned() for basis in bases]
            tried = 1 if classes > FEW else folds
            chosen = _choose(few, _Table(labels[fresh], weights[fresh], classes), part, tried, spared=classes > FEW)
            settled.update(zip(fresh, chosen, strict=True))
        found = _solve(bases, table, [settled[at] for at in range(len(alike))])
        answers.update(zip(alike, found, strict=True))
    return [answers[i] for i in range(len(questions))]


def strengths(count: int) -> list[float]:
    """`count` penalties in nats per row and squared weight, from 0.001 to 1."""
    return [10 ** (-3 + 3 * k / (count - 1)) for k in range(count)] if count > 1 else [0.03]


def _known(settled: Any, bases: Sequence[Basis]) -> bool:
    """Whether something was settled on that these bases have."""
    return isinstance(settled, Choice) and any(settled.name in basis.names for basis in bases)


def _batches(bases: Sequence[Basis], questions: Sequence[Asked], folds: int) -> list[list[int]]:
    """Questions with one count of classes, as many at a time as `CELLS` allows."""
    size = max(1, CELLS // (5 * (folds + 1) * max(1, *(len(basis.seen) for basis in bases))))
    batches = []
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        batches += [alike[first : first + size] for first in range(0, len(alike), size)]
    return batches


def _choose(bases: Sequence[Basis], table: _Table, part: Tensor, folds: int, *, spared: bool) -> list[Choice]:
    """The best penalty and scale for each question, with the solution that spared the first part."""
    tried = [_held_out(basis, table, part, folds) for basis in bases]
    losses = torch.cat([loss for loss, _ in tried], 1)
    best = losses.flatten(1).argmin(1).tolist()
    names = [(basis, name) for basis in range(len(bases)) for name in range(len(bases[basis].names))]
    choices = []
    for question, place in enumerate(best):
        basis, name = names[place // len(SCALES)]
        fit = tried[basis][1].part(torch.tensor([question * folds * len(bases[basis].names) + name]))
        choices.append(Choice(bases[basis].names[name], SCALES[place % len(SCALES)], fit, spared))
    return choices


def _held_out(basis: Basis, table: _Table, part: Tensor, folds: int) -> tuple[Float[Tensor, "q s t"], Fit]:
    """Weighted cross-entropies summed over the first `folds` parts, each from a fit without it, by scale of logits."""
    q, s = len(table.labels), len(basis.penalties)
    device = part.device
    labels = torch.stack([torch.where(part == fold, -1, table.labels) for fold in range(folds)], 1).flatten(0, 1)
    weights = table.weights.repeat_interleave(folds, 0)
    picked = torch.arange(s, device=device).repeat(q * folds)
    fit = basis.fit(labels, weights, picked, table.classes, tolerance=LOOSE, proven=False, iterations=20)
    scales = torch.tensor(SCALES, device=device)
    losses = basis.seen.new_zeros(q, s, len(SCALES))
    for question in range(q):
        for fold in range(folds):
            rows = ((part[question] == fold) & (table.labels[question] >= 0)).nonzero().squeeze(1)
            first = (question * folds + fold) * s
            logits = basis.logits(fit.part(slice(first, first + s)), rows)
            truth, counts = table.labels[question, rows].long(), table.weights[question, rows]
            scaled = (logits[:, None] * scales[:, None, None]).flatten(0, 1)
            each = logistic.nats(scaled, truth).clamp_max(CEILING) @ counts
            losses[question] += each.view(s, len(SCALES))
    return losses, fit


def _solve(bases: Sequence[Basis], table: _Table, choices: list[Choice]) -> list[Answer]:
    """The answers by what was chosen."""
    answers: dict[int, Answer] = {}
    for basis in bases:
        mine = [at for at, choice in enumerate(choices) if choice.name in basis.names and at not in answers]
        if not mine:
            continue
        picked = torch.tensor([basis.names.index(choices[at].name) for at in mine], device=basis.seen.device)
        start = _start([choices[at].fit for at in mine], logistic.columns(table.classes), basis.penalties.shape[1])
        fit = basis.fit(table.labels[mine], table.weights[mine], picked, table.classes, start)
        factor = torch.tensor([choices[at].scale for at in mine], device=basis.seen.device)
        chance = logistic.probabilities(basis.logits(fit) * factor[:, None, None]).transpose(1, 2).cpu().numpy()
        for row, at in enumerate(mine):
            solved = bool(fit.converged[row])
            name = choices[at].name
            spared = choices[at].spared
            notes = (
                name,
                *([] if solved else [f"not solved in {fit.iterations} sweeps"]),
                *(["one penalty of three tried: private classes are many"] if spared else []),
            )
            settled = Choice(name, choices[at].scale, fit.part(slice(row, row + 1)), spared)
            answers[at] = Answer(np.ascontiguousarray(chance[row]), solved, notes, settled)
    return [answers[at] for at in range(len(choices))]


def _start(fits: list[Fit], columns: int, width: int) -> Fit | None:
    """Where to start from: what each question's last solve found, if that was of these columns."""
    if any(fit.weights.shape != (1, columns, width) for fit in fits):
        return None
    return Fit(
        torch.cat([fit.weights for fit in fits]),
        torch.cat([fit.bias for fit in fits]),
        torch.cat([fit.gap for fit in fits]),
        torch.cat([fit.converged for fit in fits]),
        0,
    )
