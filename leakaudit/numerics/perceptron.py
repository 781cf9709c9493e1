"""
Perceptrons of one hidden layer, many at once on the same rows: hand-written gradients, AdamW, one-cycle schedule.

AdamW is that of Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019; the schedule that of
Smith and Topin, "Super-convergence", 2018. Each network has its own labels, row weights and held-out rows, and keeps
the weights with the lowest held-out loss it met.

Networks may be conditioned on a known class (the target class). Their hidden units are then shifted and scaled per
class, h = relu((x W + b) * (1 + G[class]) + U[class]), so that one unit can look for opposite signs in two classes,
and each class has a hyperplane of its own on the leading inputs beside the hidden layer.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

CROSSED = 16
"""Leading inputs on which each stratum has a hyperplane of its own."""

SCALES = (0.25, 0.5, 1.0)
"""Factors on the logits, chosen with the epoch: one that ranks well but is too sure of itself is not stopped for it."""


@dataclass(frozen=True)
class Networks:
    """Parameters of p networks, hidden width h, c classes, conditioned on s strata (none: 0)."""

    first: Float[Tensor, "p r h"]
    bias: Float[Tensor, "p h"]
    second: Float[Tensor, "p h c"]
    offset: Float[Tensor, "p c"]
    gain: Float[Tensor, "p s h"]
    shift: Float[Tensor, "p s h"]
    skip: Float[Tensor, "p sq c"]
    """The hyperplane of each stratum."""

    @property
    def strata(self) -> int:
        """Count of classes that the networks are conditioned on."""
        return self.gain.shape[1]

    def logits(self, x: Float[Tensor, "n r"], strata: Int64[Tensor, " n"]) -> Float[Tensor, "p n c"]:
        """One logit per class."""
        hot = one_hot(strata, self.strata).to(x.dtype) if self.strata else x
        return self.out(self.hidden(self.raw(x), hot), self.crossed(x, hot))

    def raw(self, x: Tensor) -> Tensor:
        """What the hidden units see before conditioning: (p, n, h)."""
        p, r, h = self.first.shape
        flat = x @ self.first.transpose(0, 1).reshape(r, p * h)
        return flat.view(len(x), p, h).transpose(0, 1) + self.bias[:, None]

    def hidden(self, raw: Tensor, hot: Tensor) -> Tensor:
        """The hidden layer: (p, n, h)."""
        if self.strata:
            raw = torch.addcmul(hot @ self.shift, raw, hot @ self.gain + 1)
        return torch.relu(raw)

    def crossed(self, x: Tensor, hot: Tensor) -> Tensor:
        """The leading inputs, each in the columns of its row's stratum and zero elsewhere: (n, s q)."""
        if not self.strata:
            return x
        q = self.skip.shape[1] // self.strata
        return (hot[:, :, None] * x[:, None, :q]).reshape(len(x), self.strata * q)

    def out(self, hidden: Tensor, crossed: Tensor) -> Tensor:
        """Logits from the hidden layer and the crossed inputs: (p, n, c)."""
        logits = torch.baddbmm(self.offset[:, None], hidden, self.second)
        if self.strata:
            p, sq, c = self.skip.shape
            flat = crossed @ self.skip.transpose(0, 1).reshape(sq, p * c)
            logits = logits + flat.view(len(crossed), p, c).transpose(0, 1)
        return logits


@dataclass(frozen=True)
class Trained:
    """Networks at their best epoch."""

    networks: Networks
    loss: Float[Tensor, " p"]
    """Lowest weighted held-out cross-entropy, in nats."""
    best: Int64[Tensor, " p"]
    """The epoch it was met in, counted from 1."""
    tail: Float[Tensor, " p"]
    """Nats by which the last fifth of the epochs lowered the held-out loss."""


