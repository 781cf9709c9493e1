"""
A hyperplane per private class and target class, drawn towards the hyperplane that all target classes share.

Finds attributes whose direction depends on the target: what information removal against one private head leaves
behind. One logistic regression on the components and on their products with the target class; the penalty on the
products says how far a target class may turn away, and is chosen on held-out groups of the seen rows.
"""

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics.search import OUT, Basis, search

DECIDES = True

FEATURES = 2048
"""At most so many products: with many target classes fewer components are used."""
PENALTIES = ((0.01, 0.001), (0.01, 0.03), (0.01, 0.3), (1.0, 0.1), (OUT, 0.03))
"""On the shared hyperplane, and on what a target class adds to it."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (16, 64),
    folds: int = 0,
) -> list[Guesses]:
    """
    Guess by the components and penalties with the lowest weighted cross-entropy on held-out groups of the seen rows.

    `components` are the counts of leading whitened components tried. `converged` says that the refit's objective lies
    within 1e-6 nats of its minimum.
    """
    most = max(1, FEATURES // max(seen.strata, 1))
    counts = sorted({min(count, most, seen.z.shape[1]) for count in components})
    counts = [count for count in counts if count * seen.strata <= len(seen)] or counts[:1]
    bases = [_basis(seen, unseen, count, device) for count in counts]
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    return [Guesses(answer.probabilities, answer.converged, answer.notes) for answer in answers]


def _basis(seen: Rows, unseen: Rows, count: int, device: str) -> Basis:
    """The components, the target class, and their products, each of mean square about 1."""
    whitening = seen.moments.leading(count)
    found = len(whitening.variance)
    share = np.bincount(seen.target, minlength=seen.strata) / max(len(seen), 1)
    unit = np.where(share > 0, share, 1.0) ** -0.5

    def features(rows: Rows) -> Tensor:
        x = torch.from_numpy(whitening.components(rows.z)).to(device)
        hot = torch.zeros(len(rows), rows.strata, device=device)
        hot[torch.arange(len(rows), device=device), torch.from_numpy(rows.target).to(device)] = 1.0
        hot *= torch.from_numpy(unit.astype(np.float32)).to(device)
        return torch.cat((x, hot, (hot[:, :, None] * x[:, None]).flatten(1)), 1)

    table = [
        np.concatenate((np.full(found, shared), np.full(seen.strata * (found + 1), own))) for shared, own in PENALTIES
    ]
    names = tuple(
        f"{found} leading components, penalty {own:.2g}" + (f", {shared:.2g} shared" if shared < OUT else "")
        for shared, own in PENALTIES
    )
    penalties = torch.from_numpy(np.stack(table).astype(np.float32)).to(device)
    return Basis(features(seen), features(unseen), penalties, names)
