"""
Perceptrons of one hidden layer on a few directions, many at once on the same rows: hand-written gradients and AdamW.

A network sees its rows along k directions, which begin where the classes differ and are trained with the rest; that is
a multi-index model. With r inputs it costs and errs like k r parameters, not like r times its width. Conditioned on a
known class (the target class), each class has its own gate on the directions, its own shift of the hidden units and its
own offset: one direction can pull to opposite sides in two classes.

    s = (x P) * gate[class],   logits = relu(s M + b + shift[class]) A + s B + (sqrt(1 + s^2) - 1) C + offset[class]

Steps are in proportion to the size of each matrix's columns.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from leakaudit.numerics.adamw import adamw, cycle
from leakaudit.numerics.deck import Deck, Rows
from leakaudit.numerics.directions import Directions
from leakaudit.numerics.shares import beside, shares

SCALES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Factors on the logits, chosen on held-out rows: one that ranks well but is too sure of itself is not at a loss."""
PERIODS = 10
"""How often the held-out loss is looked at."""
SHARE = 0.05
"""Decay of the other matrices, over that of the directions."""
SURE = 1000
"""Rows of each class conditioned on from which its offset takes whole steps."""
CEILING = 9.0
"""Nats that one held-out row counts at most, lest it decide alone."""
BOWL = 4.0
"""Steps of the weights of the bowls sqrt(1 + s^2) - 1, over those of the hyperplane."""
BLOCK = 1 << 22
"""Numbers of a hidden layer held at a time."""


