"""What every method is tried on: a small network, images under as many views as it asks for, and a training set."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.debias import Batch, Objective, Out, Sizes, Table
from leakaudit.numerics.taps import Tapped
from leakaudit.numerics.views import shifted

ROWS, TARGETS, PRIVATES = 24, 3, 4
SHAPE = (3, 8, 8)
WIDTH = 16
"""Numbers in the bottleneck of the small network."""


def network(kernel: int = 3, outputs: int = TARGETS) -> torch.nn.Module:
    """The small network."""
    return simple_convnet.build(outputs, SHAPE, kernel=kernel, width=2)


def second(text: str) -> Tapped:
    """A second network: the small one, with the kernel that is typed."""
    knobs = catalog.parse(text, "second").knobs if text else {}
    return Tapped(network(knobs.get("kernel", 3)), simple_convnet.BOTTLENECK)


@cache
def sizes(name: str = "") -> Sizes:
    """What the small network and the training set come to for a method."""
    if numeric(name):
        rows = sizes().table.sum(0, keepdim=True)
        return replace(sizes(), targets=1, table=rows, network=lambda _: Tapped(network(outputs=1), "classifier"))
    names = [name for name, _ in network().named_modules() if name]
    seen = Tapped(network(), simple_convnet.BOTTLENECK, names).eval()(torch.zeros(1, *SHAPE)).taps
    taps = {name: tuple(tap.shape[1:]) for name, tap in seen.items()}
    y, v = labels()
    table = torch.zeros(TARGETS, PRIVATES, dtype=torch.int64)
    table.index_put_((y, v), torch.ones(ROWS, dtype=torch.int64), accumulate=True)
    return Sizes(TARGETS, PRIVATES, WIDTH, ROWS, table, SHAPE, taps, second)


def labels() -> tuple[Tensor, Tensor]:
    """Targets and private classes of the training rows: random, and uneven."""
    random = torch.Generator().manual_seed(1)
    y, v = (torch.randint(k, (ROWS,), generator=random) for k in (TARGETS, PRIVATES))
    return y, torch.where(torch.rand(ROWS, generator=random) < 0.5, y, v)


def numeric(name: str) -> bool:
    """The method's target is a number."""
    return bool(name) and bool(getattr(catalog.thing("debias", name), "NUMBERS", False))


def targets(name: str) -> Tensor:
    """The targets that a method learns: classes, or the same as numbers."""
    return labels()[0].float() if numeric(name) else labels()[0]


@dataclass
class Trial:
    """A method, ready to learn from the training rows."""

    name: str
    module: ModuleType
    objective: Objective
    tapped: Tapped
    images: Tensor

    @property
    def blind(self) -> bool:
        """It is shown no private label."""
        return bool(getattr(self.module, "BLIND", False))

    def batch(self, rows: Tensor, *, v: Tensor | None = None) -> Batch:
        """These training rows under all views; private classes -1 where the method is blind, or as told."""
        y, private = targets(self.name), labels()[1]
        private = torch.full_like(private, -1) if self.blind else private
        private = private if v is None else v
        count = max(1, self.objective.views)
        chance = torch.Generator().manual_seed(3)
        images = self.images[rows]
        views = [shifted(self.images, chance)[rows] for _ in range(count)] if self.objective.views else [images]
        rows = rows.repeat(count)
        return Batch(torch.cat(views), y[rows], private[rows], rows)

    def out(self, batch: Batch) -> Out:
        """The network's answer as leaves, so that each part's gradient can be told."""
        out = self.tapped(batch.x)
        taps = {name: tap.detach().requires_grad_() for name, tap in out.taps.items()}
        return Out(out.z.detach().requires_grad_(), out.logits.detach().requires_grad_(), taps)

    def table(self, v: Tensor | None = None, epoch: int = 0) -> Table:
        """The training set between epochs."""
        y, private = targets(self.name), labels()[1]
        private = torch.full_like(private, -1) if self.blind else private

        def outputs() -> Out:
            with torch.no_grad():
                out: Out = self.tapped(self.images)
            return out

        def images() -> Iterator[Tensor]:
            yield from self.images.split(10)

        return Table(y, private if v is None else v, epoch, outputs, images)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss on a batch and its gradient on z, logits and taps."""
        out = self.out(batch)
        loss = self.objective(batch, out)
        parts = {"z": out.z, "logits": out.logits, **out.taps}
        slopes = torch.autograd.grad(loss, list(parts.values()), allow_unused=True)
        return loss.detach(), {
            name: torch.zeros_like(part) if slope is None else slope
            for (name, part), slope in zip(parts.items(), slopes, strict=True)
        }

    def exact(self) -> None:
        """In float64 from here on, where gradients are to be compared."""
        self.objective.double()
        self.tapped.double()
        self.images = self.images.double()

    def numbers(self) -> dict[str, Tensor]:
        """All that the objective remembers."""
        return {name: tensor.clone() for name, tensor in self.objective.state_dict().items()}


def try_out(name: str, **knobs: Any) -> Trial:
    """A method with these knobs, asked for weights once as before the first epoch, then in evaluation mode."""
    module = catalog.thing("debias", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = sizes(name)
        objective = module.objective(made, **knobs)
        net = network(outputs=made.targets)
        tapped = Tapped(net, simple_convnet.BOTTLENECK, objective.taps, readout=objective.readout).eval()
        images = torch.randn(ROWS, *SHAPE)
    trial = Trial(name, module, objective, tapped, images)
    objective.eval()
    objective.weights(trial.table())
    objective.eval()
    return trial
