"""
The papers' figure as an attacker: one Gaussian per private class on the first principal component.

Barbano, Tartaglione and Grangetto, "Bridging the gap between debiasing and privacy for deep learning", ICCV workshops
2021, figure 8. It reads .52 where LDA reads .93, so it is shown and never decides.
"""

import numpy as np
from scipy.special import softmax

from leakaudit.attackers import Guesses, Question, Rows

DECIDES = False


def attack(seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str) -> list[Guesses]:
    """Guess by Bayes' rule with a Gaussian per class on PC1; nothing is drawn, so `seed` changes nothing."""
    del seed, device
    values, vectors = seen.moments.eigen
    share = values[0] / values.sum() if values.sum() > 0 else 0.0
    old = (seen.z - seen.moments.mean) @ vectors[:, 0]
    new = (unseen.z - seen.moments.mean) @ vectors[:, 0]
    floor = 1e-6 * float(old.var()) + 1e-30
    return [_guess(question, old, new, floor, f"PC1 carries {share:.0%} of the variance") for question in questions]


def _guess(question: Question, old: np.ndarray, new: np.ndarray, floor: float, note: str) -> Guesses:
    logits = np.full((len(new), question.classes), -np.inf)
    for c in range(question.classes):
        weights = question.weights * (question.labels == c)
        total = float(weights.sum(dtype=np.float64))
        if total > 0:
            mean = float(weights @ old) / total
            variance = float(weights @ (old - mean) ** 2) / total + floor
            logits[:, c] = np.log(total) - 0.5 * np.log(variance) - 0.5 * (new - mean) ** 2 / variance
    if not np.isfinite(logits).any():
        logits[:] = 0.0
    chance = softmax(logits, axis=1) if len(new) else logits
    return Guesses(chance.astype(np.float32), converged=True, notes=(note,))
