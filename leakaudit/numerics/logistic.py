"""
Logistic regression, many problems on the same rows in one batched solve, with a proof of how far each is from done.

L-BFGS in lockstep (Nocedal, Math. Comp. 1980) with a preconditioner that all problems share: the Hessian of each is
below a multiple of the covariance of the columns plus its penalty (Boehning, Ann. Inst. Stat. Math. 1992), a diagonal
on whitened columns, a Cholesky factor where a Gram is given. A step is one sweep over the rows; one that overshoots
is not taken, only learnt from. With the bias at its best the objective is strongly convex by its penalty alone, so
that it lies at most sum_j g_j^2 / (2 penalty_j) above its minimum, which is also the duality gap.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from leakaudit.numerics.preconditioner import Preconditioner
from leakaudit.numerics.strata import Strata, StrataSweep
from leakaudit.numerics.sweeps import BINARY, WIDEST, Blocks, Labels, Lens, Sweep

ABSENT = 30.0
"""Size of the logit at which a class without any weight stays."""
OVERSHOT = 0.5
"""A step is taken unless the objective rises behind it by more than this share of how it fell before it."""
STALE = 30
"""Sweeps without halving the bound after which a problem is given up."""
COLUMNS = 160
"""Columns of logits solved at a time on a CPU."""
CARD = 8192
"""The same on a GPU."""


@dataclass(frozen=True)
class Fit:
    """The solutions of a batch of problems, p of them, with k columns: one for two classes, else one per class."""

    weights: Float[Tensor, "p k r"]
    bias: Float[Tensor, "p k"]
    gap: Float[Tensor, " p"]
    """Nats by which the objective lies above its minimum: at most, if asked `proven`, else as the model estimates."""
    converged: Bool[Tensor, " p"]
    iterations: int
    """Sweeps over the rows."""

    def logits(self, x: Float[Tensor, "n r"]) -> Float[Tensor, "p k n"]:
        """One column of logits per class; for two classes that of the second against the first."""
        p, k, r = self.weights.shape
        flat = torch.addmm(self.bias.reshape(-1, 1), self.weights.reshape(p * k, r), x.T)
        return flat.view(p, k, len(x))

    def probabilities(self, x: Float[Tensor, "n r"]) -> Float[Tensor, "p c n"]:
        """P(class | row)."""
        return probabilities(self.logits(x))

    def part(self, problems: slice | Int64[Tensor, " s"]) -> "Fit":
        """Some of the problems."""
        return Fit(
            self.weights[problems], self.bias[problems], self.gap[problems], self.converged[problems], self.iterations
        )

    def raw(self, lens: Lens) -> "Fit":
        """The same logits, by weights on the columns that the lens looks at."""
        p, k, r = self.weights.shape
        weights, bias = lens.fold(self.weights.reshape(p * k, r), self.bias.reshape(-1))
        return replace(self, weights=weights.view(p, k, -1), bias=bias.view(p, k))


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
    x: Float[Tensor, "n d"] | Blocks,
    labels: Int[Tensor, "q n"],
    weights: Float[Tensor, "q n"] | None,
    penalty: Float[Tensor, "p r"],
    classes: int,
    *,
    of: Int64[Tensor, " p"] | None = None,
    lens: Lens | None = None,
    gram: Float[Tensor, "r r"] | None = None,
    strata: Strata | None = None,
    start: Fit | None = None,
    tolerance: float = 1e-5,
    proven: bool = True,
    iterations: int = 300,
    memory: int = 10,
) -> Fit:
    """
    Minimise sum_i w_i CE_i / sum_i w_i + 1/2 sum_j penalty_j |W_j|^2 for each problem; the bias is free.

    Problem i asks the labels and weights of row `of[i]`, its own where `of` is None. Through a `lens` the columns are
    those it shows. Columns without `gram` should have mean 0, variance about 1 and little correlation; with their
    `gram`, an estimate of their covariance, they may be correlated. Neither is assumed of them but for speed. Rows with
    label -1 or weight 0 do not count; a column with an infinite penalty stays out. With `strata` the columns are what
    those make of x, and r counts them. Solved when the gap is below `tolerance` nats: proven, else in two steps' own
    estimate.
    """
    of = torch.arange(len(labels), device=labels.device) if of is None else of
    width = max(1, (CARD if labels.is_cuda else COLUMNS) // columns(classes))
    asked = Labels(labels, weights, of, classes)
    if strata is None:
        sweep: Sweep | StrataSweep = Sweep(x, asked, lens)
    else:
        assert isinstance(x, Tensor)
        assert lens is None
        sweep = StrataSweep(x, asked, strata)
    dtype = x.dtype if isinstance(x, Tensor) else torch.float32
    base = gram if strata is None else strata.root.to(dtype)
    solver = _Solver(sweep, base, dtype, (tolerance, proven, iterations, memory))
    done = [
        solver.solve(of[i : i + width], penalty[i : i + width], start and start.part(slice(i, i + width)))
        for i in range(0, len(of), width)
    ]
    return Fit(
        torch.cat([part.weights for part in done]),
        torch.cat([part.bias for part in done]),
        torch.cat([part.gap for part in done]),
        torch.cat([part.converged for part in done]),
        max(part.iterations for part in done),
    )


class _Chunk:
    """Where the problems that are solved together stand; one row each, parameters flat: k times (weights, bias)."""

    def __init__(self, at: Tensor, penalty: Tensor, total: Tensor, of: Tensor) -> None:
        self.at, self.of, self.total = at, of, total
        """Parameters, the question asked, its total weight."""
        self.out = torch.isinf(penalty)
        self.penalty = torch.where(self.out, 0.0, penalty)
        self.number = torch.arange(len(at), device=at.device)
        one = torch.ones_like(total)
        self.gradient, self.bend = at, at
        """Of the objective at `at`, and the curvature along the biases."""
        self.scale, self.promise = one, one * torch.inf
        """Curvature over what the preconditioner takes it for; what the last step promised, in nats."""
        self.bound, self.least = one * torch.inf, one * torch.inf
        self.stale = torch.zeros_like(of)
        self.calm, self.polish = torch.zeros_like(of), torch.zeros_like(of, dtype=torch.bool)
        """Steps in a row of little promise; whether only the bias is still to move."""

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the problems."""
        for name, value in vars(self).items():
            setattr(self, name, value[rows])