def train(
    x: Float[Tensor, "n r"],
    strata: Int64[Tensor, " n"],
    labels: Int64[Tensor, "p n"],
    weights: Float[Tensor, "p n"],
    outside: Bool[Tensor, "p n"],
    classes: int,
    *,
    conditioned: int,
    generator: torch.Generator,
    width: int,
    epochs: int,
    batch: int,
    rate: float,
    decay: float,
) -> Trained:
    """
    Train on the rows not `outside`, choose the epoch on those that are; rows with label -1 count in neither.

    `conditioned` is the count of strata the networks are conditioned on, 0 for none.
    """
    p, n = labels.shape
    counts = weights * (labels >= 0)
    inner = _normal(counts * ~outside) * n
    outer = _normal(counts * outside)
    truth = labels.clamp_min(0)
    networks, flat, matrices = _flat(_initial(x, truth, inner, classes, conditioned, width, generator))
    mean, square, kept = torch.zeros_like(flat), torch.zeros_like(flat), flat.clone()
    lowest, best = x.new_full((p,), torch.inf), torch.zeros(p, dtype=torch.int64, device=x.device)
    scales, scale = torch.tensor(SCALES, device=x.device), torch.ones(p, device=x.device)
    history = []
    steps, done = epochs * max(1, -(-n // batch)), 0
    for epoch in range(1, epochs + 1):
        for rows in torch.split(torch.randperm(n, generator=generator).to(x.device), batch):
            done += 1
            gradient = torch.cat(_gradients(networks, x[rows], strata[rows], truth[:, rows], inner[:, rows]), 1)
            _adamw(flat, gradient, mean, square, rate * _cycle(done / steps), decay * matrices, done)
        loss, sharp = _loss(networks.logits(x, strata), truth, outer).min(0)
        better = loss < lowest
        scale = torch.where(better, scales[sharp], scale)
        lowest, best = torch.where(better, loss, lowest), torch.where(better, epoch, best)
        history.append(lowest)
        kept = torch.where(better[:, None], flat, kept)
    tail = history[max(0, int(0.8 * epochs) - 1)] - lowest
    flat.copy_(kept)
    for part in (networks.second, networks.offset, networks.skip):
        part.mul_(scale.view(-1, *[1] * (part.dim() - 1)))
    return Trained(networks, lowest, best, tail)


def _normal(counts: Tensor) -> Tensor:
    return counts / counts.sum(1, keepdim=True).clamp_min(1e-12)


def _initial(x: Tensor, truth: Tensor, inner: Tensor, c: int, s: int, h: int, generator: torch.Generator) -> Networks:
    """Random directions of unit output variance, outputs near the log of the class shares."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(x)

    p, r = len(truth), x.shape[1]
    size = float(x.square().sum(1).mean()) or 1.0
    prior = _normal(x.new_zeros(p, c).scatter_add_(1, truth, inner))
    return Networks(
        normal(p, r, h) * (2.0 / size) ** 0.5,
        normal(p, h) * 0.1,
        normal(p, h, c) * h**-0.5 * 0.1,
        prior.clamp_min(1e-7).log(),
        x.new_zeros(p, s, h),
        x.new_zeros(p, s, h),
        x.new_zeros(p, s * min(r, CROSSED), c),
    )


def _gradients(net: Networks, x: Tensor, strata: Tensor, truth: Tensor, weights: Tensor) -> list[Tensor]:
    """Of the mean weighted cross-entropy, in the order of `Networks`, (p, -1) each."""
    p, b = truth.shape
    r, h = net.first.shape[1:]
    hot = one_hot(strata, net.strata).to(x.dtype) if net.strata else x
    raw, crossed = net.raw(x), net.crossed(x, hot)
    hidden = net.hidden(raw, hot)
    out = net.out(hidden, crossed).softmax(2)
    out.scatter_add_(2, truth.unsqueeze(2), out.new_full((p, b, 1), -1.0))
    out *= (weights / b).unsqueeze(2)
    back = torch.bmm(out, net.second.transpose(1, 2)).mul_(hidden > 0)
    second, offset = torch.bmm(hidden.transpose(1, 2), out), out.sum(1)
    conditioning = []
    if net.strata:
        skip = (crossed.T @ out.transpose(0, 1).reshape(b, -1)).view(-1, p, out.shape[2]).transpose(0, 1)
        conditioning = [hot.T @ (back * raw), hot.T @ back, skip]
        back = back * (hot @ net.gain + 1)
    first = (x.T @ back.transpose(0, 1).reshape(b, p * h)).view(r, p, h).transpose(0, 1)
    return [part.reshape(p, -1) for part in (first, back.sum(1), second, offset, *conditioning)]


def _flat(net: Networks) -> tuple[Networks, Tensor, Tensor]:
    """The networks as views of one (p, parameters) tensor, and where in it matrices lie, which decay: biases do not."""
    parts = [net.first, net.bias, net.second, net.offset, net.gain, net.shift, net.skip]
    flat = torch.cat([part.flatten(1) for part in parts], 1)
    views = [
        view.view(part.shape)
        for view, part in zip(torch.split(flat, [part[0].numel() for part in parts], 1), parts, strict=True)
    ]
    matrix = torch.cat([torch.full_like(part[0].flatten(), float(at not in (1, 3))) for at, part in enumerate(parts)])
    return Networks(*views), flat, matrix


def _adamw(flat: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, rate: float, decay: Tensor, step: int) -> None:
    """One step in place."""
    mean.lerp_(gradient, 0.1)
    square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    flat.mul_(1 - rate * decay)
    root = square.sqrt().mul_((1 - 0.999**step) ** -0.5).add_(1e-8)
    flat.addcdiv_(mean, root, value=-rate / (1 - 0.9**step))


def _cycle(share: float) -> float:
    """Linear warm-up over the first 30 % of the steps, then linear to zero."""
    return min(share / 0.3, (1 - share) / 0.7)


def _loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Float[Tensor, "t p"]:
    """Weighted cross-entropy by scale of the logits."""
    losses = []
    for scale in SCALES:
        scaled = logits * scale
        nats = scaled.logsumexp(2) - scaled.gather(2, truth.unsqueeze(2)).squeeze(2)
        losses.append((nats * weights).sum(1))
    return torch.stack(losses)
