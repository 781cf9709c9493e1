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
    chosen by the count of rows. `converged` says that the last fifth of the epochs lowered the held-out loss of each
    of the form's networks by less than 0.01 nats: more epochs would not have helped.
    """
    size = _size(len(seen), width, epochs, networks)
    views = _views(seen, unseen, device)
    strata, asked = torch.from_numpy(seen.target).to(device), torch.from_numpy(unseen.target).to(device)
    guesses: dict[int, Guesses] = {}
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        labels = torch.from_numpy(np.stack([questions[i].labels for i in alike])).to(device)
        weights = torch.from_numpy(np.stack([questions[i].weights for i in alike])).to(device)
        dealt = [parts(seen.strata * (questions[i].labels + 1) + seen.target, seen.group, 4, seed) for i in alike]
        part = torch.from_numpy(np.stack(dealt)).to(device)
        outside = torch.cat([part == k % 4 for k in range(size.networks)])
        forms = []
        for view in views:
            for conditioned in (0, seen.strata) if seen.strata > 1 else (0,):
                trained = perceptron.train(
                    view.seen, strata, labels.repeat(size.networks, 1), weights.repeat(size.networks, 1), outside,
                    classes, conditioned=conditioned, generator=generator(seed), width=size.width,
                    epochs=size.epochs, batch=size.batch, rate=rate, decay=decay,
                )  # fmt: skip
                forms.append(_Form(view, conditioned > 0, trained, size.networks))
        best = torch.stack([form.loss for form in forms]).argmin(0)
        for row, i in enumerate(alike):
            guesses[i] = forms[int(best[row])].guess(row, asked, size.epochs)
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
    trained: perceptron.Trained
    networks: int

    @property
    def loss(self) -> Tensor:
        """Held-out loss of each question, mean over its networks."""
        return self.trained.loss.view(self.networks, -1).mean(0)

    def guess(self, row: int, asked: Tensor, epochs: int) -> Guesses:
        """Mean of the probabilities of the question's networks."""
        mine = torch.arange(self.networks, device=asked.device) * (len(self.trained.loss) // self.networks) + row
        own = perceptron.Networks(**{name: t[mine] for name, t in vars(self.trained.networks).items()})
        chance = own.logits(self.view.unseen, asked).softmax(2).mean(0)
        best = ", ".join(str(int(epoch)) for epoch in self.trained.best[mine])
        note = f"{'conditioned on the target class' if self.conditioned else 'plain'}, {self.view.name}"
        settled = bool(self.trained.settled[mine].all())
        return Guesses(chance.cpu().numpy(), settled, (f"{note}, epochs {best} of {epochs}",))


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
