"""
The one loop that trains every method: batches in, the objective's scalar down, epoch after epoch.

All chance inside an epoch is derived from the seed and the epoch's number, so a run that is taken up again after an
epoch goes on as if nothing had happened. Ranks that torchrun started draw the same batches, pass a share of each, and
take the same step (`numerics.sharing`); running statistics are those of rank 0, where ranks have some of their own.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from leakaudit import store
from leakaudit.debias import Batch, Objective, Out, Table
from leakaudit.errors import InputError
from leakaudit.numerics import compiling
from leakaudit.numerics import device as devices
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.gather import agreed, align, ranks
from leakaudit.numerics.optimiser import advance, optimiser, restore, schedule
from leakaudit.numerics.sharing import FEWEST, OwnChance, Sharing, averaged, reached, spread, whole
from leakaudit.numerics.synchronised import synchronise
from leakaudit.numerics.taps import Tapped
from leakaudit.numerics.unit import Unit
from leakaudit.numerics.views import shifted
from leakaudit.recipe import Training

Target = Int64[Tensor, " rows"] | Float[Tensor, " rows"]
EVALUATED = 1024
"""Rows in one batch that nothing is learned from."""


class Learned(NamedTuple):
    """What one epoch came to."""

    loss: float
    """Mean over the epoch's rows."""
    lr: float
    accuracy: float | None = None
    """Target accuracy on the training rows, each at the moment it was learned from; None for a target of numbers."""
    mae: float | None = None
    """For a target of numbers: mean absolute error in its own unit, likewise."""
    r2: float | None = None
    """And the share of its variance that is explained."""


