"""
Perceptrons of one hidden layer, many at once on the same rows: hand-written gradients, AdamW, one-cycle schedule.

AdamW is that of Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019; the schedule that of
Smith and Topin, "Super-convergence", 2018. Each network has its own labels, row weights and held-out rows, and keeps
the weights with the lowest held-out loss it met.

A network may be conditioned on a known class (the target class): its hidden units are then shifted and scaled per
class, h = relu((x W + b) * (1 + G[class]) + U[class]), so that one unit can look for opposite signs in two classes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class Networks:
    """Parameters of p networks, hidden width h, c classes, s strata to be conditioned on."""

    first: Float[Tensor, "p r h"]
    bias: Float[Tensor, "p h"]
    gain: Float[Tensor, "p s h"]
    shift: Float[Tensor, "p s h"]
    second: Float[Tensor, "p h c"]
    offset: Float[Tensor, "p c"]

    def tensors(self) -> list[Tensor]:
        """All parameters."""
        return [self.first, self.bias, self.gain, self.shift, self.second, self.offset]

    def hidden(self, x: Tensor, strata: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations before conditioning, and the hidden layer: (p, n, h) each."""
        p, r, h = self.first.shape
        flat = x @ self.first.transpose(0, 1).reshape(r, p * h)
        raw = flat.view(len(x), p, h).transpose(0, 1) + self.bias[:, None]
        return raw, torch.relu(raw * (1 + self.gain[:, strata]) + self.shift[:, strata])

    def logits(self, x: Float[Tensor, "n r"], strata: Int64[Tensor, " n"]) -> Float[Tensor, "p n c"]:
        """One logit per class."""
        _, hidden = self.hidden(x, strata)
        return torch.baddbmm(self.offset[:, None], hidden, self.second)


@dataclass(frozen=True)
class Trained:
    """Networks at their best epoch."""

    networks: Networks
    loss: Float[Tensor, " p"]
    """Lowest weighted held-out cross-entropy, in nats."""
    best: Int64[Tensor, " p"]
    """The epoch it was met in, counted from 1."""
    settled: Bool[Tensor, " p"]
    """Whether the last tenth of the epochs lowered the held-out loss by less than 1 % of what all epochs did."""


def train(
    x: Float[Tensor, "n r"],
    strata: Int64[Tensor, " n"],
    labels: Int64[Tensor, "p n"],
    weights: Float[Tensor, "p n"],
    outside: Bool[Tensor, "p n"],
    conditioned: Bool[Tensor, " p"],
    classes: int,
    *,
    generator: torch.Generator,
    width: int,
    epochs: int,
    batch: int,
    rate: float,
    decay: float,
) -> Trained:
    """Train on the rows not `outside`, choose the epoch on those that are."""
    p, n = labels.shape
    strata_count = int(strata.max()) + 1 if n else 1
    counts = weights * (labels >= 0)
    inner = counts * ~outside
    inner = inner / (inner.sum(1, keepdim=True) / n).clamp_min(1e-12)
    outer = counts * outside
    outer = outer / outer.sum(1, keepdim=True).clamp_min(1e-12)
    truth = labels.clamp_min(0)
    networks = _initial(p, x.shape[1], width, classes, strata_count, inner, truth, generator, x)
    parameters = networks.tensors()
    decays = (decay, 0.0, decay, decay, decay, 0.0)
    state = [(torch.zeros_like(t), torch.zeros_like(t)) for t in parameters]
    mask = conditioned.to(x.dtype)[:, None, None]
    kept = [t.clone() for t in parameters]
    lowest = x.new_full((p,), torch.inf)
    best = torch.zeros(p, dtype=torch.int64, device=x.device)
    history: list[Tensor] = []
    steps = epochs * max(1, -(-n // batch))
    done = 0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(n, generator=generator).to(x.device)
        for rows in order.split(batch):
            done += 1
            gradients = _gradients(networks, x[rows], strata[rows], truth[:, rows], inner[:, rows], mask)
            _adamw(parameters, gradients, state, decays, rate * _cycle(done / steps), done)
        loss = _loss(networks.logits(x, strata), truth, outer)
        history.append(torch.minimum(loss, history[-1]) if history else loss)
        better = loss < lowest
        lowest, best = torch.where(better, loss, lowest), torch.where(better, epoch, best)
        for store, now in zip(kept, parameters, strict=True):
            store[better] = now[better]
    tail = history[max(0, int(0.9 * epochs) - 1)] - history[-1]
    settled = tail <= 0.01 * (history[0] - history[-1]).clamp_min(1e-3)
    return Trained(Networks(*kept), lowest, best, settled)


def _initial(
    p: int, r: int, h: int, c: int, s: int, inner: Tensor, truth: Tensor, generator: torch.Generator, x: Tensor
) -> Networks:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(x)

    size = float(x.square().sum(1).mean().clamp_min(1e-12)) if len(x) else 1.0
    prior = x.new_zeros(p, c).scatter_add_(1, truth, inner)
    prior = prior / prior.sum(1, keepdim=True).clamp_min(1e-12)
    return Networks(
        normal(p, r, h) * (2.0 / size) ** 0.5,
        normal(p, h) * 0.1,
        x.new_zeros(p, s, h),
        x.new_zeros(p, s, h),
        normal(p, h, c) * h**-0.5 * 0.1,
        prior.clamp_min(1e-7).log(),
    )


def _gradients(net: Networks, x: Tensor, strata: Tensor, truth: Tensor, weights: Tensor, mask: Tensor) -> list[Tensor]:
    p, b = truth.shape
    r, h = net.first.shape[1:]
    raw, hidden = net.hidden(x, strata)
    out = torch.baddbmm(net.offset[:, None], hidden, net.second).softmax(2)
    out.scatter_add_(2, truth.unsqueeze(2), out.new_full((p, b, 1), -1.0))
    out *= (weights / b).unsqueeze(2)
    second = hidden.transpose(1, 2) @ out
    back = (out @ net.second.transpose(1, 2)) * (hidden > 0)
    onehot = torch.nn.functional.one_hot(strata, net.gain.shape[1]).to(x.dtype)
    shift = onehot.T @ back * mask
    gain = onehot.T @ (back * raw) * mask
    back = back * (1 + net.gain[:, strata])
    first = (x.T @ back.transpose(0, 1).reshape(b, p * h)).view(r, p, h).transpose(0, 1)
    return [first, back.sum(1), gain, shift, second, out.sum(1)]


def _adamw(
    parameters: list[Tensor],
    gradients: list[Tensor],
    state: list[tuple[Tensor, Tensor]],
    decays: tuple[float, ...],
    rate: float,
    step: int,
) -> None:
    for now, gradient, (mean, square), decay in zip(parameters, gradients, state, decays, strict=True):
        mean.lerp_(gradient, 0.1)
        square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        now.mul_(1 - rate * decay)
        root = square.sqrt().mul_((1 - 0.999**step) ** -0.5).add_(1e-8)
        now.addcdiv_(mean, root, value=-rate / (1 - 0.9**step))


def _cycle(share: float) -> float:
    """Linear warm-up over the first third, then linear to zero."""
    return min(share / 0.3, (1 - share) / 0.7 + 1e-3)


def _loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    nats = logits.logsumexp(2) - logits.gather(2, truth.unsqueeze(2)).squeeze(2)
    return (nats * weights).sum(1)
