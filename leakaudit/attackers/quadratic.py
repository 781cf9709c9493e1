"""
A quadric per class: logistic regression on leading whitened components, their squares and their products.

Finds what no hyperplane does, by interaction or by distance, in closed steps: a bottleneck whose linear trace was
erased perfectly (LEACE) still gave the attribute away at 99.8 % to a quadratic rule.
"""

import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics.search import Basis, search, strengths

DECIDES = True


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (8, 16, 32),
    penalties: int = 3,
    folds: int = 0,
) -> list[Guesses]:
    """
    Guess by the components and penalty with the lowest weighted cross-entropy on held-out groups of the seen rows.

    `components` are the counts of leading whitened components tried; one whose products outnumber the seen rows is
    left out, but for the smallest. `converged` says that the refit's objective lies within 1e-6 nats of its minimum.
    """
    counts = sorted({min(count, seen.z.shape[1]) for count in components})
    counts = [count for count in counts if count * (count + 3) // 2 <= len(seen)] or counts[:1]
    bases = [_basis(seen, unseen, count, penalties, device) for count in counts]
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    return [Guesses(answer.probabilities, answer.converged, answer.notes) for answer in answers]


def _basis(seen: Rows, unseen: Rows, count: int, penalties: int, device: str) -> Basis:
    """Components, squares and products, standardised over the seen rows."""
    whitening = seen.moments.leading(count)
    found = len(whitening.variance)
    first, second = torch.triu_indices(found, found)

    def features(rows: Rows) -> Tensor:
        x = torch.from_numpy(whitening.components(rows.z)).to(device)
        return torch.cat((x, x[:, first] * x[:, second]), 1)

    old, new = features(seen), features(unseen)
    mean = old.mean(0)
    scale = (old - mean).square().mean(0).sqrt().clamp_min(1e-6)
    ladder = strengths(penalties)
    names = tuple(f"{found} leading components and their products, penalty {strength:.2g}" for strength in ladder)
    table = torch.tensor(ladder, device=device)[:, None].expand(-1, old.shape[1])
    return Basis((old - mean) / scale, (new - mean) / scale, table, names)