class _Solver:
    """The rows and what is asked of them, and the preconditioner's base, for chunk after chunk of problems."""

    def __init__(
        self, sweep: Sweep | StrataSweep, base: Tensor | None, dtype: torch.dtype, how: tuple[float, bool, int, int]
    ) -> None:
        self.sweep, self.k, self.base, self.dtype = sweep, sweep.k, base, dtype
        self.tolerance, self.proven, self.iterations, self.memory = how
        self.prior, self.total = (table.to(dtype) for table in sweep.asked.prior())

    def solve(self, of: Tensor, penalty: Tensor, start: Fit | None) -> Fit:
        """Step until every problem is solved, given up or out of sweeps."""
        chunk = _Chunk(self._begin(of, penalty, start), penalty.to(self.dtype), self.total[of], of)
        hold = Preconditioner(self._curvature(of), chunk.penalty, chunk.out, self.base)
        final = chunk.at.clone()
        gap, solved = chunk.bound.clone(), torch.zeros_like(chunk.polish)
        chunk.gradient, chunk.bend = self._measure(chunk, chunk.at)
        pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        used = 1
        while used < self.iterations:
            used += 1
            step = self._direction(chunk, pairs, hold)
            pairs = [*pairs, self._move(chunk, step, hold)][-self.memory :]
            done = chunk.polish & (chunk.bound <= self.tolerance) if self.proven else chunk.calm > 1
            value = chunk.bound if self.proven else chunk.promise
            final[chunk.number], gap[chunk.number], solved[chunk.number] = chunk.at, value, done
            going = ~(done | (chunk.stale > STALE))
            left = int(going.sum())
            if not left:
                break
            if left <= 0.7 * len(going):
                rows = going.nonzero().squeeze(1)
                chunk.keep(rows)
                hold.keep(rows)
                pairs = [(s[rows], y[rows], rho[rows]) for s, y, rho in pairs]
        table = final.view(len(final), self.k, -1)
        bias = table[..., -1]
        bias = bias - bias.mean(1, keepdim=True) if self.k > 1 else bias
        return Fit(table[..., :-1], bias, gap, solved, used)

    def _begin(self, of: Tensor, penalty: Tensor, start: Fit | None) -> Tensor:
        """Parameters to start from: none but the bias of the classes' shares, or those given."""
        at = self.prior.new_zeros(len(of), self.k, penalty.shape[1] + 1)
        if start is not None:
            at[..., :-1], at[..., -1] = start.weights, start.bias
        elif self.k == 1:
            no, yes = self.prior[of].clamp_min(1e-13).log().unbind(1)
            at[..., 0, -1] = (yes - no).clamp(-ABSENT, ABSENT)
        else:
            at[..., -1] = self.prior[of].clamp_min(1e-30).log().clamp_min(-ABSENT)
        return at.flatten(1)

    def _curvature(self, of: Tensor) -> Tensor:
        """Mean curvature of the cross-entropy along logits, at the classes' shares."""
        return (
            (1 - self.prior[of].square().sum(1)) / (1 if self.k == 1 else self.k - 1) / (2 if self.k == 1 else 1)
        ).clamp_min(0.01)

    def _measure(self, chunk: _Chunk, at: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of the objective and the curvature along the biases; one sweep."""
        table = at.view(len(at), self.k, -1)
        slope, lean, bend = self.sweep(table[..., :-1].contiguous(), table[..., -1].contiguous(), chunk.of)
        total = chunk.total.clamp_min(torch.finfo(self.dtype).tiny)[:, None, None]
        slope = slope / total + chunk.penalty[:, None] * table[..., :-1]
        slope.masked_fill_(chunk.out[:, None], 0.0)
        return torch.cat((slope, lean[..., None] / total), 2).flatten(1), bend / total

    def _direction(self, chunk: _Chunk, pairs: list[tuple[Tensor, Tensor, Tensor]], hold: Preconditioner) -> Tensor:
        """The quasi-Newton step; where only the bias is to move, its own Newton step."""
        q = -chunk.gradient
        turns = []
        for change, bend, rho in reversed(pairs):
            turn = rho * torch.linalg.vecdot(change, q)
            q = torch.addcmul(q, turn[:, None], bend, value=-1)
            turns.append(turn)
        q = hold(q, chunk.scale, self.k)
        for (change, bend, rho), turn in zip(pairs, reversed(turns), strict=True):
            q = torch.addcmul(q, (turn - rho * torch.linalg.vecdot(bend, q))[:, None], change)
        if self.proven:
            table = chunk.gradient.view(len(q), self.k, -1)
            alone = torch.zeros_like(table)
            alone[..., -1] = -_newton(chunk.bend, table[..., -1])
            q = torch.where(chunk.polish[:, None], alone.flatten(1), q)
        return q

    def _move(self, chunk: _Chunk, step: Tensor, hold: Preconditioner) -> tuple[Tensor, Tensor, Tensor]:
        """Take the step where it does not overshoot, and learn from it in any case."""
        fall = -torch.linalg.vecdot(chunk.gradient, step)
        gradient, bend = self._measure(chunk, chunk.at + step)
        taken = torch.linalg.vecdot(gradient, step) <= OVERSHOT * fall + 1e-4 * self.tolerance
        change = gradient - chunk.gradient
        inner = torch.linalg.vecdot(step, change)
        sound = inner > torch.finfo(self.dtype).tiny
        chunk.scale = torch.where(sound & ~chunk.polish, hold.scale(step, change, self.k), chunk.scale)
        before = chunk.gradient
        chunk.at = torch.where(taken[:, None], chunk.at + step, chunk.at)
        chunk.gradient = torch.where(taken[:, None], gradient, chunk.gradient)
        chunk.bend = torch.where(taken[:, None, None], bend, chunk.bend)
        chunk.promise = torch.where(taken, fall.abs() / 2, torch.inf)
        chunk.calm = torch.where(chunk.promise < self.tolerance, chunk.calm + 1, 0)
        if self.proven:
            self._prove(chunk, before, taken & chunk.polish)
        return step, change, torch.where(sound, 1 / inner.clamp_min(torch.finfo(self.dtype).tiny), 0.0)

    def _prove(self, chunk: _Chunk, before: Tensor, polished: Tensor) -> None:
        """
        Bound the gap where the bias has just moved alone: what the weights' gradient changed with it shows the rest.

        Elsewhere only say whether the weights' part of the bound would do, so that the bias may move.
        """
        table, old = (flat.view(len(flat), self.k, -1) for flat in (chunk.gradient, before))
        weight = chunk.penalty.clamp_min(torch.finfo(self.dtype).tiny).rsqrt()[:, None]
        size = (table[..., :-1] * weight).flatten(1).norm(dim=1)
        moved = ((table - old)[..., :-1] * weight).flatten(1).norm(dim=1)
        lean, was = table[..., -1], old[..., -1]
        rest = lean.norm(dim=1) / (was - lean).norm(dim=1).clamp_min(torch.finfo(self.dtype).tiny)
        rest = torch.where(moved > 0, rest, 0.0)
        bias = (lean * _newton(chunk.bend, lean)).sum(1)
        chunk.bound = torch.where(polished, 0.5 * (size + 2 * rest * moved).square() + bias, torch.inf)
        chunk.polish = 0.5 * size.square() <= self.tolerance
        better = 0.5 * size.square() < 0.5 * chunk.least
        chunk.stale = torch.where(better, 0, chunk.stale + 1)
        chunk.least = torch.where(better, 0.5 * size.square(), chunk.least)


def _newton(bend: Float[Tensor, "p k w"], lean: Float[Tensor, "p k"]) -> Float[Tensor, "p k"]:
    """What moves the biases to where the objective is least along them; no further than 2 nats each."""
    if lean.shape[1] == 1:
        return (lean / bend[..., 0].clamp_min(1e-12)).clamp(-2, 2)
    alone = lean.shape[1] > WIDEST  # the curvature along each bias is all there is
    own = bend[..., 0] if alone else bend.diagonal(dim1=1, dim2=2)
    size = own.amax(1).clamp_min(1e-12)
    if alone:
        return (lean / (own + size[:, None] / lean.shape[1])).clamp(-2, 2)
    ridge = torch.diag_embed((size * 1e-6)[:, None].expand_as(lean)) + size[:, None, None] / lean.shape[1]
    move: Tensor = torch.linalg.solve(bend + ridge, lean)
    return move.clamp(-2, 2)
