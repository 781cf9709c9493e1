"""
A hyperplane per private class and target class, drawn towards the hyperplane that all target classes share.

Finds attributes whose direction depends on the target: what information removal against one private head leaves
behind. One logistic regression on the components and on their products with the target class, which are never written
down; the penalty on the products says how far a target class may turn away, and is chosen on held-out groups.
"""

import numpy as np
import torch
from jaxtyping import Float32, Float64

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.attackers import components as whitened
from leakaudit.numerics.search import MANY, OUT, Basis, Stratified, search

DECIDES = True

FEATURES = 16_384
"""At most so many products: with many target classes fewer components are used."""
FEW = (0.01, 0.03), (0.01, 0.3), (1.0, 1.0), (OUT, 0.1), (OUT, 1.0)
"""Penalties on few leading components: on the shared hyperplane, and on what a target class adds to it."""
ALL = (0.01, 0.3), (1.0, 1.0), (0.001, OUT)
"""The same on many; the last lets a target class move the shared hyperplane, but not turn it."""
VARYING = (0.01, 0.003), (0.01, 0.03), (0.01, 0.3), (1.0, 1.0)
"""The same on many, times the mean variance of the components over that of each; the first from `MANY` rows on."""
MOVE = 0.3
"""Largest penalty on how far a target class moves the shared hyperplane."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (4, 16),
    folds: int = 0,
) -> list[Guesses]:
    """
    Guess by the components and penalties with the lowest weighted cross-entropy on held-out groups of the seen rows.

    `components` are the counts of leading whitened components tried beside all of them, as far as their products with
    the target classes do not outnumber the seen rows. `converged` says that the refit's objective is proven to lie
    within 1e-5 nats of its minimum.
    """
    most = max(1, min(len(seen), FEATURES) // max(seen.strata, 1))
    x = whitened(seen, unseen, most)
    found = x.seen.shape[1]
    old, new = (torch.from_numpy(rows.target).to(device) for rows in (seen, unseen))
    strata = Stratified(old, new, seen.strata)
    counts = sorted({count for count in components if count < found})
    few: dict[str, Float64[np.ndarray, " f"]] = {}
    for count in counts:
        inside = np.where(np.arange(counts[-1]) < count, 1.0, OUT)
        few |= _named(f"{count} leading components", FEW if count == counts[-1] else FEW[:1], inside, seen.strata)
    damped = x.variance.mean() / x.variance if found else np.ones(0)
    many = _named(f"{found} components", ALL, np.ones(found), seen.strata)
    varying = VARYING if len(seen) >= MANY else VARYING[1:]
    many |= _named(f"{found} components as they vary", varying, damped, seen.strata)
    bases = [_basis(x.seen[:, : counts[-1]], x.unseen[:, : counts[-1]], few, strata)] if counts else []
    bases.append(_basis(x.seen, x.unseen, many, strata))
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    return [Guesses(answer.probabilities, answer.converged, answer.notes, answer.settled) for answer in answers]


def _named(
    what: str, pairs: tuple[tuple[float, float], ...], unit: Float64[np.ndarray, " r"], strata: int
) -> dict[str, Float64[np.ndarray, " f"]]:
    """Penalties by name: those of each target class and of its move, then those of the shared hyperplane."""
    named = {}
    for shared, own in pairs:
        words = f"{what}, penalty {own:.2g}" if own < OUT else f"{what}, moved only"
        words += f", {shared:.2g} shared" if shared < OUT else ""
        named[words] = np.concatenate((np.tile(np.append(own * unit, min(own, MOVE)), strata), shared * unit))
    return named


def _basis(
    seen: Float32[np.ndarray, "n r"],
    unseen: Float32[np.ndarray, "m r"],
    penalties: dict[str, Float64[np.ndarray, " f"]],
    strata: Stratified,
) -> Basis:
    """Some components and the penalties on them."""
    device = strata.seen.device
    table = torch.from_numpy(np.stack(list(penalties.values())).astype(np.float32)).to(device)
    x, y = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (seen, unseen))
    return Basis(x, y, table, tuple(penalties), strata)
