"""
Three or more audits of one private attribute, ranked by E, with ties where the data cannot tell.

Every pair is tested, two-sided, at 5 % over the number of pairs (Bonferroni): with 95 % confidence no pair is called
the wrong way round. A model's rank is then at least one more than the models that surely leak less, and at most the
number of models less those that surely leak more; all these ranges hold at once (Mogstad, Romano, Shaikh and Wilhelm,
Review of Economic Studies 91, 2024). Two models are tied where neither surely leaks less.
What was attacked by less than another surely leaks less than it in no case.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import ndtri

from leakaudit.comparison.comparing import Side, comparable, error, sides, unread
from leakaudit.joining import Given
from leakaudit.render import Place, Ranking
from leakaudit.stats import LEVEL

FEWEST = 3
"""Audits that make a ranking; two are compared."""
NAMED = 5
"""Names that a sentence lists."""


def rank(given: Sequence[Given]) -> tuple[Ranking, ...]:
    """One ranking per private attribute that three or more comparable audits hold, in the order of first mention."""
    held: dict[str, list[list[Side]]] = {}
    for side in (side for each in given for side in sides(each).values()):
        classes = held.setdefault(side.attribute.private, [])
        same = next((part for part in classes if comparable(part[0].attribute, side.attribute)), None)
        if same is None:
            classes.append([side])
        else:
            same.append(side)
    largest = {name: max(classes, key=len) for name, classes in held.items()}
    return tuple(_ranking(name, part) for name, part in largest.items() if len(part) >= FEWEST)


def surely_less(
    excess: Float64[np.ndarray, " models"], errors: Float64[np.ndarray, "models models"]
) -> Bool[np.ndarray, "models models"]:
    """
    Whether each model (row) surely leaks less than each other (column), of all pairs at once.

    `errors` are the standard errors of the differences, infinite where nothing is known of one.
    """
    pairs = max(len(excess) * (len(excess) - 1) // 2, 1)
    found: Bool[np.ndarray, "models models"] = excess[None] - excess[:, None] > -ndtri(LEVEL / 2 / pairs) * errors
    return found


def _ranking(private: str, compared: list[Side]) -> Ranking:
    """The least E first; of equals, the first given."""
    excess = np.array([side.attribute.figures.excess.value for side in compared], np.float64)
    errors = np.full((len(compared), len(compared)), np.inf)
    for i, j in combinations(range(len(compared)), 2):
        errors[i, j] = errors[j, i] = error(compared[i], compared[j])
    read = [[not unread(one, other) for other in compared] for one in compared]
    less = surely_less(excess, errors) & np.array(read, bool)
    best, worst = 1 + less.sum(axis=0), len(compared) - less.sum(axis=1)
    order = np.argsort(excess, kind="stable").tolist()
    names = [compared[i].audit.name for i in order]
    tied = [name for name, i in zip(names, order, strict=True) if i == order[0] or not less[order[0], i]]
    places = tuple(Place(name, int(best[i]), int(worst[i])) for name, i in zip(names, order, strict=True))
    return Ranking(private, places, _sentence(names, tied))


def _sentence(names: Sequence[str], tied: Sequence[str]) -> str:
    """Which leaks least, and whether the data can tell."""
    count = f"of {len(names)} models, all pairs at once, 95 %"
    if len(tied) == 1:
        return f"{names[0]} leaks least, and the data can tell ({count})."
    rest = "" if len(tied) == len(names) else f", and every other surely leaks more than {names[0]}"
    return f"Which leaks least, the data cannot tell: {_listed(tied)} are tied{rest} ({count})."


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"
