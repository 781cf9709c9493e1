"""
A perceptron of one hidden layer on directions in which the classes differ: plain or conditioned on the target class.

Finds what no hyperplane does: leaks by interaction, by distance, and those whose direction depends on the target.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from leakaudit.attackers import Guesses, Question, Rows, components
from leakaudit.numerics import deck, perceptron, sizes
from leakaudit.numerics.device import generator
from leakaudit.numerics.directions import CONTRASTS, directions
from leakaudit.numerics.holdout import parts
from leakaudit.numerics.inputs import CONDITIONS, VIEWS, Inputs, Maps, Side, learned
from leakaudit.numerics.perceptron import PERIODS, Plan, Trained
from leakaudit.numerics.pilots import Spent, Trial, losses
from leakaudit.numerics.sizes import CROWDED, MANY, Size

DECIDES = True

LEADING = 8
"""Whitened components that count in full where rows are few; the j-th of those behind them is damped by 8 / j."""
TRUST = 0.25
"""Power of the weights in training; what that leaves of the classes' shares within a target class is made up for."""
CELLS = 1 << 26
"""Numbers of a hidden layer over all rows and questions trained together, at most."""
BENT = 64
"""Private classes up to which forms conditioned on the target class are tried."""
SETTLED = 0.01
"""Nats of held-out loss that count as progress."""
DOUBLINGS = 2
"""How often the epochs are doubled while that makes progress."""
MEANS = 12
"""Directions of means where many rows are conditioned on the target class, which may each have one of their own."""
LOOKS = (5, 6, 7, 8, 9, 10)
"""Tenths of the training after which many rows are held against the networks."""
LATE = (8, 10)
"""The same of what is only tried."""
TWO = 2
EVEN = 0.05
"""Nats of prior that count as none."""


class Form(NamedTuple):
    """A way to guess."""

    conditioned: bool
    views: tuple[int, ...]
    """One network, or as many as asked for, on each."""
    epochs: int
    decay: float
    init: int