@dataclass(frozen=True)
class Networks:
    """
    Parameters of p networks: k directions, hidden width h, c classes, conditioned on s classes (none: 1).

    Gates and shift may be the same for all classes, where `offset` has `t` of its own.
    """

    vectors: Float[Tensor, "p k r"]
    gates: Float[Tensor, "p s k"]
    mix: Float[Tensor, "p k h"]
    bias: Float[Tensor, "p h"]
    shift: Float[Tensor, "p s h"]
    second: Float[Tensor, "p h c"]
    skip: Float[Tensor, "p k c"]
    bowl: Float[Tensor, "p k c"]
    offset: Float[Tensor, "p t c"]

    def logits(self, x: Float[Tensor, "n r"], hot: Float32[Tensor, "n s"]) -> Float[Tensor, "p n c"]:
        """One logit per class."""
        p, _, h = self.mix.shape
        size = max(1, BLOCK // (p * max(h, self.second.shape[2])))
        parts = [self.forward(*each).logits for each in zip(x.split(size), hot.split(size), strict=True)]
        return torch.cat(parts, 1)

    def forward(self, x: Float[Tensor, "*p b r"], hot: Float32[Tensor, "*q b s"]) -> "Layers":
        """All layers of a batch: the same rows for all networks, or rows of its own for each."""
        p, k, r = self.vectors.shape
        if x.dim() == self.vectors.dim():
            seen = torch.bmm(x, self.vectors.transpose(1, 2))
        else:
            seen = (x @ self.vectors.view(p * k, r).T).view(len(x), p, k).transpose(0, 1)
        gates, shift, offset = (
            part if part.shape[1] == 1 else hot @ part for part in (self.gates, self.shift, self.offset)
        )
        gated = seen * gates
        hidden = torch.baddbmm(self.bias[:, None] + shift, gated, self.mix).relu_()
        root = torch.addcmul(gated.new_ones(()), gated, gated).sqrt_()
        logits = torch.baddbmm(offset, hidden, self.second)
        logits.baddbmm_(gated, self.skip).baddbmm_(root - 1, self.bowl)
        return Layers(seen, gates, gated, root, hidden, logits)

    def take(self, rows: Int64[Tensor, " q"]) -> "Networks":
        """Some of the networks."""
        return Networks(**{name: part[rows] for name, part in vars(self).items()})


class Layers(NamedTuple):
    """What networks make of a batch."""

    seen: Float[Tensor, "p b k"]
    gates: Float[Tensor, "p _ k"]
    gated: Float[Tensor, "p b k"]
    root: Float[Tensor, "p b k"]
    hidden: Float[Tensor, "p b h"]
    logits: Float[Tensor, "p b c"]


class Plan(NamedTuple):
    """How networks are trained."""

    width: int
    epochs: int
    batch: int
    rate: float
    decay: float
    looks: tuple[int, ...]
    """Tenths of the training after which the held-out loss is looked at; from the eighth on its fall is told."""


@dataclass(frozen=True)
class Trained:
    """Networks at their best period, or at the one asked for."""

    networks: Networks
    loss: Float[Tensor, " p"]
    """Lowest weighted held-out cross-entropy, in nats."""
    best: Int64[Tensor, " p"]
    """The period it was met in, counted from 1, of `PERIODS`."""
    scale: Float[Tensor, " p"]
    """By which the logits were multiplied in `networks`."""
    tail: Float[Tensor, " p"]
    """Nats by which the last fifth of the training lowered the held-out loss."""


def train(
    inside: Rows, outside: Rows | None, begin: Directions, prior: Float[Tensor, "p t c"] | None, classes: int,
    plan: Plan, *, generator: torch.Generator,
    stop: Int64[Tensor, " p"] | None = None, scale: Float[Tensor, " p"] | None = None,
) -> Trained:  # fmt: skip
    """
    Train on the rows `inside`, choose period and scale on those `outside`, or take `stop` and `scale` as given.

    `prior` is added to the logits of each class in training and choice, and left out of the networks: what the weights
    make of the classes' shares.
    """
    inside, outside = inside.counting(generator), None if outside is None else outside.counting()
    networks, flat, table = _begin(inside, begin, prior, classes, plan, generator)
    state = [(values, torch.zeros_like(values), torch.zeros_like(values)) for values in (networks.vectors, flat)]
    deck = Deck(inside, plan.batch, generator)
    steps = max(PERIODS, plan.epochs * (deck.size // deck.batch))
    ends = [steps * period // PERIODS for period in range(1, PERIODS + 1)]
    held = None if outside is None else Deck(outside, 1, generator).every()
    keep = _Keep(networks, flat, held, stop, scale)
    last = steps if stop is None else ends[max(1, int(stop.max())) - 1]
    for step in range(1, last + 1):
        part = deck.deal()
        now = plan.rate * cycle(step / steps)
        for (values, mean, square), gradient, (rates, decays) in zip(
            state, _gradients(networks, part, prior), table, strict=True
        ):
            adamw(values, gradient, mean, square, now * rates, now * plan.decay * decays, step)
        if step in ends and ends.index(step) + 1 in plan.looks:
            keep.look(ends.index(step) + 1, prior)
    return keep.finish()


class _Keep:
    """The best so far, or what was asked for."""

    def __init__(
        self, networks: Networks, flat: Tensor, outside: Rows | None, stop: Tensor | None, scale: Tensor | None
    ) -> None:
        p = len(flat)
        self.networks, self.flat, self.stop, self.outside = networks, flat, stop, outside
        self.kept = networks.vectors.clone(), flat.clone()
        self.scale = flat.new_ones(p) if scale is None else scale
        self.lowest, self.best = flat.new_full((p,), torch.inf), torch.zeros(p, dtype=torch.int64, device=flat.device)
        self.before = self.lowest

    def look(self, period: int, prior: Tensor | None) -> None:
        """Keep the networks for which this period is the best, or the one asked for."""
        if self.outside is None or self.stop is not None:
            better = torch.full_like(self.best, period) == (PERIODS if self.stop is None else self.stop)
            self.lowest = torch.where(better, 0.0, self.lowest)
        else:
            loss, sharp = _loss(
                self.networks.forward(self.outside.x, self.outside.hot).logits, self.outside, prior
            ).min(0)
            better = loss < self.lowest
            self.scale = torch.where(better, torch.tensor(SCALES, device=loss.device)[sharp], self.scale)
            self.lowest = torch.where(better, loss, self.lowest)
        self.best = torch.where(better, period, self.best)
        self.before = self.lowest if period <= PERIODS - PERIODS // 5 else self.before
        vectors, flat = self.kept
        self.kept = (
            torch.where(better[:, None, None], self.networks.vectors, vectors),
            torch.where(better[:, None], self.flat, flat),
        )

    def finish(self) -> Trained:
        """The networks kept, their logits scaled."""
        self.networks.vectors.copy_(self.kept[0])
        self.flat.copy_(self.kept[1])
        for part in (self.networks.second, self.networks.skip, self.networks.bowl, self.networks.offset):
            part.mul_(self.scale[:, None, None])
        return Trained(self.networks, self.lowest, self.best, self.scale, self.before - self.lowest)


def _begin(
    inside: Rows, begin: Directions, prior: Tensor | None, classes: int, plan: Plan, generator: torch.Generator
) -> tuple[Networks, Tensor, list[tuple[Tensor, Tensor]]]:
    """Networks, all but their directions as views of one tensor, and of both the steps and the decay."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(inside.x)

    p, k, r = begin.vectors.shape
    s, h, c, zeros = inside.hot.shape[1], plan.width, classes, inside.x.new_zeros
    gates = begin.gates if begin.gates.shape[1] else inside.x.new_ones(p, 1, k)
    own = gates.shape[1]
    small, once = SHARE, float(own > 1)
    parts = (  # values, step, decay
        (gates, 0.3 * once, 0.0),
        (normal(p, k, h) * (2 / max(k, 1)) ** 0.5, max(k, 1) ** -0.5, small),
        (normal(p, h) * 0.5, 1.0, 0.0),
        (zeros(p, own, h), 0.3 * once, small),
        (normal(p, h, c) * (0.1 * h**-0.5), h**-0.5, small),
        (zeros(p, k, c), max(k, 1) ** -0.5, small),
        (zeros(p, k, c), BOWL * max(k, 1) ** -0.5, small),
        (shares(inside, prior, c).log(), 1.0 if s == 1 else min(1.0, inside.labels.shape[1] / (SURE * s)), 0.0),
    )
    flat = torch.cat([values.flatten(1) for values, _, _ in parts], 1)
    sizes = [values[0].numel() for values, _, _ in parts]
    views = [
        view.view(values.shape)
        for view, (values, _, _) in zip(flat.split(sizes, 1), parts, strict=True)
    ]  # fmt: skip
    rates, decays = (
        torch.cat([torch.full((size,), each[at]) for size, each in zip(sizes, parts, strict=True)]).to(flat)
        for at in (1, 2)
    )
    one = flat.new_ones(())
    table = [(one * max(r, 1) ** -0.5, one), (rates, decays)]
    return Networks(begin.vectors.clone().contiguous(), *views), flat, table


def _gradients(net: Networks, rows: Rows, prior: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of the weighted cross-entropy: for the directions, (p, k, r), and for the others in their order, (p, -1)."""
    x, hot, strata, labels, weights = rows
    p, k, r = net.vectors.shape
    seen, gates, gated, root, hidden, logits = net.forward(x, hot)
    out = (logits if prior is None else logits + beside(prior, strata)).softmax(2)
    out.scatter_add_(2, labels.unsqueeze(2), out.new_full((), -1.0).expand(*labels.shape, 1))
    out *= weights.unsqueeze(2)
    back = torch.bmm(out, net.second.transpose(1, 2))
    back = torch.ops.aten.threshold_backward(back, hidden, 0.0)
    turned = hot.transpose(-1, -2)

    def by_class(part: Tensor, value: Tensor) -> Tensor:
        return value.sum(1) if part.shape[1] == 1 else turned @ value

    onto = torch.baddbmm(torch.bmm(out, net.skip.transpose(1, 2)), back, net.mix.transpose(1, 2))
    onto.addcmul_(torch.bmm(out, net.bowl.transpose(1, 2)), gated / root)
    pulled = (onto * gates).transpose(1, 2)
    first = torch.bmm(pulled, x) if x.dim() == pulled.dim() else (pulled.reshape(p * k, len(x)) @ x).view(p, k, r)
    rest = (
        by_class(net.gates, onto * seen), gated.transpose(1, 2) @ back, back.sum(1), by_class(net.shift, back),
        hidden.transpose(1, 2) @ out, gated.transpose(1, 2) @ out, (root - 1).transpose(1, 2) @ out,
        by_class(net.offset, out),
    )  # fmt: skip
    return first, torch.cat([part.reshape(p, -1) for part in rest], 1)


def _loss(logits: Tensor, rows: Rows, prior: Tensor | None) -> Float[Tensor, "t p"]:
    """Weighted cross-entropy by scale of the logits."""
    losses = []
    told = 0.0 if prior is None else beside(prior, rows.strata)
    for scale in SCALES:
        scaled = logits * scale + told
        nats = scaled.logsumexp(2) - scaled.gather(2, rows.labels.unsqueeze(2)).squeeze(2)
        losses.append((nats.clamp_max(CEILING) * rows.weights).sum(1))
    return torch.stack(losses)
