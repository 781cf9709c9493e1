"""
What a quasi-Newton step starts from: the inverse of (curvature x covariance + penalty), for many problems at once.

A diagonal where the columns are whitened; where a Gram is given, one Cholesky factor for all problems of one penalty.
Over strata each component stands in as many columns as there are strata, and one that all share: each such family is
inverted by the Schur complement of the shared one.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from leakaudit.numerics.sweeps import Lens

USUAL = 0.2
"""Curvature that a shared Cholesky factor takes penalties to stand beside."""
RANGE = 1e-3, 4.0
"""Curvature seen over curvature assumed is held between these."""


class Preconditioner:
    """For p problems on r columns of covariance `gram`, or 1, or over strata of these roots; what is `out` stays 0."""

    def __init__(
        self,
        curvature: Float[Tensor, " p"],
        penalty: Float[Tensor, "p r"],
        out: Bool[Tensor, "p r"],
        gram: Float[Tensor, "r r"] | Float[Tensor, " t"] | None,
    ) -> None:
        self.curvature, self.penalty, self.inside, self.gram = curvature, penalty, (~out).to(penalty.dtype), gram
        self.factors: list[Tensor] = []
        if gram is not None and gram.ndim > 1:
            kinds, self.kind = torch.unique(penalty, dim=0, return_inverse=True)
            for row in kinds:
                self.factors.append(_cholesky(gram, row / USUAL))

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the problems."""
        for name in ("curvature", "penalty", "inside", *(("kind",) if self.factors else ())):
            setattr(self, name, getattr(self, name)[rows])

    def __call__(self, q: Tensor, scale: Tensor, k: int) -> Tensor:
        """Applied to gradients."""
        table = q.view(len(q), k, -1)
        bias = table[..., -1:] / self.curvature[:, None, None]
        size = (self.curvature * scale)[:, None]
        if self.gram is not None and not self.factors:
            return self._families(table, size)
        if not self.factors:
            weights = table[..., :-1] * (self.inside / (size + self.penalty))[:, None]
        else:
            weights = table[..., :-1] * self.inside[:, None]
            for at, factor in enumerate(self.factors):
                mine = (self.kind == at).nonzero().squeeze(1)
                some = weights[mine].flatten(0, 1)
                weights[mine] = torch.cholesky_solve(some.T, factor).T.view(len(mine), k, -1)
            weights = weights * self.inside[:, None] / size[..., None]
        both: Tensor = torch.cat((weights, bias), 2)
        return both.flatten(1)

    def _families(self, table: Float[Tensor, "p k f"], size: Float[Tensor, "p 1"]) -> Float[Tensor, "p kf"]:
        """Strata first, then what they share, each with its bias last."""
        assert self.gram is not None
        root = self.gram[:, None]
        count = len(self.gram) + 1
        inside = torch.nn.functional.pad(self.inside, (0, 1), value=1.0).unflatten(1, (count, -1))
        own, shared = inside[:, :-1] / (size[:, :, None] + self._table(count)[:, :-1]), inside[:, -1]
        g = table.unflatten(2, (count, -1))
        left = g[:, :, -1] - size[:, None] * (root * own[:, None] * g[:, :, :-1]).sum(2)
        complement = size + self._table(count)[:, -1] - size.square() * (root.square() * own).sum(1)
        both = left * (shared / complement.clamp_min(1e-3 * size))[:, None]
        rest = own[:, None] * (g[:, :, :-1] - size[:, None, None] * root * both[:, :, None])
        return torch.cat((rest, both[:, :, None]), 2).flatten(1)

    def _table(self, count: int) -> Float[Tensor, "p t c"]:
        """Penalties by stratum and component, the bias last."""
        table: Tensor = torch.nn.functional.pad(self.penalty, (0, 1))
        return table.view(len(table), count, -1)

    def scale(self, step: Tensor, change: Tensor, k: int) -> Tensor:
        """Curvature seen along the last step, in the units of the curvature assumed; penalties taken out."""
        if self.gram is not None:
            inner = torch.linalg.vecdot(step, change)
            seen: Tensor = torch.linalg.vecdot(change, self(change, torch.ones_like(inner), k)) / inner
            return seen.clamp(*RANGE)
        s, y = (flat.view(len(flat), k, -1)[..., :-1] for flat in (step, change))
        data = y - self.penalty[:, None] * s
        inner = (s * data).flatten(1).sum(1)
        size = data.square().flatten(1).sum(1)
        ratio = size / (inner * self.curvature).clamp_min(torch.finfo(step.dtype).tiny)
        return torch.where(inner > 0, ratio, 1.0).clamp(*RANGE)


def sampled(x: Float32[np.ndarray, "n d"], rows: int = 8192) -> tuple[Lens, Float[Tensor, "d d"]]:
    """A lens that moves the columns' means to 0, and their covariance; both of `rows` rows evenly spread over x."""
    some = x[:: max(1, len(x) // rows)][:rows]
    mean = some.mean(axis=0)
    some = some - mean
    gram = torch.from_numpy(some.T @ some) / max(len(some), 1)  # numpy does half of a symmetric product, torch all
    return Lens(torch.from_numpy(mean), torch.ones(x.shape[1])), gram


def _cholesky(gram: Tensor, penalty: Tensor) -> Tensor:
    """The factor of the Gram beside a penalty; of one lifted above rounding where it has none."""
    lift = 0.0
    size = float(gram.diagonal().mean())
    while True:
        made = torch.linalg.cholesky_ex(gram + torch.diag(penalty + lift))
        factor: Tensor = made[0]
        if not int(made[1]):
            return factor
        lift = max(10 * lift, 1e-6 * size, 1e-30)
