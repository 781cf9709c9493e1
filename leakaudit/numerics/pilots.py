"""
Which form of a network suits a question, before any is trained in full: small networks on directions held fast.

The directions in which the classes differ are found once for each view of the rows, on a part of them, and the rows are
laid along them: what is left to train has a dozen inputs, whatever the width of z, and the views are trained side by
side as networks of one batch. Losses are comparable among the forms, no more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from leakaudit.numerics import deck, perceptron
from leakaudit.numerics.device import generator
from leakaudit.numerics.directions import Directions, directions
from leakaudit.numerics.inputs import Inputs
from leakaudit.numerics.perceptron import Plan


class Trial(NamedTuple):
    """What the forms are tried on."""

    labels: Int64[Tensor, "p n"]
    inside: Float[Tensor, "p n"]
    """Weights in training."""
    outside: Float[Tensor, "p n"]
    """Weights in the choice."""
    prior: Float[Tensor, "p t c"] | None
    classes: int


class Spent(NamedTuple):
    """What is spent on each form."""

    plan: Plan
    means: int
    spreads: int


def losses(
    inputs: Inputs, trial: Trial, ways: Sequence[tuple[bool, int]], spent: Spent, seed: int
) -> Float[Tensor, "w p"]:
    """Held-out loss of each way, which is whether it is conditioned and its view, for each question."""
    counting = ((trial.inside > 0) | (trial.outside > 0)).any(0)
    rows = counting.nonzero().squeeze(1)
    learning = (trial.inside[:, rows] > 0).any(0).nonzero().squeeze(1)
    labels, inside, outside = (part[:, rows] for part in trial[:3])
    strata, p = inputs.strata[rows], len(labels)
    spreads: dict[int, Tensor] = {}
    found: dict[tuple[bool, int], Tensor] = {}
    for conditioned in sorted({way[0] for way in ways}, reverse=True):
        views = [view for way, view in ways if way == conditioned]
        hot = inputs.hot.seen[rows]
        chance = generator(seed)
        laid, gates = [], []
        for view in views:
            x = inputs.seen(view)[rows]
            begin = directions(
                x[learning], (hot if conditioned else hot[:, :0])[learning], labels[:, learning], inside[:, learning],
                trial.classes, means=spent.means, spreads=spent.spreads, generator=chance, known=spreads.get(view),
            )  # fmt: skip
            k, r = begin.vectors.shape[1:]
            spreads[view] = begin.vectors[:, k - min(spent.spreads, r) :]
            laid.append((x @ begin.vectors.reshape(p * k, r).T).view(len(x), p, k).transpose(0, 1))
            gates.append(begin.gates)
        x = torch.cat(laid)
        k, times = x.shape[2], len(views)
        begin = Directions(torch.eye(k, device=x.device).repeat(len(x), 1, 1), torch.cat(gates))
        both = deck.Rows(x, hot, strata, labels.repeat(times, 1), inside.repeat(times, 1))
        held = both._replace(weights=outside.repeat(times, 1))
        prior = None if trial.prior is None else trial.prior.repeat(times, 1, 1)
        made = perceptron.train(both, held, begin, prior, trial.classes, spent.plan, generator=chance)
        found |= {(conditioned, view): loss for view, loss in zip(views, made.loss.view(times, p), strict=True)}
    return torch.stack([found[way] for way in ways])
