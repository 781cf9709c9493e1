"""
A hyperplane per private class and target class, drawn towards the hyperplane that all target classes share.

Finds attributes whose direction depends on the target: what information removal against one private head leaves
behind. One logistic regression on the components and on their products with the target class, which are never written
down; the penalty on the products says how far a target class may turn away, and is chosen on held-out groups.
"""

import numpy as np
import torch

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.attackers import components as whitened
from leakaudit.numerics.search import OUT, Basis, Stratified, search

DECIDES = True

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

    `components` are the counts of leading whitened components tried; of those whose products outnumber the seen rows,
    only the smallest. `converged` says that the refit's objective is proven to lie within 1e-5 nats of its minimum.
    """
    x = whitened(seen, unseen, max(components, default=1))
    found = x.seen.shape[1]
    counts = sorted({min(count, found) for count in components or (1,)})
    counts = [count for count in counts if count * seen.strata <= len(seen)] or counts[:1]
    old, new = (torch.from_numpy(rows.target).to(device) for rows in (seen, unseen))
    strata = Stratified(old, new, seen.strata)
    bases = [_basis(x.seen[:, :count], x.unseen[:, :count], strata) for count in counts]
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    return [Guesses(answer.probabilities, answer.converged, answer.notes, answer.settled) for answer in answers]


def _basis(seen: np.ndarray, unseen: np.ndarray, strata: Stratified) -> Basis:
    """Some components, with each of the penalties."""
    count, device = seen.shape[1], strata.seen.device
    table = [
        np.concatenate((np.full(strata.count * (count + 1), own), np.full(count, shared))) for shared, own in PENALTIES
    ]
    names = tuple(
        f"{count} leading components, penalty {own:.2g}" + (f", {shared:.2g} shared" if shared < OUT else "")
        for shared, own in PENALTIES
    )
    x, y = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (seen, unseen))
    return Basis(x, y, torch.from_numpy(np.stack(table).astype(np.float32)).to(device), names, strata)
