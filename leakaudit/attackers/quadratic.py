"""
Quadrics: where the classes' covariances differ, pooled or within each target class, blended with their hyperplanes.

Finds what no hyperplane does, by interaction or by distance, in closed steps: a bottleneck whose linear trace was
erased perfectly (LEACE) still gave the attribute away at 99.8 % to a quadratic rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.attackers import components as leading
from leakaudit.numerics import logistic
from leakaudit.numerics.blend import mix
from leakaudit.numerics.device import generator
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.moments import Whitening, moments
from leakaudit.numerics.quadric import Sorted, Whitener, signed, whitener
from leakaudit.numerics.rules import CONTRASTS, Rules, Starts, rules
from leakaudit.numerics.scores import Scores, learn
from leakaudit.numerics.tallies import Asked, Lens, tally, together

DECIDES = True

MOST = 512
"""Leading components that are looked at."""
MANY = 5_000
"""Rows from which one held-out quarter is enough; below, each is held out in turn."""
QUARTERS = 4
GAIN = 0.001
"""Nats per row that normal scores must gain over z as it is."""
SAMPLE = 8_192
"""Rows from which the components of normal scores are taken, at most."""
CELLS = 1 << 26
"""Scores held at a time."""


@dataclass(frozen=True)
class Settled:
    """What was chosen for a question."""

    space: "Space"
    names: tuple[str, ...]
    """Of the rules."""
    weights: tuple[float, ...]
    far: tuple[float, ...]
    """Where each score is cut off."""
    starts: Starts
    """Where covariances differed."""


@dataclass(frozen=True)
class Space:
    """A view of z."""

    scores: Scores | None
    """Of the columns of z; None: z as it is, in the components of the audit."""
    whitener: Whitener
    basis: Whitening
    """Of the audit in which it was made."""


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: int = MOST,
) -> list[Guesses]:
    """
    Guess by a blend of quadrics and hyperplanes on at most `components` leading components.

    Centres and covariances within target classes, which whiten, are those of all seen rows, labelled or not. The
    blend is the one of lowest weighted cross-entropy on groups of the seen rows that the rules were not fitted to;
    of z as it is and of its columns' normal scores the view is chosen there too. All steps are closed or solved to
    rounding, so `converged` is true. Of a file on disk the rules are fitted to every row whose label is shown.
    """
    hall = _Hall(seen, unseen, seed, device, components)
    guesses: dict[int, Guesses] = {}
    for classes in sorted({question.classes for question in questions}):
        k = logistic.columns(classes)
        size = max(1, CELLS // max(1, len(seen) * k * (24 if k <= CONTRASTS else 6)))
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        for first in range(0, len(alike), size):
            mine = alike[first : first + size]
            guesses.update(zip(mine, hall.answer([questions[i] for i in mine], classes), strict=True))
    return [guesses[i] for i in range(len(questions))]


class _Hall:
    """Both kinds of rows, in each view that is asked for."""

    def __init__(self, seen: Rows, unseen: Rows, seed: int, device: str, count: int) -> None:
        self.seen, self.unseen, self.seed, self.device, self.count = seen, unseen, seed, device, count
        self.part = torch.from_numpy(parts(seen.target, seen.group, QUARTERS, seed)).to(device)
        self.turns = QUARTERS if len(seen) < MANY else 1
        self.fields: list[_Field] = []

    def field(self, space: Space) -> "_Field":
        """The rows in a view."""
        for field in self.fields:
            if field.space is space:
                return field
        self.fields.append(_Field(self, space))
        return self.fields[-1]

    @cached_property
    def plain(self) -> "_Field":
        """The view of z as it is."""
        rows = self.sorted(None, self.seen)
        return self._learned(Space(None, whitener(rows), self.seen.moments.basis), rows)

    @cached_property
    def scored(self) -> "_Field":
        """The view of the normal scores of its columns."""
        scores = learn(self.seen.z, self.seed, self.device)
        rows = self.sorted(scores, self.seen)
        some = torch.randperm(len(rows.x), generator=generator(self.seed))[:SAMPLE].sort().values
        basis = moments(rows.x[some.to(self.device)].cpu().numpy()).basis.matrix[:, : self.count]
        basis = basis if basis.shape[1] else np.zeros((len(basis), 1))
        matrix = torch.from_numpy(basis).float().to(self.device)
        return self._learned(Space(scores, whitener(rows, matrix), self.seen.moments.basis), rows)

    def _learned(self, space: Space, rows: Sorted) -> "_Field":
        """The view, where the seen rows are at hand."""
        self.fields.append(_Field(self, space))
        self.fields[-1].seen = space.whitener(rows)
        return self.fields[-1]

    def sorted(self, scores: Scores | None, rows: Rows) -> Sorted:
        """The rows in components, or as scores of their columns, by target class; one column of zeros for none."""
        x = leading(self.seen, rows, self.count).unseen if scores is None else scores.of(rows.z)
        x = x if x.shape[1] else np.zeros((len(x), 1), np.float32)
        order = np.argsort(rows.target, kind="stable")
        table = torch.from_numpy(x[order]).to(self.device)
        target, places = (torch.from_numpy(t).to(self.device) for t in (rows.target[order], order))
        return Sorted(table, target, places, rows.strata)

    def answer(self, questions: list[Question], classes: int) -> list[Guesses]:
        """Questions of one count of classes."""
        settled = {i: known for i, q in enumerate(questions) if (known := self._suited(q.settled)) is not None}
        free = [i for i in range(len(questions)) if i not in settled]
        if free:
            settled |= dict(zip(free, self._settle([questions[i] for i in free], classes), strict=True))
        guesses: dict[int, Guesses] = {}
        afar = [self.seen.beyond is not None and question.further is not None for question in questions]
        ways = [(id(settled[i].space), afar[i]) for i in range(len(questions))]
        for way in dict.fromkeys(ways):
            mine = [i for i, own in enumerate(ways) if own == way]
            field = self.field(settled[mine[0]].space)
            made = (field.afar if way[1] else field.answer)(
                [questions[i] for i in mine], [settled[i] for i in mine], classes
            )
            guesses.update(zip(mine, made, strict=True))
        return [guesses[i] for i in range(len(questions))]

    def _suited(self, settled: Any) -> Settled | None:
        """What was settled on, its view learned anew if it was of other components; None if of fewer or more."""
        if not isinstance(settled, Settled):
            return None
        here, there = self.seen.moments.basis, settled.space.basis
        if here is there or all(
            np.array_equal(a, b) for a, b in ((here.mean, there.mean), (here.matrix, there.matrix))
        ):
            return settled
        space = (self.plain if settled.space.scores is None else self.scored).space
        alike = space.whitener.matrix.shape == settled.space.whitener.matrix.shape
        return replace(settled, space=space, starts={}) if alike else None

    def _settle(self, questions: list[Question], classes: int) -> list[Settled]:
        """The view with the lower loss, the second where it gains `GAIN` nats."""
        (first, loss), (second, other) = (field.settle(questions, classes) for field in (self.plain, self.scored))
        return [b if gain else a for a, b, gain in zip(first, second, (other < loss - GAIN).tolist(), strict=True)]


class _Field:
    """Both kinds of rows in one view, sorted by target class, whitened within it."""

    def __init__(self, hall: _Hall, space: Space) -> None:
        self.hall, self.space = hall, space

    @cached_property
    def seen(self) -> Sorted:
        """The rows that may be fitted to."""
        return self._whitened(self.hall.seen)

    @cached_property
    def unseen(self) -> Sorted:
        """The rows to guess."""
        return self._whitened(self.hall.unseen)

    def _whitened(self, rows: Rows) -> Sorted:
        return self.space.whitener(self.hall.sorted(self.space.scores, rows))

    def _asked(self, questions: list[Question]) -> tuple[Tensor, Tensor]:
        order = self.seen.order.cpu()
        labels, weights = (
            torch.from_numpy(np.stack(table))[:, order].to(self.seen.x.device)
            for table in ([question.labels for question in questions], [question.weights for question in questions])
        )
        return labels, weights

    def answer(self, questions: list[Question], settled: list[Settled], classes: int) -> list[Guesses]:
        """Rules fitted to all labelled rows, in the blend settled on."""
        labels, weights = self._asked(questions)
        final = rules(self.seen, signed(self.seen, labels, weights, classes), self.hall.seed, self._starts(settled))
        return self._guesses(final, settled, classes, [()] * len(settled))

    def afar(self, questions: list[Question], settled: list[Settled], classes: int) -> list[Guesses]:
        """Rules fitted to the labelled rows on disk, so many questions at a time as their sums can be held of."""
        stream, made = self.hall.seen.beyond, list[Guesses]()
        assert stream is not None
        lens = Lens.of(stream, self.hall.seen.moments, self.space.scores, self.space.whitener)
        size, told = together(lens, classes), [q.further for q in questions if q.further is not None]
        for first in range(0, len(settled), size):
            mine, part = settled[first : first + size], told[first : first + size]
            asked = Asked([each.labels for each in part], [each.weights for each in part], classes, stream.target)
            used = {name for each in mine for name, weight in zip(each.names, each.weights, strict=True) if weight > 0}
            final, visits = tally(lens, asked, used, self.hall.seed, self._starts(mine))
            often = "once" if visits == 1 else f"{visits} times"
            words = [(f"refitted on {rows:,} rows, read from disk {often}",) for rows in asked.told]
            made += self._guesses(final, mine, classes, words)
        return made

    def _starts(self, settled: list[Settled]) -> Starts:
        """Where covariances differed, of all questions together."""
        counts = set.intersection(*(set(mine.starts) for mine in settled))
        return {count: torch.stack([mine.starts[count] for mine in settled]).to(self.hall.device) for count in counts}

    def _guesses(
        self, final: Rules, settled: list[Settled], classes: int, words: Sequence[tuple[str, ...]]
    ) -> list[Guesses]:
        chance, found, made = self._blended(final, settled, classes).cpu().numpy(), final.starts, []
        for i, (mine, more) in enumerate(zip(settled, words, strict=True)):
            kept = replace(mine, starts={count: table[i].cpu() for count, table in found.items()})
            notes = (*_words(mine), *more)
            made.append(Guesses(np.ascontiguousarray(chance[i]), converged=True, notes=notes, settled=kept))
        return made

    def settle(self, questions: list[Question], classes: int) -> tuple[list[Settled], Tensor]:
        """Weights of the rules, learned on quarters that they were not fitted to, and the loss they reach."""
        labels, weights = self._asked(questions)
        part = self.hall.part[self.seen.order]
        scores, truth, counts, names = [], [], [], []
        for turn in range(self.hall.turns):
            held = part == turn
            rest = (~held).nonzero().squeeze(1)
            train = self.seen.part(rest)
            made = rules(train, signed(train, labels[:, rest], weights[:, rest], classes), self.hall.seed)
            rows = held.nonzero().squeeze(1)
            most = max(1, CELLS // max(1, len(labels) * len(made.names) * logistic.columns(classes)))
            rows = rows[:: max(1, -(-len(rows) // most))]
            scores.append(made.scores(self.seen.part(rows)))
            names.append(made.names)
            truth.append(labels[:, rows])
            counts.append(weights[:, rows])
        # where groups leave a part fewer rows, fewer rules are fitted to it: those of every part count
        common = [name for name in made.names if all(name in each for each in names)]
        scores = [x[:, :, [each.index(name) for name in common]] for x, each in zip(scores, names, strict=True)]
        mixed = mix(torch.cat(scores, 1), torch.cat(truth, 1), torch.cat(counts, 1))
        starts = made.starts
        return [
            Settled(self.space, tuple(common), tuple(a), tuple(far), {r: table[i].cpu() for r, table in starts.items()})
            for i, (a, far) in enumerate(zip(mixed.weights.tolist(), mixed.far.tolist(), strict=True))
        ], mixed.loss

    def _blended(self, final: Rules, settled: list[Settled], classes: int) -> Tensor:
        """P(class | unseen row), in the rows' own order."""
        device, q = self.seen.x.device, len(settled)
        known = [{name: (a, far) for name, a, far in zip(s.names, s.weights, s.far, strict=True)} for s in settled]
        table = [[each.get(name, (0.0, 1.0)) for name in final.names] for each in known]
        weights, far = torch.tensor(table, device=device).unbind(2)
        used = final.only([name for j, name in enumerate(final.names) if float(weights[:, j].max()) > 0])
        keep = torch.tensor([final.names.index(name) for name in used.names], dtype=torch.int64, device=device)
        weights, bound = weights[:, keep], far[:, None, keep, None]
        out = torch.empty(q, len(self.unseen.x), classes, device=device)
        size = max(1, CELLS // max(1, q * len(final.names) * logistic.columns(classes)))
        for first in range(0, len(self.unseen.x), size):
            part = self.unseen.part(torch.arange(first, min(first + size, len(self.unseen.x)), device=device))
            scores = used.scores(part).clamp_(-bound, bound)
            logits = torch.einsum("qnjk,qj->qkn", scores, weights)
            out[:, part.order] = logistic.probabilities(logits).transpose(1, 2)
        return out


def _words(settled: Settled) -> tuple[str, ...]:
    """The rules that count most."""
    strength = [weight * far for weight, far in zip(settled.weights, settled.far, strict=True)]
    order = sorted(range(len(strength)), key=lambda j: -strength[j])
    used = [settled.names[j] for j in order if strength[j] > max(0.1 * max(strength), 1e-3)]
    view = "" if settled.space.scores is None else " of normal scores"
    return (f"{'; '.join(used[:3])}{view}" if used else "no rule tells anything",)
