"""
Two namings of the same rows: what one says of the other, and how often they agree once names are matched.

Adjusted mutual information: Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison", JMLR 11
(2010), with the arithmetic mean of the entropies below. The matching is the best one-to-one (Kuhn, 1955).
"""

import numpy as np
from jaxtyping import Bool, Int64

from leakaudit.checkpoint import Agreement


def agreement(
    guess: Int64[np.ndarray, " rows"], truth: Int64[np.ndarray, " rows"], target: Int64[np.ndarray, " rows"]
) -> Agreement:
    """How well `guess` agrees with `truth`, over the rows where both are known, which is not -1."""
    known = (guess >= 0) & (truth >= 0)
    guess, truth, target = guess[known], truth[known], target[known]
    if not len(truth):
        return Agreement(rows=0, information=None, accuracy=None, conflicting=0, conflicting_accuracy=None)
    from sklearn.metrics import adjusted_mutual_info_score

    right = matched(guess, truth)
    against = conflicting(truth, target)
    return Agreement(
        rows=len(truth),
        information=float(adjusted_mutual_info_score(truth, guess)),
        accuracy=float(right.mean()),
        conflicting=int(against.sum()),
        conflicting_accuracy=float(right[against].mean()) if against.any() else None,
    )


def matched(guess: Int64[np.ndarray, " rows"], truth: Int64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Which rows agree when each name of the guess stands for at most one class, and as many rows agree as can."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((guess.max() + 1, truth.max() + 1), dtype=np.int64)
    np.add.at(table, (guess, truth), 1)
    names = np.full(len(table), -1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    names[rows] = columns
    right: np.ndarray = names[guess] == truth
    return right


def conflicting(truth: Int64[np.ndarray, " rows"], target: Int64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Which rows have another private class than most rows of their target."""
    table = np.zeros((target.max() + 1, truth.max() + 1), dtype=np.int64)
    np.add.at(table, (target, truth), 1)
    against: np.ndarray = table.argmax(axis=1)[target] != truth
    return against