class Loop:
    """A network, what it goes down on, and what moves it."""

    def __init__(
        self, tapped: Tapped, objective: Objective, plan: Training, *, seed: int, device: str, where: str,
        unit: Unit | None = None,
    ) -> None:  # fmt: skip
        """
        Optimisers and schedule for a network; `unit` is that of a target of numbers, None where it has classes.

        Raises:
            InputError: torch has no such optimiser or schedule, or not with these arguments, or cannot compile here;
            `where` begins the message.
        """
        self.tapped, self.objective = tapped.to(device), objective.to(device)
        if plan.compile:
            compiling.ready(device, where)
        if plan.channels_last:
            objective.to(memory_format=torch.channels_last)
        self.ranks = ranks()
        self.networks = [each for each in (tapped, *objective.modules()) if isinstance(each, Tapped)]
        if plan.sync_batch_norm and self.ranks.world > 1:
            for held in self.networks:
                synchronise(held.network, where)
        for each in (tapped, objective.inner):
            if isinstance(each, Tapped):
                each.hasten(where, amp=plan.amp, channels_last=plan.channels_last, compiled=plan.compile)
        self.plan, self.seed, self.device, self.where, self.unit = plan, seed, device, where, unit
        inner = objective.inner
        apart = set() if inner is None else set(inner.parameters())
        self.own = [parameter for parameter in objective.parameters() if parameter not in apart]
        self.optimizer = optimiser([tapped.parameters(), self.own], plan.optimizer, where)
        self.inner = None if inner is None else optimiser([inner.parameters()], plan.optimizer, where)
        self.schedulers = [
            schedule(each, plan.scheduler, where) for each in (self.optimizer, self.inner) if each is not None
        ]
        self.answer: Callable[..., Out] = tapped
        self.step_inner: Callable[..., Tensor] = objective.inner_step
        self.chance: OwnChance | None = None

    def epoch(self, number: int, feed: Feed, y: Target, v: Int64[Tensor, " rows"]) -> Learned:
        """
        Learn from every row once, or as often as the objective weighs it; epochs are counted from 0.

        `y` are classes, or numbers in their own unit.

        Raises:
            InputError: the loss or a weight is not finite, or the learning rate has no float32.
        """
        lr = float(self.optimizer.param_groups[0]["lr"])
        if lr > torch.finfo(torch.float32).max:
            raise InputError(f"{self.where}: the learning rate of epoch {number + 1} is {lr:g}: no float32 holds it")
        y = y if self.unit is None else self.unit.inward(y)
        with chance(self.seed, "epoch", number):
            generator = devices.generator(derived(self.seed, "rows", number), self.device)
            self._meet(number, feed)
            for _ in range(0 if number or self.inner is None else self.objective.warmup):
                for batch in self._batches(feed, self._draw(len(y), None, generator), y, v, generator):
                    self._warm(batch)
            self._agree()
            weights = self.objective.weights(self._table(number, feed, y, v))
            self._agree()
            parts = self._draw(len(y), weights, generator)
            loss, tally = torch.zeros((), device=self.device), torch.zeros(2, device=self.device)
            rows = 0
            for batch in self._batches(feed, parts, y, v, generator):
                out, value = self._step(batch)
                loss = loss + value * len(batch.y)
                tally = tally + self._tally(out.logits, batch.y)
                rows += len(batch.y)
            loss, tally = agreed(loss), agreed(tally)
            mean = float(loss) / rows
            if not math.isfinite(mean) or not agreed(self._finite()):
                raise InputError(
                    f"{self.where}: the loss is not finite in epoch {number + 1} of {self.plan.epochs} (learning rate "
                    f"{lr:g}): a lower rate in train.optimizer, or train.clip, may help"
                )
            self._agree()
            self.objective.epoch(self._table(number + 1, feed, y, v))
        for each in self.schedulers:
            advance(each, mean)
        first, second = (tally / rows).tolist()
        if self.unit is None:
            return Learned(mean, lr, accuracy=first)
        return Learned(mean, lr, mae=first * self.unit.deviation, r2=1 - second)

    def outputs(self, feed: Feed) -> Out:
        """Bottleneck, logits and taps of all rows, in their own order, in evaluation mode; each rank passes a part."""
        self.tapped.eval()
        parts, counts = spread(self.ranks, len(feed), EVALUATED, self.device)
        with torch.no_grad():
            outs = [self.tapped(x) for x in feed.batches(parts)]
            taps = {name: whole(torch.cat([out.taps[name] for out in outs]), counts) for name in outs[0].taps}
            z, logits = torch.cat([out.z for out in outs]), torch.cat([out.logits for out in outs])
            return Out(whole(z, counts), whole(logits, counts), taps)

    def guesses(self, feed: Feed) -> Target:
        """The target class that the network names for each row, or the number that it says, in its own unit."""
        self.tapped.eval()
        parts, counts = spread(self.ranks, len(feed), EVALUATED, self.device)
        with torch.no_grad():
            logits = whole(torch.cat([self.tapped(x).logits for x in feed.batches(parts)]), counts)
        return logits.argmax(1) if self.unit is None else self.unit.outward(logits[:, 0])

    def state_dict(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "network": self.tapped.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "inner": None if self.inner is None else self.inner.state_dict(),
            "schedulers": [None if each is None else each.state_dict() for each in self.schedulers],
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Stand where another loop of the same making stood."""
        self.tapped.network.load_state_dict(kept["network"])
        self.objective.load_state_dict(kept["objective"])
        restore(self.optimizer, kept["optimizer"])
        if self.inner is not None:
            restore(self.inner, kept["inner"])
        for each, state in zip(self.schedulers, kept["schedulers"], strict=True):
            if each is not None:
                each.load_state_dict(state)

    def _batches(
        self, feed: Feed, parts: list[Int64[Tensor, " _"]], y: Tensor, v: Tensor, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The rows of each part, under as many views as the objective wants; images of this rank's share."""
        views = self.objective.views
        shares = [self._sharing(len(part)) for part in parts]
        mine = [
            part if share is None else part[share.rows.start : share.rows.stop]
            for part, share in zip(parts, shares, strict=True)
        ]
        try:
            for x, part, share in zip(feed.batches(mine), parts, shares, strict=True):
                for each in self.networks:
                    each.share(share)
                if not views:
                    yield Batch(x, y[part], v[part], part)
                    continue
                rows, own = part.repeat(views), None if share is None else share.rows
                moved = torch.cat([shifted(x, generator, len(part), own) for _ in range(views)])
                yield Batch(moved, y[rows], v[rows], rows)
        finally:
            for each in self.networks:
                each.share(None)

    def _meet(self, number: int, feed: Feed) -> None:
        """
        Before an epoch: how ranks average gradients, and chance of their own.

        Anew each time: DistributedDataParallel orders gradients by the first step that it sees, and a run that is taken
        up again sums them in the order of one that was not interrupted.
        """
        if self.ranks.world == 1:
            return
        self.chance = OwnChance(derived(self.seed, "rank", self.ranks.rank, number), self.device)
        (x,) = feed.batches([torch.zeros(1, dtype=torch.int64, device=self.device)])
        self.answer = averaged(self.tapped, [*reached(self.tapped, x), *self.own])
        inner = self.objective.inner
        if inner is not None:
            moved = reached(inner, x) if isinstance(inner, Tapped) else inner.parameters()
            self.step_inner = averaged(self.objective.inner_step, moved)

    def _sharing(self, rows: int) -> Sharing | None:
        """How so many rows are shared out; None: every rank passes all of them, and no answer is gathered."""
        if self.chance is None or rows < FEWEST * self.ranks.world:
            return None
        return Sharing(self.ranks, rows, max(1, self.objective.views), self.chance)

    def _agree(self) -> None:
        """All that is not learned by gradients is rank 0's from here on."""
        align([*self.tapped.buffers(), *self.objective.buffers()])

    def _tally(self, logits: Float[Tensor, "n k"], y: Target) -> Float[Tensor, "2"]:
        """Hits, twice; for numbers, absolute and squared errors in deviations: sums over rows."""
        if self.unit is None:
            return (logits.argmax(1) == y).sum().float().expand(2)
        error = logits[:, 0] - y
        return torch.stack([error.abs().sum(), error.square().sum()])

    def _warm(self, batch: Batch) -> None:
        """A step of the second network alone."""
        assert self.inner is not None
        self.tapped.eval()
        self.objective.train()
        with torch.no_grad():
            out = self.tapped(batch.x)
        self.inner.zero_grad()
        self.step_inner(batch, out).backward()
        self.inner.step()

    def _step(self, batch: Batch) -> tuple[Out, Float[Tensor, ""]]:
        """Steps of the second network, where there is one, then one of the model."""
        self.tapped.train()
        self.objective.train()
        out = self.answer(batch.x)
        if self.inner is not None:
            for _ in range(self.objective.inner_steps):
                self.inner.zero_grad()
                self.step_inner(batch, out.detach()).backward()
                self.inner.step()
        self.optimizer.zero_grad()
        loss = self.objective(batch, out)
        loss.backward()
        if self.plan.clip is not None:
            moved = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(moved, self.plan.clip)
        self.optimizer.step()
        return out.detach(), loss.detach()

    def _draw(
        self, rows: int, weights: Float[Tensor, " rows"] | None, generator: torch.Generator
    ) -> list[Int64[Tensor, " _"]]:
        """Rows of the epoch's batches; a row that would be alone in the last joins the one before (batch norm)."""
        if weights is None:
            order = torch.randperm(rows, generator=generator, device=self.device)
        else:
            order = torch.multinomial(weights.to(self.device), rows, replacement=True, generator=generator)
        parts = list(agreed(order).split(self.plan.batch_size))
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [torch.cat(parts[-2:])]
        return parts

    def _table(self, finished: int, feed: Feed, y: Tensor, v: Tensor) -> Table:
        return Table(y, v, finished, lambda: self.outputs(feed), lambda: feed.batches(feed.in_order(EVALUATED)))

    def _finite(self) -> Bool[Tensor, ""]:
        moved = (*self.tapped.parameters(), *self.objective.parameters())
        return torch.stack([torch.isfinite(tensor).all() for tensor in moved]).all()


def derived(seed: int, *words: str | int) -> int:
    """A seed for one purpose, below 2^63."""
    return int(store.digest("train", str(seed), *map(str, words))[:15], 16)


@contextlib.contextmanager
def chance(seed: int, *words: str | int) -> Iterator[None]:
    """Torch's own generators, which weights and dropout draw from, seeded for one purpose and then as before."""
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []):
        torch.manual_seed(derived(seed, *words))
        yield
