"""
What a quasi-Newton step starts from: the inverse of (curvature x covariance + penalty), for many problems at once.

A diagonal where the columns are whitened; where a Gram is given, one Cholesky factor for all problems of one penalty.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

USUAL = 0.2
"""Curvature that a shared Cholesky factor takes penalties to stand beside."""
RANGE = 1e-3, 4.0
"""Curvature seen over curvature assumed is held between these."""


class Preconditioner:
    """For p problems on r columns of covariance `gram`, or 1; columns that stay `out` do not move."""

    def __init__(
        self,
        curvature: Float[Tensor, " p"],
        penalty: Float[Tensor, "p r"],
        out: Bool[Tensor, "p r"],
        gram: Float[Tensor, "r r"] | None,
    ) -> None:
        self.curvature, self.penalty, self.inside, self.gram = curvature, penalty, (~out).to(penalty.dtype), gram
        self.factors: list[Tensor] = []
        if gram is not None:
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

    def scale(self, step: Tensor, change: Tensor, k: int) -> Tensor:
        """Curvature seen along the last step, in the units of the curvature assumed; penalties taken out."""
        if self.factors:
            inner = torch.linalg.vecdot(step, change)
            seen: Tensor = torch.linalg.vecdot(change, self(change, torch.ones_like(inner), k)) / inner
            return seen.clamp(*RANGE)
        s, y = (flat.view(len(flat), k, -1)[..., :-1] for flat in (step, change))
        data = y - self.penalty[:, None] * s
        inner = (s * data).flatten(1).sum(1)
        size = data.square().flatten(1).sum(1)
        ratio = size / (inner * self.curvature).clamp_min(torch.finfo(step.dtype).tiny)
        return torch.where(inner > 0, ratio, 1.0).clamp(*RANGE)


def _cholesky(gram: Tensor, penalty: Tensor) -> Tensor:
    """The factor of the Gram beside a penalty; of one lifted above rounding where it has none."""
    lift = 0.0
    size = float(gram.diagonal().mean())
    while True:
        factor, failed = torch.linalg.cholesky_ex(gram + torch.diag(penalty + lift))
        if not int(failed):
            return factor
        lift = max(10 * lift, 1e-6 * size, 1e-30)
