"""
A hyperplane per class: multinomial logistic regression, solved to convergence.

A leak may sit in a direction of tiny variance, so the strength of the L2 penalty and the basis it acts on are chosen
together on held-out groups of the seen rows: the columns themselves, or whitened leading principal components. In
whitened components each is a diagonal penalty, and all questions and choices are one batched solve.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics import logistic
from leakaudit.numerics.holdout import parts

DECIDES = True

OUT = 1e6
"""Penalty that keeps a component out."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (16, 64),
    strengths: int = 3,
    folds: int = 3,
) -> list[Guesses]:
    """
    Guess by the penalty with the lowest weighted cross-entropy on held-out groups, refitted on all seen rows.

    `components` are the counts of leading whitened components tried beside all of them, `strengths` the penalties
    tried on each basis. `converged` says that the refit's objective lies within 1e-6 nats of its minimum.
    """
    whitening = seen.moments.whitening
    x = torch.from_numpy(whitening.components(seen.z)).to(device)
    new = torch.from_numpy(whitening.components(unseen.z)).to(device)
    choices = list(penalties(whitening.variance, components, strengths))
    table = torch.from_numpy(np.stack([penalty for _, penalty in choices])).to(x)
    guesses: list[Guesses | None] = [None] * len(questions)
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        labels = torch.from_numpy(np.stack([questions[i].labels for i in alike])).to(device)
        weights = torch.from_numpy(np.stack([questions[i].weights for i in alike])).to(x)
        dealt = [parts(seen.strata * (questions[i].labels + 1) + seen.target, seen.group, folds, seed) for i in alike]
        best = _search(x, labels, weights, torch.from_numpy(np.stack(dealt)).to(device), table, classes)
        final = logistic.fit(x, labels, weights, table[best], classes)
        chance = final.probabilities(new).transpose(1, 2).cpu().numpy().astype(np.float32)
        for row, i in enumerate(alike):
            solved = bool(final.converged[row])
            note = choices[int(best[row])][0]
            guesses[i] = Guesses(chance[row], solved, (note,) if solved else (note, "not converged"))
    return [guess for guess in guesses if guess is not None]


def penalties(
    variance: Float64[np.ndarray, " r"], components: tuple[int, ...], strengths: int
) -> Iterator[tuple[str, Float64[np.ndarray, " r"]]]:
    """Names and penalties per whitened component: columns as they are, and whitened leading components."""
    ladder = np.geomspace(1e-3, 1.0, strengths) if strengths > 1 else np.array([1e-2])
    for strength in ladder:
        yield f"columns, penalty {strength:.2g}", np.minimum(strength * variance.mean() / variance, OUT) if len(variance) else variance
    for count in [*(count for count in components if count < len(variance)), len(variance)]:
        for strength in ladder:
            penalty = np.full(len(variance), OUT)
            penalty[:count] = strength
            yield f"{count} whitened components, penalty {strength:.2g}", penalty


def _search(
    x: Float[Tensor, "n r"], labels: Tensor, weights: Tensor, dealt: Tensor, table: Tensor, classes: int
) -> Tensor:
    """Per question the row of `table` with the lowest cross-entropy on held-out parts."""
    q, s, folds = len(labels), len(table), int(dealt.max()) + 1
    loss = x.new_zeros(q, s)
    inside = torch.stack([dealt != fold for fold in range(folds)], 1)
    train = (weights[:, None] * inside)[:, :, None].expand(q, folds, s, -1).reshape(q * folds * s, -1)
    asked = labels[:, None, None].expand(q, folds, s, -1).reshape(q * folds * s, -1)
    fits = logistic.fit(x, asked, train, table.repeat(q * folds, 1), classes, tolerance=1e-4, iterations=20)
    for row in range(q):
        low = row * folds * s
        part = logistic.Fit(
            fits.weights[low : low + folds * s], fits.bias[low : low + folds * s], fits.decrement, fits.converged, 0
        )
        chance = part.probabilities(x).gather(1, asked[low : low + folds * s].clamp_min(0)[:, None]).squeeze(1)
        outside = weights[row] * (labels[row] >= 0) * ~inside[row]
        nats = -chance.clamp_min(1e-4).log().view(folds, s, -1)
        loss[row] = (nats * outside[:, None]).sum((0, 2))
    return loss.argmin(1)
