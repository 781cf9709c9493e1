"""
Logistic regression, many problems on the same rows in one batched solve.

Each problem has its own labels, row weights and penalties. On whitened columns the Hessian of every problem is below
that of Boehning's bound ("Multinomial logistic regression algorithm", Ann. Inst. Stat. Math. 1992), a multiple of
the identity plus the penalty: a diagonal that preconditions them all. L-BFGS on top; a step is one exact Newton step
along its direction, halved while the objective rises, on logits that are kept, so that it costs no product with x.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

ABSENT = -30.0
"""Logit at which a class without any weight stays."""
BINARY = 2
CALM = 2
"""Steps in a row that must promise next to nothing before a problem counts as solved."""
HALVINGS = 20
CHUNK = 1 << 22
"""Logits in flight at a time."""


@dataclass(frozen=True)
class Fit:
    """The solutions of a batch of problems, p of them, with k columns: one for two classes, else one per class."""

    weights: Float[Tensor, "p k r"]
    bias: Float[Tensor, "p k"]
    decrement: Float[Tensor, " p"]
    """Nats by which the objective still lies above its minimum, as the quasi-Newton model estimates them."""
    converged: Bool[Tensor, " p"]
    iterations: int

    def logits(self, x: Float[Tensor, "n r"]) -> Float[Tensor, "p k n"]:
        """One column of logits per class; for two classes that of the second against the first."""
        p, k, r = self.weights.shape
        flat = torch.addmm(self.bias.reshape(-1, 1), self.weights.reshape(p * k, r), x.T)
        return flat.view(p, k, len(x))

    def probabilities(self, x: Float[Tensor, "n r"]) -> Float[Tensor, "p c n"]:
        """P(class | row)."""
        return probabilities(self.logits(x))

    def part(self, problems: slice) -> "Fit":
        """Some of the problems."""
        return Fit(
            self.weights[problems], self.bias[problems], self.decrement[problems], self.converged[problems],
            self.iterations,
        )  # fmt: skip


def columns(classes: int) -> int:
    """Columns of logits: one for two classes, else one per class."""
    return 1 if classes == BINARY else classes


def probabilities(logits: Float[Tensor, "p k n"]) -> Float[Tensor, "p c n"]:
    """P(class | row) from logits as `Fit.logits` gives them."""
    if logits.shape[1] > 1:
        return logits.softmax(1)
    return torch.cat((torch.sigmoid(-logits), torch.sigmoid(logits)), 1)


def nats(logits: Float[Tensor, "p k n"], truth: Int64[Tensor, " n"]) -> Float[Tensor, "p n"]:
    """Cross-entropy of each row, from logits as `Fit.logits` gives them."""
    if logits.shape[1] == 1:
        return torch.nn.functional.softplus(logits[:, 0] * (1 - 2 * truth))
    return logits.logsumexp(1) - logits.gather(1, truth.expand(len(logits), 1, -1)).squeeze(1)


def fit(
    x: Float[Tensor, "n r"],
    labels: Int64[Tensor, "p n"],
    weights: Float[Tensor, "p n"],
    penalty: Float[Tensor, "p r"],
    classes: int,
    *,
    start: Fit | None = None,
    tolerance: float = 1e-6,
    iterations: int = 200,
    memory: int = 10,
) -> Fit:
    """
    Minimise sum_i w_i CE_i / sum_i w_i + 1/2 sum_j penalty_j |W_j|^2 for each problem; the bias is free.

    The columns of x should have mean 0 and variance about 1; nothing is assumed of them but speed. Rows with label -1
    or weight 0 do not count. Solved when two steps in a row promise less than `tolerance` nats.
    """
    x = torch.cat((x, x.new_ones(len(x), 1)), 1)
    width = max(1, CHUNK // max(1, len(x) * columns(classes)))
    done = [
        _Batch(x, labels[i : i + width], weights[i : i + width], penalty[i : i + width], classes,
               start and start.part(slice(i, i + width))).solve(tolerance, iterations, memory)
        for i in range(0, len(labels), width)
    ]  # fmt: skip
    return Fit(
        torch.cat([part.weights for part in done]),
        torch.cat([part.bias for part in done]),
        torch.cat([part.decrement for part in done]),
        torch.cat([part.converged for part in done]),
        max(part.iterations for part in done),
    )


class _Batch:
    """Problems in lockstep: the last column of x is 1, so the last parameter is the bias; logits are (p, k, n)."""

    def __init__(
        self, x: Tensor, labels: Tensor, weights: Tensor, penalty: Tensor, classes: int, start: Fit | None
    ) -> None:
        p, n = labels.shape
        self.k = columns(classes)
        self.x = x
        share = weights.to(x.dtype) * (labels >= 0)
        share = share / share.sum(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        clean = labels.clamp_min(0)
        self.share = share.unsqueeze(1)
        prior = x.new_zeros(p, classes).scatter_add_(1, clean, share)
        if self.k == 1:
            self.truth = clean.to(x.dtype).unsqueeze(1)
            bias = (prior[:, 1:].clamp_min(1e-13).log() - prior[:, :1].clamp_min(1e-13).log()).clamp(ABSENT, -ABSENT)
        else:
            self.truth = torch.zeros(p, classes, n, dtype=x.dtype, device=x.device).scatter_(1, clean.unsqueeze(1), 1.0)
            bias = torch.where(prior > 0, prior.clamp_min(1e-30).log(), torch.full_like(prior, ABSENT))
        self.parameters = x.new_zeros(p, self.k, x.shape[1])
        self.parameters[..., -1] = bias
        if start is not None:
            self.parameters[..., :-1] = start.weights
            self.parameters[..., -1] = start.bias
        self.penalty = torch.cat((penalty.to(x.dtype), penalty.new_zeros(p, 1).to(x.dtype)), 1).unsqueeze(1)
        self.scaling = 1.0 / (self.penalty + (0.25 if self.k == 1 else 0.5))

    def solve(self, tolerance: float, iterations: int, memory: int) -> Fit:
        """L-BFGS until every problem is solved or `iterations` are spent."""
        total = len(self.parameters)
        final, decrements = self.parameters.clone(), self.parameters.new_full((total,), torch.inf)
        alive = torch.arange(total, device=self.x.device)
        logits = self._product(self.parameters)
        chance = self._chance(logits)
        value, gradient = self._value(self.parameters, logits), self._gradient(chance)
        pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        calm = torch.zeros(total, dtype=torch.int64, device=self.x.device)
        used = 0
        while used < iterations:
            used += 1
            direction, slope = self._descent(gradient, pairs)
            moved = self._product(direction)
            step = slope / self._curvature(direction, moved, chance).clamp_min(torch.finfo(self.x.dtype).tiny)
            step, logits, value = self._step(step, direction, slope, moved, logits, value)
            change = step[:, None, None] * direction
            self.parameters = self.parameters + change
            chance = self._chance(logits)
            before, gradient = gradient, self._gradient(chance)
            bend = gradient - before
            inner = (change * bend).sum((1, 2))
            pairs = [*pairs, (change, bend, torch.where(inner > 0, 1 / inner.clamp_min(1e-30), 0.0))][-memory:]
            promise = 0.5 * step * slope
            calm = torch.where(promise < tolerance, calm + 1, 0)
            final[alive], decrements[alive] = self.parameters, promise
            going = calm < CALM
            if not going.any():
                break
            if going.sum() <= 0.7 * len(going):
                keep = going.nonzero().squeeze(1)
                alive, calm, value = alive[keep], calm[keep], value[keep]
                logits, chance, gradient = logits[keep], chance[keep], gradient[keep]
                pairs = [(s[keep], y[keep], rho[keep]) for s, y, rho in pairs]
                self._keep(keep)
        bias = final[..., -1]
        bias = bias - bias.mean(1, keepdim=True) if self.k > 1 else bias
        return Fit(final[..., :-1], bias, decrements, decrements < tolerance, used)

    def _descent(self, gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """A direction and how steeply the objective falls along it; the preconditioned gradient where L-BFGS rises."""
        direction = self._direction(gradient, pairs)
        slope = -(direction * gradient).sum((1, 2))
        rising = ~(slope > 0)
        if rising.any():
            direction[rising] = -(self.scaling * gradient)[rising]
            slope = -(direction * gradient).sum((1, 2))
        return direction, slope

    def _step(
        self, step: Tensor, direction: Tensor, slope: Tensor, moved: Tensor, logits: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The step, halved where the objective would not fall, with the logits and the objective it leads to."""
        noise = 4 * torch.finfo(self.x.dtype).eps * value.abs().clamp_min(1e-3)
        for halving in range(HALVINGS):
            trial = logits + step[:, None, None] * moved
            reached = self._value(self.parameters + step[:, None, None] * direction, trial)
            worse = ~(reached <= value - 1e-4 * step * slope + noise)
            if not worse.any() or halving == HALVINGS - 1:
                break
            step = torch.where(worse, step / 2, step)
        return step, trial, reached

    def _keep(self, keep: Tensor) -> None:
        for name in ("share", "truth", "parameters", "penalty", "scaling"):
            setattr(self, name, getattr(self, name)[keep])

    def _product(self, parameters: Tensor) -> Tensor:
        p, k, r = parameters.shape
        return (parameters.reshape(p * k, r) @ self.x.T).view(p, k, -1)

    def _chance(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits) if self.k == 1 else logits.softmax(1)

    def _gradient(self, chance: Tensor) -> Tensor:
        p, k, n = chance.shape
        residual = (chance - self.truth).mul_(self.share)
        return (residual.view(p * k, n) @ self.x).view(p, k, -1).addcmul_(self.penalty, self.parameters)

    def _value(self, parameters: Tensor, logits: Tensor) -> Tensor:
        if self.k == 1:
            loss = torch.nn.functional.softplus(logits) - logits * self.truth
        else:
            loss = logits.logsumexp(1, keepdim=True) - (logits * self.truth).sum(1, keepdim=True)
        return (loss * self.share).sum((1, 2)) + 0.5 * (self.penalty * parameters.square()).sum((1, 2))

    def _curvature(self, direction: Tensor, moved: Tensor, chance: Tensor) -> Tensor:
        if self.k == 1:
            spread = chance * (1 - chance) * moved.square()
        else:
            spread = (chance * moved.square()).sum(1, keepdim=True) - (chance * moved).sum(1, keepdim=True).square()
        return (spread * self.share).sum((1, 2)) + (self.penalty * direction.square()).sum((1, 2))

    def _direction(self, gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        q = -gradient
        turns = []
        for change, bend, rho in reversed(pairs):
            turn = rho * (change * q).sum((1, 2))
            q = q - turn[:, None, None] * bend
            turns.append(turn)
        q = self.scaling * q
        for (change, bend, rho), turn in zip(pairs, reversed(turns), strict=True):
            q = q + (turn - rho * (bend * q).sum((1, 2)))[:, None, None] * change
        return q
