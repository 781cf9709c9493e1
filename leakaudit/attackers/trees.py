"""
Boosted trees on leading components and the target class: scikit-learn's HistGradientBoostingClassifier.

Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017. Finds thresholds, boxes and
interactions along few components; slow, so that only suite `full` runs it.
"""

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from leakaudit.attackers import Guesses, Question, Rows, components
from leakaudit.numerics.holdout import parts

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

DECIDES = True

REFERENCES = 20_000
"""Rows that are learned from, at most: a sample where there are more."""
LEADING = 32
"""Whitened components beside the target class."""
PARTS = 5
CATEGORIES = 64
"""Target classes that are told apart, at most: the most frequent."""
TREES = 4_000
"""Over all classes, at most: with a tree per class and round, rounds are fewer where classes are many."""


class Settled(NamedTuple):
    """What was chosen for a question."""

    rounds: int
    limited: bool
    """Whether the last round allowed still helped."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    rounds: int = 200,
    leaves: int = 15,
    references: int = REFERENCES,
) -> list[Guesses]:
    """
    Guess by as many rounds of boosting as lower the weighted cross-entropy on a fifth of the groups, held out.

    Where the rounds given all helped, `converged` is false; an earlier count is settled on and used again. It runs on
    the processor, whatever `device` says.
    """
    del device
    old, new = _features(seen, unseen)
    return [_guess(old, new, seen, question, seed, rounds, leaves, references) for question in questions]


def _features(seen: Rows, unseen: Rows) -> tuple[Float32[np.ndarray, "n f"], Float32[np.ndarray, "m f"]]:
    """Components, and the target class in the last column; rare target classes count as missing."""
    made = components(seen, unseen, LEADING)
    common = np.argsort(-np.bincount(seen.target, minlength=seen.strata), kind="stable")[:CATEGORIES]
    code = np.full(seen.strata, np.nan, np.float32)
    code[common] = np.arange(len(common))
    return np.column_stack((made.seen, code[seen.target])), np.column_stack((made.unseen, code[unseen.target]))


def _guess(
    old: Float32[np.ndarray, "n f"],
    new: Float32[np.ndarray, "m f"],
    seen: Rows,
    question: Question,
    seed: int,
    rounds: int,
    leaves: int,
    references: int,
) -> Guesses:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.flatnonzero((question.labels >= 0) & (question.weights > 0))
    notes: tuple[str, ...] = ()
    if len(rows) > references:
        notes = (f"learned from a sample of {references:,} of {len(rows):,} labelled rows",)
        rows = np.sort(np.random.default_rng(seed).choice(rows, references, replace=False))
    labels, weights = question.labels[rows], question.weights[rows].astype(np.float64)
    found = np.unique(labels)
    chance = np.zeros((len(new), question.classes), np.float32)
    if len(found) <= 1:
        chance[:] = 1 / question.classes
        chance[:, found] = 1.0
        return Guesses(chance / chance.sum(1, keepdims=True), converged=True, notes=("one class at most", *notes))
    most = max(1, min(rounds, TREES // (1 if len(found) == 2 else len(found))))  # noqa: PLR2004  # two classes share a tree

    def fitted(part: Int64[np.ndarray, " part"], count: int) -> HistGradientBoostingClassifier:
        model = HistGradientBoostingClassifier(
            max_iter=count, max_leaf_nodes=leaves, learning_rate=0.1, l2_regularization=1.0, early_stopping=False,
            categorical_features=[old.shape[1] - 1] if seen.strata > 1 else None, random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            # nearly as many classes as rows: odd, but what was asked
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            return model.fit(old[rows[part]], labels[part], sample_weight=weights[part])

    every = np.arange(len(rows))
    settled, limited = question.settled if isinstance(question.settled, Settled) else Settled(0, limited=False)
    if not settled:
        dealt = parts(labels * seen.strata + seen.target[rows], seen.group[rows], PARTS, seed)
        inside, held = every[dealt > 0], every[dealt == 0]
        settled = 10
        if len(held) and len(np.unique(labels[inside])) > 1:
            settled = _rounds(fitted(inside, most), old[rows[held]], labels[held], weights[held])
            limited = settled >= most
    model = fitted(every, settled)
    chance[:, model.classes_] = model.predict_proba(new)
    note = f"{settled} rounds of {leaves} leaves on {old.shape[1] - 1} components and the target class"
    return Guesses(
        chance / chance.sum(1, keepdims=True), not limited,
        (note, *(("the last round still helped",) if limited else ()), *notes), Settled(settled, limited),
    )  # fmt: skip


def _rounds(
    model: "HistGradientBoostingClassifier",
    x: Float32[np.ndarray, "n f"],
    labels: Int64[np.ndarray, " n"],
    weights: np.ndarray,
) -> int:
    """The count of rounds with the lowest weighted cross-entropy."""
    place = np.searchsorted(model.classes_, labels)
    known = model.classes_[np.minimum(place, len(model.classes_) - 1)] == labels
    best, least = 1, np.inf
    for count, table in enumerate(model.staged_predict_proba(x), 1):
        right = table[np.arange(len(x)), np.minimum(place, table.shape[1] - 1)]
        loss = float(weights @ -np.log(np.clip(np.where(known, right, 0.0), 1e-4, 1.0)))
        if loss < least:
            best, least = count, loss
    return best
