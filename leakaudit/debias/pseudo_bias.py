"""
pseudo-bias: no private label is asked; the attractor of each training row stands in for it.

leakaudit's own. A twin of the model, trained to run after whatever is easiest (generalised cross-entropy), puts a row
that carries another class's dominant attribute near that class's centroid, and guesses that class: the class it is
drawn to is a label of the attribute, made out from the bottleneck while training. The twin learns alone for `warmup`
epochs, then, if `online`, along with the model; its guesses are smoothed over epochs and are handed to any method that
wants private labels, by `inner = "fairkl"` (knobs: `knobs = { variant = "released", lam = 0.5 }`). The private classes
are then the target classes.
"""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from leakaudit import catalog
from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.errors import InputError
from leakaudit.numerics.ambition import generalised
from leakaudit.numerics.knobs import above, at_least, at_most, share
from leakaudit.numerics.taps import Tapped

BLIND = True
WHERE = "pseudo-bias: inner"


class PseudoBias(Objective):
    """The loss of another method, on private labels that a twin made out."""

    inner: Tapped
    drawn_to: Float[Tensor, "rows targets"]
    """Smoothed probabilities of the twin."""

    def __init__(self, sizes: Sizes, method: Objective, biased: str, q: float, smoothing: float, warmup: int) -> None:
        super().__init__()
        self.inner, self.method = sizes.network(biased), method
        self.q, self.smoothing, self.warmup = q, smoothing, warmup
        self.views, self.readout, self.taps, self.least = method.views, method.readout, method.taps, method.least
        self.register_buffer("drawn_to", torch.zeros(sizes.rows, sizes.targets))

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The other method's loss; before the twin was asked no row has a private label."""
        loss: Tensor = self.method(replace(batch, v=_classes(self.drawn_to[batch.rows])), out)
        return loss

    def inner_step(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The twin's loss."""
        del out
        self.inner.train()
        return generalised(self.inner(batch.x).logits, batch.y, self.q)

    def weights(self, table: Table) -> Float[Tensor, " rows"] | None:
        """Before each epoch the twin is asked about every row."""
        self.inner.eval()
        with torch.no_grad():
            chances = torch.cat([self.inner(x).logits.softmax(1) for x in table.images()]).to(self.drawn_to.dtype)
        kept = self.smoothing if table.epoch else 0.0
        self.drawn_to = kept * self.drawn_to + (1 - kept) * chances
        return self.method.weights(replace(table, v=self.guessed()))

    def epoch(self, table: Table) -> None:
        """The other method's turn."""
        self.method.epoch(replace(table, v=self.guessed()))

    def guessed(self) -> Int64[Tensor, " rows"]:
        """The class that each training row is drawn to; -1 before the twin was asked."""
        return _classes(self.drawn_to)


def _classes(chances: Float[Tensor, "n targets"]) -> Int64[Tensor, " n"]:
    return torch.where(chances.sum(1) > 0, chances.argmax(1), -1)


def _blind(method: str) -> bool:
    return bool(getattr(catalog.thing("debias", method), "BLIND", False))


def objective(
    sizes: Sizes,
    *,
    inner: str = "bias-balance",
    knobs: dict | None = None,
    biased: str = "",
    q: float = 0.7,
    smoothing: float = 0.5,
    warmup: int = 2,
    online: bool = True,
) -> Objective:
    """
    The method `inner` with its `knobs` on pseudo-labels of the twin: the backbone `biased`, or the model's own.

    Unless `online` the twin stands still after its warm-up, before it learns rows that conflict by heart.

    Raises:
        InputError: there is no such method or knob, or it trains a second network of its own or asks no private label.
    """
    above("pseudo-bias", 0, q=q)
    at_most("pseudo-bias", 1, q=q)
    share("pseudo-bias", smoothing=smoothing)
    at_least("pseudo-bias", 1, warmup=warmup)
    module = catalog.thing("debias", inner, WHERE)
    given: dict[str, Any] = catalog.check(module.objective, knobs or {}, f"{WHERE} {inner}")
    if _blind(inner):
        asking = [name for name in catalog.names("debias") if not _blind(name)]
        raise InputError(
            f"{WHERE} = {inner!r}: a method that asks no private label has no use for one; {', '.join(asking)} do ask"
        )
    method: Objective = module.objective(
        replace(sizes, privates=sizes.targets, table=torch.zeros(sizes.targets, sizes.targets, dtype=torch.int64)),
        **given,
    )
    if method.inner is not None:
        raise InputError(
            f"{WHERE} = {inner!r}: it trains a second network of its own, beside the twin there is no place"
        )
    made = PseudoBias(sizes, method, biased, q, smoothing, warmup)
    made.inner_steps = int(online)
    return made
