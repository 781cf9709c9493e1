"""
Scores of several rules blended into one: non-negative weights, by logistic regression on rows none was fitted to.

Wolpert, "Stacked generalization", Neural Networks 1992; that the weights be non-negative is Breiman, "Stacked
regressions", Machine Learning 1996. Rules that tell nothing get the weight zero, and what is too sure of itself is
scaled down. Projected Newton steps (Bertsekas, SIAM J. Control and Optimization 1982), many questions at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

STEPS = 25
PENALTY = 10.0
"""Of a mixture, on its squared weights, in nats over all rows."""
SURE = 3.0
"""Nats above which a score is penalised as it is, and below which as if it were of mean square 1."""
MOST = 1 << 24
"""Scores that weights are learned from."""
FAR = 8.0
"""A score counts no further than this, in its own root mean square."""


@dataclass(frozen=True)
class Mixed:
    """Scores blended in units of their own, so that none is penalised for being cautious."""

    weights: Float[Tensor, "q j"]
    """Of the scores as they are."""
    far: Float[Tensor, "q j"]
    """Where each score is cut off."""
    loss: Float[Tensor, " q"]


def mix(scores: Float[Tensor, "q n j k"], labels: Int64[Tensor, "q n"], weights: Float[Tensor, "q n"]) -> Mixed:
    """
    The `blend` of scores that are cut off far from what is usual, each in its own unit.

    Of more scores than `MOST`, as with many classes, those of some rows: a dozen weights need no more.
    """
    step = -(-scores.numel() // MOST)
    scores, labels, weights = scores[:, ::step], labels[:, ::step], weights[:, ::step]
    shown = (weights * (labels >= 0))[:, :, None, None]
    size = (scores.square() * shown).sum((1, 3)) / shown.sum((1, 3)).clamp_min(1e-30) / scores.shape[3]
    size = size.sqrt().clamp_min(1e-6)
    unit = size.clamp_max(SURE)
    table = (scores / unit[:, None, :, None]).clamp_(
        *((sign * FAR * size / unit)[:, None, :, None] for sign in (-1, 1))
    )
    count = ((labels >= 0) & (weights > 0)).sum(1).float().mean()
    found, loss = blend(table, labels, weights, penalty=PENALTY / max(1.0, float(count)))
    return Mixed(found / unit, FAR * size, loss)


def blend(
    scores: Float[Tensor, "q n j k"],
    labels: Int64[Tensor, "q n"],
    weights: Float[Tensor, "q n"],
    *,
    penalty: float,
) -> tuple[Float[Tensor, "q j"], Float[Tensor, " q"]]:
    """
    Minimise the weighted mean of CE plus penalty / 2 |a|^2 over a >= 0, where the logits are scores a.

    With k = 1 a score is the logit of the second class against the first. Rows with label -1 do not count.
    Gives a and the objective.
    """
    q, _, j, _ = scores.shape
    share = weights * (labels >= 0)
    share = share / share.sum(1, keepdim=True).clamp_min(1e-30)
    clean = labels.clamp_min(0)
    a = scores.new_zeros(q, j)
    value, gradient, hessian = _model(scores, clean, share, a, penalty)
    for _ in range(STEPS):
        held = (a <= 0) & (gradient >= 0)
        free = (~held).to(scores.dtype)
        matrix = hessian * free[:, :, None] * free[:, None] + torch.diag_embed(1 - free)
        matrix = matrix + 1e-6 * torch.eye(j, device=a.device)
        step = torch.linalg.solve(matrix, (gradient * free)[:, :, None]).squeeze(2)
        size = torch.ones(q, 1, device=a.device)
        for _ in range(10):
            trial = (a - size * step).clamp_min(0)
            reached = _value(scores, clean, share, trial, penalty)
            worse = reached > value - 1e-4 * (gradient * (a - trial)).sum(1)
            if not worse.any():
                break
            size = torch.where(worse[:, None], size / 3, size)
        better = reached < value
        a = torch.where(better[:, None], trial, a)
        before = value
        value, gradient, hessian = _model(scores, clean, share, a, penalty)
        if float((before - value).max()) < 1e-6:  # noqa: PLR2004  # nats per row
            break
    return a, value


def _logits(scores: Tensor, a: Tensor) -> Tensor:
    if scores.shape[3] == 1:
        return scores[..., 0] @ a.unsqueeze(2)
    return torch.einsum("qnjk,qj->qnk", scores, a)


def _value(scores: Tensor, labels: Tensor, share: Tensor, a: Tensor, penalty: float) -> Float[Tensor, " q"]:
    logits = _logits(scores, a)
    if logits.shape[2] == 1:
        nats = torch.nn.functional.softplus(logits[:, :, 0] * (1 - 2 * labels))
    else:
        nats = logits.logsumexp(2) - logits.gather(2, labels.unsqueeze(2)).squeeze(2)
    return (nats * share).sum(1) + penalty / 2 * a.square().sum(1)


def _model(
    scores: Tensor, labels: Tensor, share: Tensor, a: Tensor, penalty: float
) -> tuple[Float[Tensor, " q"], Float[Tensor, "q j"], Float[Tensor, "q j j"]]:
    """The objective, its gradient and its Hessian."""
    logits = _logits(scores, a)
    eye = penalty * torch.eye(a.shape[1], device=a.device)
    if logits.shape[2] == 1:
        flat, chance = scores[..., 0], torch.sigmoid(logits[..., 0])
        gradient = ((share * (chance - labels)).unsqueeze(1) @ flat).squeeze(1)
        scaled = flat * (share * chance * (1 - chance)).unsqueeze(2)
        return _value(scores, labels, share, a, penalty), gradient + penalty * a, flat.transpose(1, 2) @ scaled + eye
    chance = logits.softmax(2)
    truth = scores.gather(3, labels[:, :, None, None].expand(-1, -1, scores.shape[2], 1)).squeeze(3)
    mean = torch.einsum("qnjk,qnk->qnj", scores, chance)
    gradient = ((mean - truth) * share.unsqueeze(2)).sum(1)
    rooted = scores * (chance * share.unsqueeze(2)).sqrt().unsqueeze(2)
    flat = rooted.transpose(1, 2).flatten(2)
    centred = mean * share.sqrt().unsqueeze(2)
    hessian = flat @ flat.transpose(1, 2) - centred.transpose(1, 2) @ centred
    return _value(scores, labels, share, a, penalty), gradient + penalty * a, hessian + eye
