"""
A hyperplane per class: multinomial logistic regression, solved to convergence.

A leak may sit in a direction of tiny variance, so the L2 penalty and the basis it acts on are chosen together on
held-out groups of the seen rows: standardised columns, whitened leading principal components, or all whitened.
"""

import numpy as np
import torch

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics.search import OUT, Basis, search, strengths

DECIDES = True


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (16, 64),
    penalties: int = 3,
    folds: int = 0,
) -> list[Guesses]:
    """
    Guess by the basis and penalty with the lowest weighted cross-entropy on held-out groups, refitted on all seen rows.

    `components` are the counts of leading whitened components tried beside all of them, `penalties` the count of
    strengths tried on each basis, `folds` the quarters held out in turn (0: 2 below 5,000 rows, else 1). `converged`
    says that the refit's objective lies within 1e-6 nats of its minimum.
    """
    bases = [_leading(seen, unseen, components, penalties, device), _columns(seen, unseen, penalties, device)]
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    return [Guesses(answer.probabilities, answer.converged, answer.notes) for answer in answers]


def _leading(seen: Rows, unseen: Rows, components: tuple[int, ...], penalties: int, device: str) -> Basis:
    """Whitened leading eigenvectors of the covariance."""
    whitening = seen.moments.leading(max(components, default=1))
    found = len(whitening.variance)
    table, names = [], []
    for count in sorted({min(count, found) for count in components or (1,)}):
        for strength in strengths(penalties):
            table.append(np.where(np.arange(found) < count, strength, OUT))
            names.append(f"{count} leading components, penalty {strength:.2g}")
    return Basis(
        torch.from_numpy(whitening.components(seen.z)).to(device),
        torch.from_numpy(whitening.components(unseen.z)).to(device),
        torch.from_numpy(np.stack(table).astype(np.float32)).to(device),
        tuple(names),
    )


def _columns(seen: Rows, unseen: Rows, penalties: int, device: str) -> Basis:
    """Standardised columns, whose penalty in whitened components is inverse to their variance; and all whitened."""
    whitening = seen.moments.whitening
    table, names = [], []
    for strength in strengths(penalties):
        columns = strength * whitening.variance.mean() / whitening.variance if len(whitening.variance) else np.zeros(0)
        table += [np.minimum(columns, OUT), np.full_like(columns, strength)]
        names += [f"standardised columns, penalty {strength:.2g}", f"all components, penalty {strength:.2g}"]
    return Basis(
        torch.from_numpy(whitening.components(seen.z)).to(device),
        torch.from_numpy(whitening.components(unseen.z)).to(device),
        torch.from_numpy(np.stack(table).astype(np.float32)).to(device),
        tuple(names),
    )
