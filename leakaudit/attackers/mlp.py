"""
A perceptron of one hidden layer on directions in which the classes differ: plain or conditioned on the target class.

Finds what no hyperplane does: leaks by interaction, by distance, and those whose direction depends on the target.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows, components
from leakaudit.numerics import perceptron
from leakaudit.numerics.device import generator
from leakaudit.numerics.directions import directions
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.moments import Whitening, moments
from leakaudit.numerics.perceptron import Plan, Trained
from leakaudit.numerics.scores import Scores, learn

DECIDES = True

LEADING = 8
"""Whitened components that count in full where rows are few; the j-th of those behind them is damped by 8 / j."""
TRUST = 0.5
"""Power of the weights in training; what that leaves of the classes' shares within a target class is made up for."""
CONDITIONS = 32
"""Target classes conditioned on at most, the most frequent; all others are one more."""
MEANS, SPREADS = 12, 12
"""Directions that begin where means differ, and where covariances do."""
CELLS = 1 << 27
"""Numbers of a hidden layer over all rows and questions trained together, at most."""
SETTLED = 0.01
"""Nats of held-out loss that count as progress."""
DOUBLINGS = 2
"""How often the epochs are doubled while that makes progress."""


MANY = 20_000
"""Rows from which no component is damped."""
EVEN = 0.05
"""Nats of prior that count as none."""


class Size(NamedTuple):
    """What is spent."""

    width: int
    epochs: int
    batch: int
    networks: int


SIZES = (
    (2_000, Size(32, 24, 64, 2)),
    (MANY, Size(32, 8, 256, 2)),
    (float("inf"), Size(64, 3, 512, 1)),
)
"""Below so many rows, such a size."""


@dataclass(frozen=True)
class Settled:
    """What was chosen for a question."""

    view: int
    conditioned: bool
    epochs: int
    stop: int
    scale: float
    converged: bool
    spaces: "Spaces"


