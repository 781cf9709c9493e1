"""
A perceptron of one hidden layer: plain or conditioned on the target class, on leading or on all components.

Finds what no hyperplane does: leaks by interaction, by distance, and those whose direction depends on the target.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics import perceptron
from leakaudit.numerics.device import generator
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.moments import Whitening

DECIDES = True

LEADING = 16
"""Whitened components that count in full; the j-th of those behind them is damped by 16 / j, or left out."""


class Size(NamedTuple):
    """What is spent on one form."""

    width: int
    epochs: int
    batch: int
    networks: int


SIZES = (
    (2_000, Size(32, 16, 96, 2)),
    (10_000, Size(64, 20, 128, 3)),
    (20_000, Size(128, 12, 512, 2)),
    (float("inf"), Size(128, 12, 512, 1)),
)
"""Below so many rows, such a size."""


SETTLED = 0.01
"""Nats of held-out loss that count as progress."""
DOUBLINGS = 2
"""How often the epochs are doubled while that makes progress."""


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
    rate: float = 0.05,
    decay: float = 2.0,
) -> list[Guesses]:
    """
    Guess by the form with the lowest weighted cross-entropy on held-out groups of the seen rows.

    Each form is the mean of `networks` networks, each with another quarter of the seen rows held out. A knob of 0 is
    chosen by the count of rows. Where the last fifth of the epochs still lowered the held-out loss by 0.01 nats, the
    form is trained again for twice the epochs, at most twice. `converged` says that the epochs were not what limits
    it: at the end either the last fifth of them or their doubling brought less than 0.01 nats.
    """
    size = _size(len(seen), width, epochs, networks)
    views = _views(seen, unseen, device)
    strata, asked = torch.from_numpy(seen.target).to(device), torch.from_numpy(unseen.target).to(device)
    guesses: dict[int, Guesses] = {}
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        part = [parts(seen.strata * (questions[i].labels + 1) + seen.target, seen.group, 4, seed) for i in alike]
        labels, weights, dealt = (
            torch.from_numpy(np.stack(table)).to(device)
            for table in ([questions[i].labels for i in alike], [questions[i].weights for i in alike], part)
        )
        job = _Job(strata, seen.strata, labels, weights, dealt, classes, size, seed, rate, decay)
        every = torch.arange(len(alike), device=device)
        ways = (False, True) if seen.strata > 1 else (False,)
        forms = [job.train(view, conditioned, size.epochs, every) for view in views for conditioned in ways]
        best = torch.stack([form.loss for form in forms]).argmin(0)
        for at, form in enumerate(forms):
            for row, (final, question, converged) in job.finish(form, (best == at).nonzero().squeeze(1)).items():
                guesses[alike[row]] = final.guess(question, asked, converged)
    return [guesses[i] for i in range(len(questions))]


class _View(NamedTuple):
    name: str
    seen: Tensor
    unseen: Tensor


@dataclass(frozen=True)
class _Form:
    """One view and one way of conditioning; network k of question q is row k * questions + q."""

    view: _View
    conditioned: bool
    epochs: int
    trained: perceptron.Trained
    networks: int

    @property
    def loss(self) -> Tensor:
        """Held-out loss of each question, mean over its networks."""
        return self.trained.loss.view(self.networks, -1).mean(0)

    @property
    def tail(self) -> Tensor:
        """What the last fifth of the epochs gained, mean over the networks of each question."""
        return self.trained.tail.view(self.networks, -1).mean(0)

    def guess(self, row: int, asked: Tensor, converged: bool) -> Guesses:  # noqa: FBT001  # a field of the answer
        """Mean of the probabilities of the question's networks."""
        mine = torch.arange(self.networks, device=asked.device) * (len(self.trained.loss) // self.networks) + row
        own = perceptron.Networks(**{name: t[mine] for name, t in vars(self.trained.networks).items()})
        chance = own.logits(self.view.unseen, asked).softmax(2).mean(0)
        best = "/".join(str(int(epoch)) for epoch in self.trained.best[mine])
        form = f"{'conditioned on the target class' if self.conditioned else 'plain'}, {self.view.name}"
        notes = (f"{form}, epochs {best} of {self.epochs}", *(() if converged else ("held-out loss still falling",)))
        return Guesses(chance.cpu().numpy(), converged, notes)


@dataclass(frozen=True)
class _Job:
    """Questions with one count of classes, and how to train for them."""

    strata: Tensor
    conditions: int
    labels: Tensor
    weights: Tensor
    part: Tensor
    classes: int
    size: Size
    seed: int
    rate: float
    decay: float

    def train(self, view: _View, conditioned: bool, epochs: int, mine: Tensor) -> _Form:  # noqa: FBT001  # one of two forms
        """Networks of one form for the questions `mine`."""
        count = self.size.networks
        trained = perceptron.train(
            view.seen, self.strata, self.labels[mine].repeat(count, 1), self.weights[mine].repeat(count, 1),
            torch.cat([self.part[mine] == k % 4 for k in range(count)]), self.classes,
            conditioned=self.conditions if conditioned else 0, generator=generator(self.seed),
            width=self.size.width, epochs=epochs, batch=self.size.batch, rate=self.rate, decay=self.decay,
        )  # fmt: skip
        return _Form(view, conditioned, epochs, trained, count)

    def finish(self, form: _Form, mine: Tensor) -> dict[int, tuple[_Form, int, bool]]:
        """Per question of `mine` the form with as many epochs as help, its row there, and whether they sufficed."""
        final = {question: (form, question) for question in mine.tolist()}
        loss, pending = form.loss[mine], mine
        falling = form.tail[mine] >= SETTLED
        loss, pending = loss[falling], pending[falling]
        epochs = form.epochs
        for _ in range(DOUBLINGS):
            if not len(pending):
                break
            epochs *= 2
            longer = self.train(form.view, form.conditioned, epochs, pending)
            gain = loss - longer.loss
            final |= {q: (longer, row) for row, q in enumerate(pending.tolist()) if gain[row] > 0}
            falling = (gain >= SETTLED) & (longer.tail >= SETTLED)
            loss, pending = longer.loss[falling], pending[falling]
        unfinished = set(pending.tolist())
        return {question: (*found, question not in unfinished) for question, found in final.items()}


def _size(rows: int, width: int, epochs: int, networks: int) -> Size:
    """Small nets, many passes and an ensemble where rows are few."""
    size = next(size for fewer, size in SIZES if rows < fewer)
    return Size(width or size.width, epochs or size.epochs, size.batch, networks or size.networks)


def _views(seen: Rows, unseen: Rows, device: str) -> list[_View]:
    """Leading eigenvectors of the covariance, and all of the standardised columns; both whitened."""
    few, all_of = seen.moments.leading(LEADING), seen.moments.whitening
    views = [_View(f"{len(few.variance)} leading components", *_both(few, seen, unseen, 1.0, device))]
    count = len(all_of.variance)
    if count > LEADING:
        damp = np.minimum(1.0, LEADING / np.arange(1, count + 1)).astype(np.float32)
        views.append(_View("all components", *_both(all_of, seen, unseen, damp, device)))
    return views


def _both(
    whitening: Whitening, seen: Rows, unseen: Rows, damp: np.ndarray | float, device: str
) -> tuple[Tensor, Tensor]:
    old, new = (torch.from_numpy(whitening.components(rows.z) * damp).to(device) for rows in (seen, unseen))
    return old, new
