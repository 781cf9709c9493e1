"""
A vote of the nearest rows, among rows of the same target class or among all once each class is centred.

Finds leaks of any shape that few components hold: scattered prototypes, rings, chequers. In many components every
row is equally far, so only leading ones are searched.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows, components
from leakaudit.numerics.device import generator
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.neighbours import Found, nearest, votes

DECIDES = True

REFERENCES = 20_000
"""Rows that vote, at most: a sample where there are more."""
TRIALS = 2_000
"""Rows on which the choice is made, at most."""
PARTS = 4
COUNTS = (5, 50)
SPARE = 1.25
"""So many times more neighbours are sought than vote on average, as a question may show only some."""
MUCH = 0.5
"""A question that shows a smaller share of the rows has a search of its own."""


class Settled(NamedTuple):
    """Which of the views and of `COUNTS` was chosen for a question."""

    view: int
    setting: int


class _View(NamedTuple):
    components: int
    within: bool
    """Only rows of the same target class vote."""

    def __str__(self) -> str:
        where = "rows of the same target class" if self.within else "all rows, target classes centred"
        return f"{self.components} components, {where}"


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    leading: tuple[int, ...] = (16, 32),
    references: int = REFERENCES,
) -> list[Guesses]:
    """
    Guess by 5 or 50 neighbours in the view with the lowest weighted cross-entropy on held-out groups of the seen rows.

    `leading` are the counts of leading whitened components searched, `references` how many rows vote at most.
    """
    share = _shares(questions)
    apart = [at for at in range(len(questions)) if len(questions) > 1 and share[at] < MUCH]
    knobs = (seed, device, leading, references)
    guesses = {at: _together(seen, unseen, (questions[at],), 1.0, *knobs)[0] for at in apart}
    rest = [at for at in range(len(questions)) if at not in guesses]
    if rest:
        least = min(share[at] for at in rest)
        mine = tuple(questions[at] for at in rest)
        guesses |= dict(zip(rest, _together(seen, unseen, mine, least, *knobs), strict=True))
    return [guesses[at] for at in range(len(questions))]


def _shares(questions: tuple[Question, ...]) -> list[float]:
    """Of the rows that any question shows, the share that each shows."""
    shown = [(question.labels >= 0) & (question.weights > 0) for question in questions]
    total = max(1, int(np.logical_or.reduce(shown).sum())) if shown else 1
    return [float(mine.sum()) / total for mine in shown]


def _together(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    share: float,
    seed: int,
    device: str,
    leading: tuple[int, ...],
    references: int,
) -> list[Guesses]:
    """Questions of which each shows at least a `share` of the rows."""
    field = _Field(seen, unseen, questions, seed, device, leading, references)
    settled = field.choose(questions, share)
    guesses: dict[int, Guesses] = {}
    for view in sorted({chosen.view for chosen in settled}):
        found = field.search(view, field.unseen, field.asked, share)
        for at, (question, chosen) in enumerate(zip(questions, settled, strict=True)):
            if chosen.view == view:
                [chance] = votes(found, *field.shown(question), question.classes, (COUNTS[chosen.setting],))
                notes = (f"{COUNTS[chosen.setting]} nearest in {field.views[view]}", *field.notes)
                guesses[at] = Guesses(chance.cpu().numpy(), converged=True, notes=notes, settled=chosen)
    return [guesses[at] for at in range(len(questions))]


class _Field:
    """Rows in their components, less the centre of their target class, and who of them votes."""

    def __init__(
        self,
        seen: Rows,
        unseen: Rows,
        questions: tuple[Question, ...],
        seed: int,
        device: str,
        leading: tuple[int, ...],
        references: int,
    ) -> None:
        made = components(seen, unseen, max(leading))
        width = made.seen.shape[1]
        counts = sorted({min(count, width) for count in leading})
        ways = (False, True) if seen.strata > 1 else (False,)
        self.views = [
            _View(count, within) for within in ways for count in (counts if within or len(ways) == 1 else counts[:1])
        ]
        labelled = np.zeros(len(seen), bool)
        for question in questions:
            labelled |= (question.labels >= 0) & (question.weights > 0)
        rows = np.flatnonzero(labelled)
        self.notes: tuple[str, ...] = ()
        if len(rows) > references:
            self.notes = (f"a sample of {references:,} of {len(rows):,} labelled rows votes",)
            rows = np.sort(np.random.default_rng(seed).choice(rows, references, replace=False))
        self.part = torch.from_numpy(parts(seen.target[rows], seen.group[rows], PARTS, seed)).to(device)
        self.seen, self.unseen = (
            torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (made.seen[rows], made.unseen)
        )
        self.held, self.asked = (torch.from_numpy(t).to(device) for t in (seen.target[rows], unseen.target))
        self.rows, self.seed, self.strata = rows, seed, seen.strata
        centre = _centres(self.seen, self.held, self.strata)
        self.seen, self.unseen = self.seen - centre[self.held], self.unseen - centre[self.asked]

    def search(self, view: int, queries: Tensor, asked: Tensor, share: float) -> Found:
        """The neighbours of rows in one view, so many that those shown, a `share` of them at least, are enough."""
        sought = max(COUNTS) if share >= 1 else int(SPARE * max(COUNTS) / max(share, MUCH / 2))
        count, within = self.views[view]
        among = (asked, self.held) if within else None
        return nearest(queries[:, :count], self.seen[:, :count], sought, among)

    def shown(self, question: Question) -> tuple[Tensor, Tensor]:
        """Labels and weights of the rows that vote."""
        labels, weights = (torch.from_numpy(table[self.rows]) for table in (question.labels, question.weights))
        return labels.to(self.seen.device), weights.to(self.seen.device)

    def choose(self, questions: tuple[Question, ...], share: float) -> list[Settled]:
        """The view and count of each question, as settled, or by the cross-entropy of held-out rows."""
        free = [question for question in questions if not isinstance(question.settled, Settled)]
        best: list[Settled] = []
        if free:
            n = len(self.rows)
            order = torch.randperm(n, generator=generator(self.seed)).to(self.seen.device)
            trial = order[:TRIALS].sort().values
            losses = [self._losses(view, trial, free, share) for view in range(len(self.views))]
            for at in range(len(free)):
                table = np.stack([loss[at] for loss in losses])
                best.append(Settled(*(int(i) for i in np.unravel_index(table.argmin(), table.shape))))
        made = iter(best)
        return [q.settled if isinstance(q.settled, Settled) else next(made) for q in questions]

    def _losses(
        self, view: int, trial: Tensor, questions: list[Question], share: float
    ) -> list[Float32[np.ndarray, " counts"]]:
        found = self.search(view, self.seen[trial], self.held[trial], share * (1 - 1 / PARTS))
        barred = self.part[found.index] == self.part[trial][:, None]
        losses = []
        for question in questions:
            labels, weights = self.shown(question)
            truth, counts = labels[trial], weights[trial] * (labels[trial] >= 0)
            chances = votes(found, labels, weights, question.classes, COUNTS, barred)
            right = [chance.gather(1, truth.clamp_min(0)[:, None]).squeeze(1) for chance in chances]
            losses.append(np.array([float(-(r.clamp_min(1e-4).log() * counts).sum()) for r in right], np.float32))
        return losses


def _centres(x: Tensor, target: Tensor, strata: int) -> Tensor:
    """The mean of each target class, drawn to that of all as if one more row stood there."""
    sums = torch.zeros(strata, x.shape[1], device=x.device).index_add_(0, target, x)
    counts = torch.bincount(target, minlength=strata)[:, None]
    mean = x.mean(0) if len(x) else torch.zeros(x.shape[1], device=x.device)
    return (sums + mean) / (counts + 1)