@dataclass(frozen=True)
class Spaces:
    """The maps behind the second view, learned once."""

    scores: Scores
    basis: Whitening


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    width: int = 0,
    epochs: int = 0,
    networks: int = 0,
    rate: float = 0.02,
    decay: float = 0.6,
) -> list[Guesses]:
    """Guess by the form with the lowest weighted cross-entropy on held-out groups of the seen rows."""
    size = _size(len(seen), width, epochs, networks)
    known = next((question.settled.spaces for question in questions if isinstance(question.settled, Settled)), None)
    space = _Space(seen, unseen, seed, device, known)
    guesses: dict[int, Guesses] = {}
    kinds = sorted({(question.classes, question.settled is None) for question in questions})
    for classes, free in kinds:
        alike = [i for i, q in enumerate(questions) if (q.classes, q.settled is None) == (classes, free)]
        many = max(1, CELLS // (len(seen) * size.width * size.networks))
        for first in range(0, len(alike), many):
            mine = alike[first : first + many]
            job = _Job(space, [questions[i] for i in mine], classes, size, seed, rate, decay)
            guesses.update(zip(mine, job.choose() if free else job.refit(), strict=True))
    return [guesses[i] for i in range(len(questions))]


class _View(NamedTuple):
    name: str
    seen: Tensor
    unseen: Tensor


class _Space:
    """Both kinds of rows as inputs of networks."""

    def __init__(self, seen: Rows, unseen: Rows, seed: int, device: str, spaces: Spaces | None) -> None:
        self.rows, self.asked, self.device = seen, unseen, device
        if spaces is None:
            scores = learn(seen.z, seed, device)
            spaces = Spaces(scores, moments(scores.of(seen.z)).basis)
        self.spaces = spaces
        self._made: dict[tuple[int, bool], _View] = {}
        self.hot, self.asked_hot = (_hot(seen.target, rows.target, device) for rows in (seen, unseen))
        self.strata = torch.from_numpy(seen.target).to(device)

    def view(self, which: int, centred: bool) -> _View:  # noqa: FBT001  # one of two forms
        """Whitened components: 0 of z, 1 of the normal scores of its columns."""
        if (which, centred) not in self._made:
            if centred:
                name, old, new = self.view(which, centred=False)
                mean = self._means(old)
                here, there = (torch.from_numpy(rows.target).to(old.device) for rows in (self.rows, self.asked))
                self._made[which, True] = _View(name, old - mean[here], new - mean[there])
            else:
                self._made[which, False] = self._plain(which)
        return self._made[which, centred]

    def _plain(self, which: int) -> _View:
        if which == 0:
            old, new, _ = components(self.rows, self.asked)
        else:
            old, new = (self.spaces.basis.components(self.spaces.scores.of(rows.z)) for rows in (self.rows, self.asked))
        if not old.shape[1]:
            old, new = (np.zeros((len(rows), 1), np.float32) for rows in (self.rows, self.asked))
        if len(self.rows) < MANY:
            damp = np.minimum(1.0, LEADING / np.arange(1, old.shape[1] + 1)).astype(np.float32)
            old, new = old * damp, new * damp
        pair = (torch.from_numpy(np.ascontiguousarray(x)).to(self.device) for x in (old, new))
        return _View(("components", "components of normal scores")[which], *pair)

    def _means(self, x: Tensor) -> Tensor:
        """Mean of each target class, drawn to zero where its rows are few."""
        count = torch.bincount(self.strata, minlength=self.rows.strata).to(x)
        total = x.new_zeros(self.rows.strata, x.shape[1]).index_add_(0, self.strata, x)
        return total / (count + 2)[:, None]


@dataclass(frozen=True)
class _Form:
    """One view and one way of conditioning; network k of question q is row k * questions + q."""

    view: int
    conditioned: bool
    epochs: int
    trained: Trained
    questions: int

    def each(self, values: Tensor) -> Tensor:
        """Mean over the networks of each question."""
        return values.view(-1, self.questions).mean(0)


class _Job:
    """Questions with one count of classes, and how to train for them."""

    def __init__(
        self, space: _Space, questions: list[Question], classes: int, size: Size, seed: int, rate: float, decay: float
    ) -> None:
        self.space, self.questions, self.classes, self.size = space, questions, classes, size
        self.seed, self.rate, self.decay = seed, rate, decay
        labels, weights = (np.stack([getattr(q, name) for q in questions]) for name in ("labels", "weights"))
        self.labels = torch.from_numpy(labels).to(space.device)
        counts = torch.from_numpy(weights).to(space.device) * (self.labels >= 0)
        trusted = counts.clamp_min(0).pow(TRUST) * (counts > 0)
        self.counts, self.prior = trusted, self._prior(counts, trusted)
        rows = space.rows
        self.part = torch.from_numpy(parts((classes + 1) * rows.target + labels[0] + 1, rows.group, 4, seed)).to(
            space.device
        )

    def _prior(self, counts: Tensor, trusted: Tensor) -> Tensor | None:
        """Log of what the trusted weights make of each class within each target class, over what the weights do."""
        place = self.space.strata * self.classes + self.labels.clamp_min(0)
        tables = [
            weights.new_zeros(len(place), self.space.rows.strata * self.classes).scatter_add_(1, place, weights)
            for weights in (trusted, counts)
        ]
        part, whole = (table.view(len(place), -1, self.classes) for table in tables)
        ratio = torch.where(whole > 0, part / whole.clamp_min(1e-12), 1.0).clamp_min(1e-6).log()
        prior = ratio - ratio.mean(2, keepdim=True)
        return prior if float(prior.abs().max()) > EVEN else None

    def train(
        self, view: int, conditioned: bool, epochs: int, mine: Tensor,  # noqa: FBT001  # one of two forms
        stop: Tensor | None = None, scale: Tensor | None = None,
    ) -> _Form:  # fmt: skip
        """Networks of one form for the questions `mine`."""
        count, space = self.size.networks, self.space
        x = space.view(view, conditioned).seen
        hot = space.hot if conditioned else x.new_ones(len(x), 1)
        labels, counts = self.labels[mine].repeat(count, 1), self.counts[mine].repeat(count, 1)
        prior = None if self.prior is None else self.prior[mine].repeat(count, 1, 1)
        rows = perceptron.Rows(x, hot, space.strata, labels, counts)
        inside, outside = rows, None
        if stop is None:
            held = torch.stack([self.part == k for k in range(count)]).repeat_interleave(len(mine), 0)
            inside, outside = rows._replace(weights=counts * ~held), rows._replace(weights=counts * held)
        chance = generator(self.seed)
        begin = directions(
            x, hot if conditioned else hot[:, :0], inside.labels, inside.weights, self.classes,
            means=MEANS, spreads=SPREADS, generator=chance,
        )  # fmt: skip
        plan = Plan(self.size.width, epochs, self.size.batch, self.rate, self.decay)
        trained = perceptron.train(
            inside, outside, begin, prior, self.classes, plan, generator=chance,
            stop=None if stop is None else stop.repeat(count), scale=None if scale is None else scale.repeat(count),
        )  # fmt: skip
        return _Form(view, conditioned, epochs, trained, len(mine))

    def choose(self) -> list[Guesses]:
        """Each question's best form, trained for as many epochs as help."""
        every = torch.arange(len(self.questions), device=self.space.device)
        ways = (True, False) if self.space.rows.strata > 1 else (False,)
        forms = [self.train(view, way, self.size.epochs, every) for way in ways for view in (0, 1)]
        best = torch.stack([form.each(form.trained.loss) for form in forms]).argmin(0)
        answers: dict[int, Guesses] = {}
        for at, form in enumerate(forms):
            for question, found in self._finish(form, (best == at).nonzero().squeeze(1)).items():
                answers[question] = self._answer(*found)
        return [answers[i] for i in range(len(self.questions))]

    def refit(self) -> list[Guesses]:
        """Each question's settled form, on all rows."""
        answers: dict[int, Guesses] = {}
        settled = [question.settled for question in self.questions]
        for key in sorted({(s.view, s.conditioned, s.epochs) for s in settled}):
            mine = [i for i, s in enumerate(settled) if (s.view, s.conditioned, s.epochs) == key]
            device = self.space.device
            stop = torch.tensor([settled[i].stop for i in mine], device=device)
            scale = torch.tensor([settled[i].scale for i in mine], device=device)
            form = self.train(*key, torch.tensor(mine, device=device), stop, scale)
            for row, i in enumerate(mine):
                answers[i] = self._answer(form, row, settled[i].converged)
        return [answers[i] for i in range(len(self.questions))]

    def _finish(self, form: _Form, mine: Tensor) -> dict[int, tuple[_Form, int, bool]]:
        """Per question of `mine` the form with as many epochs as help, its row there, and whether they sufficed."""
        final = {question: (form, question) for question in mine.tolist()}
        loss, pending = form.each(form.trained.loss)[mine], mine
        falling = form.each(form.trained.tail)[mine] >= SETTLED
        loss, pending = loss[falling], pending[falling]
        epochs = form.epochs
        for _ in range(DOUBLINGS):
            if not len(pending):
                break
            epochs *= 2
            longer = self.train(form.view, form.conditioned, epochs, pending)
            gain = loss - longer.each(longer.trained.loss)
            final |= {q: (longer, row) for row, q in enumerate(pending.tolist()) if gain[row] > 0}
            falling = (gain >= SETTLED) & (longer.each(longer.trained.tail) >= SETTLED)
            loss, pending = longer.each(longer.trained.loss)[falling], pending[falling]
        unfinished = set(pending.tolist())
        return {question: (*found, question not in unfinished) for question, found in final.items()}

    def _answer(self, form: _Form, row: int, converged: bool) -> Guesses:  # noqa: FBT001  # a field of the answer
        """Mean of the probabilities of the question's networks."""
        space, trained = self.space, form.trained
        networks = len(trained.loss) // form.questions
        mine = torch.arange(networks, device=space.device) * form.questions + row
        new = space.view(form.view, form.conditioned).unseen
        hot = space.asked_hot if form.conditioned else new.new_ones(len(new), 1)
        chance = trained.networks.take(mine).logits(new, hot).softmax(2).mean(0)
        way = "conditioned on the target class" if form.conditioned else "plain"
        name = space.view(form.view, form.conditioned).name
        best = "/".join(str(int(period)) for period in trained.best[mine])
        said = f"{way}, {name}, {form.epochs} epochs, tenth {best}"
        notes = (said,) if converged else (said, "held-out loss still falling")
        stop, scale = round(float(trained.best[mine].float().mean())), float(trained.scale[mine].mean())
        settled = Settled(form.view, form.conditioned, form.epochs, stop, scale, converged, space.spaces)
        return Guesses(chance.cpu().numpy(), converged, notes, settled)


def _size(rows: int, width: int, epochs: int, networks: int) -> Size:
    size = next(size for fewer, size in SIZES if rows < fewer)
    return Size(width or size.width, epochs or size.epochs, size.batch, networks or size.networks)


def _hot(seen: np.ndarray, target: np.ndarray, device: str) -> Tensor:
    """Which of the most frequent target classes each row is in, the last column for all others."""
    values, counts = np.unique(seen, return_counts=True)
    kept = np.sort(values[np.argsort(-counts, kind="stable")[:CONDITIONS]])
    others = len(kept) < len(values)
    place = np.minimum(np.searchsorted(kept, target), len(kept) - 1)
    place = np.where(kept[place] == target, place, len(kept) if others else -1)
    hot = np.zeros((len(target), len(kept) + others), np.float32)
    rows = place >= 0
    hot[rows.nonzero()[0], place[rows]] = 1
    return torch.from_numpy(hot).to(device)
