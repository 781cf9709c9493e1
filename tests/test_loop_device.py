"""A step asks nothing back from the device, so that the processor can run ahead of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from small import PRIVATES, TARGETS
from torch import Tensor, nn

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Pixels
from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.loop import Loop
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.optimiser import optimiser
from leakaudit.numerics.painting import Painted
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

ROWS = 12
KNOBS: dict[str, list[dict[str, Any]]] = {
    "bias-contrast": [{"balanced": True, "ratio": 10.0}],
    **{name: [{"variant": "paper"}, {"variant": "released"}] for name in ("end", "fairkl", "learned-mixin", "rubi")},
    "lnl": [{"head": "small"}, {"head": "released"}],
    "pseudo-bias": [{"inner": inner} for inner in ("fairkl", "group-dro", "irene")],
    "reweight": [{"by": "draw"}, {"by": "loss"}],
}
"""Knobs by which a step goes another way; all other methods stand with their defaults."""
CASES = [(name, knobs) for name in catalog.names("debias") for knobs in KNOBS.get(name, [{}])]


def network(outputs: int, kernel: int = 3) -> nn.Module:
    """A small network."""
    return simple_convnet.build(outputs, (3, 8, 8), kernel=kernel, width=1)


def made(objective: Objective, outputs: int, device: str, **train: Any) -> tuple[Loop, Batch]:
    """A loop, and a batch as it makes them."""
    tapped = Tapped(network(outputs), simple_convnet.BOTTLENECK, objective.taps, readout=objective.readout)
    plan = Training(batch_size=ROWS, clip=1.0, **train)
    loop = Loop(tapped, objective, plan, seed=0, device=device, where="test")
    rows = torch.arange(ROWS, device=device).repeat(max(1, objective.views))
    y = rows % TARGETS if outputs > 1 else (rows % TARGETS).float()
    return loop, Batch(torch.rand(len(rows), 3, 8, 8).to(device), y, rows % PRIVATES, rows)


def case(name: str, knobs: dict[str, Any], device: str, **train: Any) -> tuple[Loop, Batch]:
    """The same, of a method."""
    module = catalog.thing("debias", name)
    outputs = 1 if getattr(module, "NUMBERS", False) else TARGETS
    sizes = Sizes(
        outputs, PRIVATES, 8, ROWS, torch.full((outputs, PRIVATES), 2), (3, 8, 8), {"features.5": (2, 8, 8)},
        lambda text: Tapped(network(outputs, 1 if text else 3), simple_convnet.BOTTLENECK),
    )  # fmt: skip
    return made(module.objective(sizes, **knobs), outputs, device, **train)


def step(loop: Loop, batch: Batch) -> Tensor:
    """All that the loop does with a batch."""
    if loop.inner is not None:
        loop._warm(batch)
    out, value = loop._step(batch)
    return loop._tally(out.logits, batch.y) + value


@pytest.mark.parametrize(("name", "knobs"), CASES, ids=str)
def test_a_step_of_any_method_does_without_numbers(name: str, knobs: dict[str, Any]) -> None:
    """It runs on tensors of torch's meta device, which have shapes alone: nothing reads a number off them."""
    assert step(*case(name, knobs, "meta")).device.type == "meta"


class Asking(Objective):
    """Cross-entropy of the rows of the first class, as one would write it at first."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        """By a mask of rows, whose count the processor must know."""
        first = batch.y == 0
        return nn.functional.cross_entropy(out.logits[first], batch.y[first])


def test_a_step_that_asks_is_noticed() -> None:
    """Rows chosen by a mask, and a number that is looked at, fail there."""
    with pytest.raises((NotImplementedError, RuntimeError), match=r"nonzero|meta"):
        step(*made(Asking(), TARGETS, "meta"))
    with pytest.raises(RuntimeError, match="meta"):
        float(step(*case("vanilla", {}, "meta"))[0])


@pytest.mark.parametrize("painted", [True, False])
def test_images_that_sit_on_the_device_come_without_a_question(*, painted: bool) -> None:
    """Coloured there or normalised there, a batch of any rows is made of shapes alone."""
    drawn = np.zeros((ROWS, 8, 8), np.uint8)
    images = Painted(drawn, np.zeros((ROWS, 3), np.uint8)) if painted else Pixels(np.zeros((ROWS, 3, 8, 8), np.uint8))
    data = Dataset("toy", "train", images, {}, np.arange(ROWS, dtype=np.uint64), (0.5,) * 3, (0.5,) * 3)
    feed = Feed(data, "meta")
    for x in feed.batches(feed.in_order(5)):
        assert x.device.type == "meta"


@pytest.fixture
def strict() -> Iterator[None]:
    """Torch refuses to wait for the device."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize(("name", "knobs"), CASES, ids=str)
def test_a_step_of_any_method_does_not_wait_for_cuda(
    name: str, knobs: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Torch itself says so, in mixed precision and with channels last; the second step, when all is allocated."""
    loop, batch = case(name, knobs, "cuda:0", amp=True, channels_last=True)
    step(loop, batch)
    request.getfixturevalue("strict")
    step(loop, batch)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_batches_of_an_epoch_do_not_wait_for_cuda(request: pytest.FixtureRequest) -> None:
    """From the rows of its parts to the last tally; the epoch itself asks once for all, when it is over."""
    loop, batch = case("vanilla", {}, "cuda:0", amp=True, channels_last=True)
    images = Painted(np.zeros((3 * ROWS, 8, 8), np.uint8), np.zeros((3 * ROWS, 3), np.uint8))
    data = Dataset("toy", "train", images, {}, np.arange(3 * ROWS, dtype=np.uint64), (0.5,) * 3, (0.5,) * 3)
    feed, generator = Feed(data, "cuda:0"), torch.Generator("cuda:0")
    y, v = batch.y.repeat(3), batch.v.repeat(3)
    for attempt in range(2):
        if attempt:
            request.getfixturevalue("strict")
        for part in loop._batches(feed, loop._draw(len(y), None, generator), y, v, generator):
            step(loop, part)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_steps_on_cuda_are_fused_unless_the_recipe_says_how() -> None:
    """Adam and SGD take fused steps; a recipe that asks for another way gets it."""
    weights = [nn.Parameter(torch.zeros(2, device="cuda:0"))]
    assert optimiser([weights], {"name": "Adam"}, "here").param_groups[0]["fused"] is True
    assert optimiser([weights], {"name": "SGD", "momentum": 0.9}, "here").param_groups[0]["fused"] is True
    assert not optimiser([weights], {"name": "AdamW", "foreach": True}, "here").param_groups[0]["fused"]
    assert not optimiser([weights], {"name": "Adam", "fused": False}, "here").param_groups[0]["fused"]
