"""
The papers' own attacker, as released: one linear layer by plain stochastic gradient descent.

Barbano, Tartaglione and Grangetto, "Bridging the gap between debiasing and privacy for deep learning", ICCV workshops
2021: learning rate .01, no momentum, no decay, batches of 256, times .1 every 20 of 50 epochs, on z as it is, rows
unweighted, last epoch. For comparison with the literature; it never decides.
"""

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics.device import generator

DECIDES = False

FLAT = 1e-3
"""Share of its first size that the gradient must have fallen to."""
SMALL = 0.01
"""Nats of training loss below which nothing is left to learn."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    rate: float = 0.01,
    batch: int = 256,
    epochs: int = 50,
    drop_every: int = 20,
) -> list[Guesses]:
    """
    Guess by the last epoch's layer; the weights of the questions are not looked at.

    `converged` says that the mean gradient over the seen rows has fallen below 1e-3 of what it was at the start, or
    that the mean training loss lies within 0.01 nats of zero: with the papers' schedule rarely so.
    """
    x, new = seen.tensor(device), unseen.tensor(device)
    return [_one(x, new, question, seed, rate, batch, epochs, drop_every) for question in questions]


def _one(
    x: Tensor, new: Tensor, question: Question, seed: int, rate: float, batch: int, epochs: int, drop_every: int
) -> Guesses:
    chance = generator(seed)
    rows = torch.from_numpy(np.flatnonzero(question.labels >= 0)).to(x.device)
    truth = torch.from_numpy(question.labels).to(x.device)
    bound = x.shape[1] ** -0.5
    weight = (torch.rand(question.classes, x.shape[1], generator=chance) * 2 - 1).mul_(bound).to(x)
    bias = (torch.rand(question.classes, generator=chance) * 2 - 1).mul_(bound).to(x)
    first = _gradient(x[rows], truth[rows], weight, bias)
    for epoch in range(epochs):
        step = rate * 0.1 ** (epoch // drop_every)
        for part in torch.split(torch.randperm(len(rows), generator=chance).to(x.device), batch):
            picked = rows[part]
            slope, lean, _ = _gradient(x[picked], truth[picked], weight, bias)
            weight -= step * slope
            bias -= step * lean
    last = _gradient(x[rows], truth[rows], weight, bias)
    size = [float((slope.square().sum() + lean.square().sum()).sqrt()) for slope, lean, _ in (first, last)]
    finite = bool(torch.isfinite(weight).all())
    converged = finite and (size[1] <= FLAT * size[0] or last[2] <= SMALL)
    if not finite:
        weight, bias = torch.zeros_like(weight), torch.zeros_like(bias)
    guess = torch.addmm(bias, new, weight.T).softmax(1).cpu().numpy()
    note = f"training loss {last[2]:.3f} nats after {epochs} epochs" if finite else "diverged"
    return Guesses(guess, converged, (note,))


def _gradient(x: Tensor, truth: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, float]:
    """Gradient of the mean cross-entropy by weight and bias, and that mean in nats."""
    if not len(x):
        return torch.zeros_like(weight), torch.zeros_like(bias), 0.0
    logits = torch.addmm(bias, x, weight.T)
    residual = logits.softmax(1)
    loss = float((logits.logsumexp(1) - logits.gather(1, truth[:, None]).squeeze(1)).mean())
    residual.scatter_add_(1, truth[:, None], residual.new_full((len(x), 1), -1.0))
    residual /= len(x)
    return residual.T @ x, residual.sum(0), loss
