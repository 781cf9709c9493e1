"""
Rules that guess a class from moments: hyperplanes and quadrics on leading components, pooled or one per stratum.

Each gives a log-likelihood ratio of Gaussians whose pooled covariance is I: Fisher's linear discriminant, quadratic
discriminant analysis in the 2, 4 or 8 directions in which covariances differ most, and in all that were found.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from leakaudit.numerics.patterns import WIDTH, Pattern, evidence, formed, patterns
from leakaudit.numerics.quadric import Signed, Sorted, spread

Starts = dict[int, Float32[Tensor, "... _ w"]]
"""Directions by count of components."""
CUTS = (2, 4, 8, 1 << 20)
FORMED = 32
"""Components up to which the difference of covariances is formed."""
CONTRASTS = 32
"""With more contrasts there are only the rules of few parameters."""
STRATA = 64
"""With more strata none has a rule of its own."""
HELD = 1 << 19
"""Numbers in flight at a time."""


@dataclass(frozen=True)
class _Line:
    """A hyperplane on the first components; one per stratum where `own`."""

    name: str
    weights: Float32[Tensor, "p k s r"]
    constant: Float32[Tensor, "p k s"]


@dataclass(frozen=True)
class _Bowl:
    """A quadric per stratum on the first components."""

    name: str
    matrix: Float32[Tensor, "p k s r r"]


@dataclass(frozen=True)
class _Cut:
    """Quadrics in directions, the first of them and all."""

    names: tuple[str, ...]
    pattern: Pattern


@dataclass(frozen=True)
class Rules:
    """The rules of p problems."""

    moments: Signed
    parts: tuple[_Line | _Bowl | _Cut, ...]

    @property
    def starts(self) -> Starts:
        """The patterns that were searched for, as a start for others of these problems."""
        made = [part.pattern.vectors for part in self.parts if isinstance(part, _Cut)]
        return {vectors.shape[2]: vectors[..., :WIDTH] for vectors in made if vectors.shape[2] > FORMED}

    @property
    def names(self) -> tuple[str, ...]:
        """What each score is called."""
        return tuple(name for part in self.parts for name in _names(part))

    def only(self, names: list[str]) -> "Rules":
        """The parts that hold any of these rules."""
        return Rules(self.moments, tuple(p for p in self.parts if not set(_names(p)).isdisjoint(names)))

    def beside(self, found: Mapping[int, Pattern]) -> "Rules":
        """These and the quadrics in patterns that were searched for, by count of components."""
        return Rules(self.moments, (*self.parts, *(_patterns(made, count, CUTS[:3]) for count, made in found.items())))

    def scores(self, rows: Sorted) -> Float32[Tensor, "p n j k"]:
        """The log-likelihood ratio of each rule, in the order of `rows`."""
        p, k, _ = self.moments.signs.shape
        out = rows.x.new_empty(p, len(rows.x), len(self.names), k)
        at = 0
        for part in self.parts:
            if isinstance(part, _Cut):
                at = self._cut(part, rows, out, at)
                continue
            if isinstance(part, _Line):
                self._line(part, rows, out[:, :, at])
            else:
                self._bowl(part, rows, out[:, :, at])
            at += 1
        return out

    def _line(self, part: _Line, rows: Sorted, out: Tensor) -> None:
        p, k, s, r = part.weights.shape
        for y, where in rows.slices():
            own = min(y, s - 1)
            weights = part.weights[:, :, own]
            made = (rows.x[where, :r] @ weights.flatten(0, 1).T).view(-1, p, k)
            shift = (weights @ self.moments.mean[:, y, :r, None]).squeeze(2) - part.constant[:, :, own]
            out[:, where] = (made - shift.view(1, p, k)).transpose(0, 1)

    def _bowl(self, part: _Bowl, rows: Sorted, out: Tensor) -> None:
        p, k, s, r, _ = part.matrix.shape
        size = max(1, HELD // (p * k * r))
        for y, where in rows.slices():
            matrix = part.matrix[:, :, min(y, s - 1)]
            constant = matrix.diagonal(dim1=2, dim2=3).sum(2)
            for first in range(where.start, where.stop, size):
                some = slice(first, min(first + size, where.stop))
                x = rows.x[some, :r] - self.moments.mean[:, y, None, :r]
                turned = x @ matrix.transpose(1, 2).reshape(p, r, k * r)
                made = (turned.view(p, -1, k, r) * x.unsqueeze(2)).sum(3)
                out[:, some] = made - constant.unsqueeze(1)

    def _cut(self, part: _Cut, rows: Sorted, out: Tensor, at: int) -> int:
        p, k, r, j = part.pattern.vectors.shape
        slope, constant = (table.reshape(1, -1) for table in evidence(part.pattern.values, two=k == 1))
        along = (self.moments.mean[:, None, :, :r] @ part.pattern.vectors).permute(2, 0, 1, 3).reshape(-1, p * k * j)
        flat = part.pattern.vectors.permute(2, 0, 1, 3).reshape(r, p * k * j)
        cuts = (0, *(min(cut, j) for cut in CUTS[: len(part.names) - 1]), j)
        size = max(1, HELD // (p * k * j))
        for first in range(0, len(rows.x), size):
            some = slice(first, first + size)
            v = rows.x[some, :r] @ flat
            v = v.sub_(along[rows.strata[some]]).square_().mul_(slope).add_(constant).view(-1, p, k, j)
            total = torch.zeros(1, device=v.device)
            for cut in range(len(part.names)):
                total = total + v[..., cuts[cut] : cuts[cut + 1]].sum(3)
                out[:, some, at + cut] = total.transpose(0, 1)
        return at + len(part.names)


def rules(rows: Sorted, moments: Signed, seed: int, starts: Starts | None = None) -> Rules:
    """Every rule that the count of rows allows; `starts` are the patterns of rules for most of the same rows."""
    k, width, n = moments.signs.shape[1], rows.x.shape[1], max(1, len(rows.x))
    closed = formed_rules(moments, spread(rows, moments, leading(k)), n)
    last = next(part.pattern for part in reversed(closed.parts) if isinstance(part, _Cut))
    found = {}
    for count in searched(k, width, n):
        start = starts.get(count) if starts else None
        found[count] = last = patterns(
            rows, moments, count, seed, last.vectors[..., :WIDTH] if start is None else start
        )
    return closed.beside(found)


def leading(contrasts: int) -> int:
    """Components of which second moments are formed."""
    return FORMED if contrasts <= CONTRASTS else 8


def searched(contrasts: int, width: int, rows: int) -> list[int]:
    """Counts of components in which patterns are searched for."""
    return [count for count in _ladder((128, width), width) if contrasts <= CONTRASTS and FORMED < count <= rows]


def wanted(names: Iterable[str], count: int) -> bool:
    """Whether one of these rules has its directions in so many components."""
    return any(name.endswith(_directions(count)) for name in names)


def formed_rules(moments: Signed, table: Float32[Tensor, "p k s r r"], n: int) -> Rules:
    """Those of the rules for n rows whose patterns nobody searches for, from second moments of `leading` components."""
    _, k, strata, width = moments.first.shape
    small = k <= CONTRASTS
    own = small and 1 < strata <= STRATA
    parts: list[_Line | _Bowl | _Cut] = []
    for count in _ladder((16, 64, width), width):
        parts.append(_line(f"hyperplane, {count} components", moments, count, own=False))
        if own and count * strata <= n:
            parts.append(_line(f"hyperplane per target class, {count} components", moments, count, own=True))
    for count in _ladder((8, 16, FORMED) if small else (8,), width):
        few = table[..., :count, :count]
        cuts = (2, 4, 8) if count > 8 else (2, 4)  # noqa: PLR2004  # all 8 are the last
        parts.append(_patterns(formed(few.sum(2)), count, cuts))
        if own and count**2 * strata <= n * 2:
            share = moments.share[:, None, :, None, None].clamp_min(1 / n)
            parts.append(_Bowl(f"quadric per target class, {count} components", few / share))
    return Rules(moments, tuple(parts))


def _names(part: _Line | _Bowl | _Cut) -> tuple[str, ...]:
    return part.names if isinstance(part, _Cut) else (part.name,)


def _ladder(counts: tuple[int, ...], width: int) -> list[int]:
    return sorted({min(count, width) for count in counts})


def _patterns(found: Pattern, count: int, cuts: tuple[int, ...]) -> _Cut:
    j = found.values.shape[2]
    names = [f"quadric in {cut}{_directions(count)}" for cut in cuts if cut < j]
    return _Cut((*names, f"quadric in {j}{_directions(count)}"), found)


def _directions(count: int) -> str:
    """How the names of rules in directions of so many components end."""
    return f" directions of {count} components"


def _line(name: str, moments: Signed, count: int, *, own: bool) -> _Line:
    first = moments.first[..., :count]
    if own:
        weights = first / moments.share[:, None, :, None].clamp_min(1e-6)
        mine = moments.share[:, None, :, None]
        weights = weights * (mine / (mine + 0.1 * mine.mean(2, keepdim=True)))
    else:
        weights = first.sum(2, keepdim=True)
    if first.shape[1] == 1:
        return _Line(name, 2 * weights, weights.new_zeros(weights.shape[:3]))
    return _Line(name, weights, -0.5 * weights.square().sum(3))