@dataclass(frozen=True)
class Settled:
    """What was chosen for a question."""

    form: Form
    stop: tuple[int, ...]
    """Tenth of the training in which each network was best."""
    scale: tuple[float, ...]
    converged: bool
    maps: Maps


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    width: int = 0,
    epochs: int = 0,
    networks: int = 1,
    rate: float = 0.0,
    decay: float = 0.6,
    inits: int = 1,
    decays: int = 1,
) -> list[Guesses]:
    """
    Guess by the form with the lowest weighted cross-entropy on held-out groups of the seen rows.

    Rows are centred and whitened within their target classes, and each class has an offset of its own. A form is plain
    or conditioned on the target class, which then bends the network as well. From 20,000 rows on it is one network on
    components of z or on those of its columns' normal scores, and forms are tried on half of the rows, along directions
    held fast; below, it is the mean of one on each, with another quarter of the rows held out.
    More than 8 questions about that many rows get half the hidden units and directions each.
    `networks` multiplies that; `inits` and `decays` (each a third of the one before) are more forms to choose from. A
    knob of 0 is chosen by the count of rows. Weights count to the power 1/4 in training; what is left of the classes'
    shares stands beside the logits there. Where the last fifth of the epochs still lowered the held-out loss by 0.01
    nats, the form is trained again for twice the epochs, at most twice. `converged` says that the epochs were not what
    limits it: at the end either the last fifth of them or their doubling brought less than 0.01 nats. Beyond 64 private
    classes no form is conditioned.
    """
    size = sizes.size(len(seen), len(questions), width, epochs, rate)
    known = next((question.settled.maps for question in questions if isinstance(question.settled, Settled)), None)
    maps, scored = (known, None) if known else learned(seen.z, seed, device)
    inputs = Inputs(
        Side(seen.z, seen.target), Side(unseen.z, unseen.target), seen.strata, maps,
        LEADING if len(seen) < MANY else 0, device, lambda: components(seen, unseen)[:2], scored,
    )  # fmt: skip
    views: tuple[tuple[int, ...], ...] = ((0, 1),) if len(seen) < MANY else ((0,), (1,))
    kinds = product(views, range(inits), range(decays))
    plain = [Form(False, view * networks, size.epochs, decay / 3**weaker, init) for view, init, weaker in kinds]
    guesses: dict[int, Guesses] = {}
    for classes, free in sorted({(question.classes, question.settled is None) for question in questions}):
        alike = [i for i, q in enumerate(questions) if (q.classes, q.settled is None) == (classes, free)]
        bent = [form._replace(conditioned=True) for form in plain] if seen.strata > 1 and classes <= BENT else []
        many = max(1, CELLS // (len(seen) * max(size.width, classes)))
        for first in range(0, len(alike), many):
            mine = alike[first : first + many]
            job = _Job(inputs, seen, [questions[i] for i in mine], classes, size, seed)
            answers = job.choose(bent + plain) if free else job.refit()
            guesses.update(zip(mine, (job.guesses(*answer) for answer in answers), strict=True))
    return [guesses[i] for i in range(len(questions))]


@dataclass(frozen=True)
class _Fit:
    """A form trained for some questions: the networks of each member, in the order of the questions."""

    form: Form
    members: tuple[Trained, ...]

    @property
    def loss(self) -> Tensor:
        """Held-out loss of each question, mean over the members."""
        return torch.stack([member.loss for member in self.members]).mean(0)

    @property
    def tail(self) -> Tensor:
        """What the last fifth of the training gained."""
        return torch.stack([member.tail for member in self.members]).mean(0)


class _Answer(NamedTuple):
    """The fit of a question, its row there, and whether the epochs sufficed."""

    fit: _Fit
    row: int
    converged: bool


class _Job:
    """Questions with one count of classes, and how to train for them."""

    def __init__(
        self, inputs: Inputs, rows: Rows, questions: list[Question], classes: int, size: Size, seed: int
    ) -> None:
        self.inputs, self.questions, self.classes, self.size = inputs, questions, classes, size
        self.seed, device = seed, inputs.device
        labels, weights = np.stack([q.labels for q in questions]), np.stack([q.weights for q in questions])
        self.labels = torch.from_numpy(labels).to(device)
        counts = torch.from_numpy(weights).to(device) * (self.labels >= 0)
        self.counts = counts.clamp_min(0).pow(TRUST) * (counts > 0)
        self.prior = self._prior(counts)
        part = parts((classes + 1) * rows.target + labels[0] + 1, rows.group, 4, seed)
        self.part = torch.from_numpy(part).to(device)

    def _prior(self, counts: Tensor) -> Tensor | None:
        """Log of what the trusted weights make of each class within each target class, over what the weights do."""
        place = self.inputs.strata * self.classes + self.labels.clamp_min(0)
        part, whole = (
            weights.new_zeros(len(place), self.inputs.count * self.classes).scatter_add_(1, place, weights)
            for weights in (self.counts, counts)
        )
        ratio = torch.where(whole > 0, part / whole.clamp_min(1e-12), 1.0).clamp_min(1e-6).log()
        prior = ratio.view(len(place), -1, self.classes)
        prior = prior - prior.mean(2, keepdim=True)
        return prior if float(prior.abs().max()) > EVEN else None

    def train(self, form: Form, mine: Tensor, stop: Tensor | None = None, scale: Tensor | None = None) -> _Fit:
        """Networks of one form for the questions `mine`; with `stop` and `scale` of each member on all rows."""
        members = []
        hot, strata = self.inputs.hot.seen, self.inputs.strata
        labels, counts = self.labels[mine], self.counts[mine]
        looks = LOOKS if len(strata) >= MANY or self.classes > BENT else tuple(range(1, PERIODS + 1))
        plan = Plan(self.size.width, form.epochs, self.size.batch, self.size.rate, form.decay, looks)
        means = MEANS if form.conditioned and len(strata) >= MANY else self.size.directions
        for at, view in enumerate(form.views):
            x = self.inputs.seen(view)
            inside, outside = deck.Rows(x, hot, strata, labels, counts), None
            if stop is None:
                held = self.part == at % 4
                inside, outside = inside._replace(weights=counts * ~held), inside._replace(weights=counts * held)
            chance = generator(self.seed + 1000 * form.init + at)
            begin = directions(
                x, hot if form.conditioned else hot[:, :0], labels, inside.weights, self.classes,
                means=means, spreads=self.size.directions, generator=chance,
            )  # fmt: skip
            given = (None, None) if stop is None or scale is None else (stop[at], scale[at])
            prior = None if self.prior is None else self.prior[mine]
            made = perceptron.train(
                inside, outside, begin, prior, self.classes, plan, generator=chance, stop=given[0], scale=given[1]
            )
            members.append(made)
        return _Fit(form, tuple(members))

    def choose(self, forms: list[Form]) -> list[_Answer]:
        """Each question's best form, trained for as many epochs as help."""
        every = torch.arange(len(self.questions), device=self.inputs.device)
        found: dict[int, _Answer] = {}
        if len(forms) == 1 or len(self.inputs.strata) < MANY:
            fits = [self.train(form, every) for form in forms]
            best = torch.stack([fit.loss for fit in fits]).argmin(0)
            for at, fit in enumerate(fits):
                found |= self._finish(fit, (best == at).nonzero().squeeze(1), every)
        else:
            best = self.pilots(forms).argmin(0)
            for at in best.unique().tolist():
                mine = (best == at).nonzero().squeeze(1)
                again = self._finish(self.train(forms[at], mine), every[: len(mine)], mine)
                found |= {question: again[row] for row, question in enumerate(mine.tolist())}
        return [found[i] for i in range(len(self.questions))]

    def pilots(self, forms: list[Form]) -> Tensor:
        """Held-out loss of each form, tried on half of the rows."""
        used = (self.part == 1) | (self.part == TWO)
        trial = Trial(self.labels, self.counts * used, self.counts * (self.part == 0), self.prior, self.classes)
        made: dict[Form, Tensor] = {}
        for decay, init in sorted({(form.decay, form.init) for form in forms}):
            alike = [form for form in forms if (form.decay, form.init) == (decay, init)]
            ways = [(form.conditioned, form.views[0]) for form in alike]
            plan = Plan(self.size.width, self.size.epochs, self.size.batch // 2, self.size.rate, decay, LATE)
            spent = Spent(plan, self.size.directions, self.size.directions)
            made |= dict(zip(alike, losses(self.inputs, trial, ways, spent, self.seed + 1000 * init), strict=True))
        return torch.stack([made[form] for form in forms])

    def refit(self) -> list[_Answer]:
        """Each question's settled form, on all rows."""
        settled: list[Settled] = [question.settled for question in self.questions]
        found: dict[int, _Answer] = {}
        for form in sorted({each.form for each in settled}):
            mine = [i for i, each in enumerate(settled) if each.form == form]
            stop, scale = (
                torch.tensor([getattr(settled[i], name) for i in mine], device=self.inputs.device).T
                for name in ("stop", "scale")
            )
            fit = self.train(form, torch.tensor(mine, device=self.inputs.device), stop, scale)
            found |= {i: _Answer(fit, row, settled[i].converged) for row, i in enumerate(mine)}
        return [found[i] for i in range(len(self.questions))]

    def _finish(self, fit: _Fit, mine: Tensor, every: Tensor) -> dict[int, _Answer]:
        """Per row of the fit in `mine` the fit with as many epochs as help; `every` is the question of each row."""
        final = {question: _Answer(fit, question, converged=True) for question in mine.tolist()}
        falling = fit.tail[mine] >= SETTLED
        loss, pending = fit.loss[mine][falling], mine[falling]
        form = fit.form
        for _ in range(DOUBLINGS):
            if not len(pending):
                break
            form = form._replace(epochs=2 * form.epochs)
            longer = self.train(form, every[pending])
            gain = loss - longer.loss
            final |= {q: _Answer(longer, row, True) for row, q in enumerate(pending.tolist()) if gain[row] > 0}
            falling = (gain >= SETTLED) & (longer.tail >= SETTLED)
            loss, pending = longer.loss[falling], pending[falling]
        return final | {q: final[q]._replace(converged=False) for q in pending.tolist()}

    def _reductions(self) -> list[str]:
        """What many classes were spared."""
        strata = self.inputs.count
        said = {
            f"directions begin from {CONTRASTS} random halves of {self.classes:,} classes": self.classes > CONTRASTS,
            f"{CONDITIONS} of {strata:,} target classes told apart, the others as one": strata > CONDITIONS,
            f"plain alone: more than {BENT} private classes": self.classes > BENT and strata > 1,
        }
        return [words for words, true in said.items() if true]

    def guesses(self, fit: _Fit, row: int, converged: bool) -> Guesses:  # noqa: FBT001  # a field of the answer
        """Mean of the probabilities of the question's networks."""
        form, hot = fit.form, self.inputs.hot.unseen
        mine = torch.tensor([row], device=self.inputs.device)
        chance = sum(
            member.networks.take(mine).logits(self.inputs.unseen(view), hot)[0].softmax(1)
            for view, member in zip(form.views, fit.members, strict=True)
        ) / len(fit.members)
        stop = tuple(int(member.best[row]) for member in fit.members)
        scale = tuple(float(member.scale[row]) for member in fit.members)
        way = "conditioned on the target class" if form.conditioned else "plain"
        views = " and ".join(VIEWS[view] for view in sorted(set(form.views)))
        said = f"{way}, {views}, tenth {'/'.join(map(str, stop))} of {form.epochs} epochs, decay {form.decay:.2g}"
        said += f", {self.size.width} units, as many questions were asked" if self.size is CROWDED else ""
        notes = (said, *self._reductions()) if converged else (said, "held-out loss still falling", *self._reductions())
        settled = Settled(form, stop, scale, converged, self.inputs.maps)
        assert isinstance(chance, Tensor)
        return Guesses(chance.cpu().numpy(), converged, notes, settled)
