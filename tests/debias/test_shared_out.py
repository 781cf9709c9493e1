"""Every method learns the same from two processes, each with a share of the batch, as from one with all of it."""

import inspect
from typing import Any

import pytest
import torch
from proving import labels, sizes, targets, try_out
from ranked import Held, together
from torch import Tensor, nn

from leakaudit import catalog
from leakaudit.loop import Loop
from leakaudit.numerics import gather
from leakaudit.recipe import Training

NAMES = catalog.names("debias")
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("end", {"variant": "released"}),
    ("fairkl", {"variant": "released"}),
    ("learned-mixin", {"variant": "released", "warmup": 1}),
    ("lnl", {"head": "released"}),
    ("pseudo-bias", {"inner": "bias-contrast", "warmup": 1}),
    ("reweight", {"by": "loss"}),
]
BATCH = 21
"""Of 24 rows: a batch of 11 and 10 rows, and one of 3 that is too small to be shared out."""
CLOSE = {"rtol": 1e-8, "atol": 1e-10}


def learned(name: str, knobs: dict[str, Any], *, normed: bool = True, sync: bool = True) -> dict[str, Tensor]:
    """Gradients of the last step, and weights and all that is remembered after an epoch; all in float64."""
    sizes(name)
    trial = try_out(name, **knobs)
    if not normed:
        for network in (trial.tapped.network, getattr(trial.objective.inner, "network", None)):
            for at, layer in enumerate(network.features if network is not None else ()):
                network.features[at] = nn.Identity() if isinstance(layer, nn.BatchNorm2d) else layer
    trial.exact()
    how = {"name": "SGD", "lr": 0.1}
    plan = Training(epochs=1, batch_size=BATCH, optimizer=how, sync_batch_norm=sync, clip=2.0)
    loop = Loop(trial.tapped, trial.objective, plan, seed=0, device="cpu", where="test")
    v = torch.full_like(labels()[1], -1) if trial.blind else labels()[1]
    epoch = loop.epoch(0, Held(trial.images), targets(name), v)
    moved = [*trial.tapped.named_parameters(), *trial.objective.named_parameters()]
    slopes = {f"gradient of {key}": each.grad for key, each in moved if each.grad is not None}
    assert len(slopes) >= 10
    kept = {**trial.tapped.network.state_dict(), **{f"objective {k}": v for k, v in trial.numbers().items()}}
    return {**slopes, **kept, "loss": torch.tensor(epoch.loss, dtype=torch.float64)}


def knobs_of(name: str) -> dict[str, Any]:
    """A short warm-up, where there is one."""
    known = inspect.signature(catalog.thing("debias", name).objective).parameters
    return {"warmup": 1} if "warmup" in known else {}


CASES = [(name, knobs_of(name)) for name in NAMES]
FIRST = ("end", "fairkl", "irene", "lff", "pseudo-bias", "rebias", "supcon")
"""Of each kind of statistics one, views, twins, warm-up, and what is remembered of rows; the rest runs apart."""
PARTS = [
    [case for case in CASES if case[0] in FIRST],
    *[
        pytest.param(part, marks=pytest.mark.slow)
        for part in ([case for case in CASES if case[0] not in FIRST], VARIANTS)
    ],
]
"""A fork for each method would take longer than its training."""


@pytest.mark.parametrize("part", PARTS, ids=["first", "rest", "variants"])
def test_two_processes_learn_what_one_learns(part: list[tuple[str, dict[str, Any]]]) -> None:
    """Gradients, weights, statistics of batch norm and what the method remembers are those of the whole batch."""
    cases = {f"{name} {knobs}": (name, knobs) for name, knobs in part}

    def all_of_them() -> dict[str, Tensor]:
        found = {words: learned(*case) for words, case in cases.items()}
        return {f"{words}: {key}": tensor for words, made in found.items() for key, tensor in made.items()}

    whole = all_of_them()
    for shared in together(all_of_them):
        torch.testing.assert_close(shared, whole, **CLOSE)


@pytest.mark.slow
def test_three_processes_do_so_without_batch_norm_too() -> None:
    """Shares of 7 rows, and a last batch that all three pass whole; a second network, views, no norm."""

    def both(**how: bool) -> dict[str, Tensor]:
        found = {name: learned(name, {}, normed=False, **how) for name in ("rebias", "supcon")}
        return {f"{name}: {key}": tensor for name, made in found.items() for key, tensor in made.items()}

    whole = both()
    for shared in together(lambda: both(sync=False), 3):
        torch.testing.assert_close(shared, whole, **CLOSE)


def test_without_gathering_or_synchronising_gradients_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above look at is there to be lost: batch norm of each share, and losses of each share."""
    whole = learned("end", {})
    apart = together(lambda: learned("end", {}, sync=False))[0]
    assert far(apart, whole) > 1e-2
    plain = learned("end", {}, normed=False)
    monkeypatch.setattr(gather._Gather, "backward", staticmethod(lambda ctx, slope: (_own(ctx, slope), None)))
    assert far(together(lambda: learned("end", {}, normed=False))[0], plain) > 1e-2


def far(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of a gradient, relative to the largest of it."""
    names = [name for name in one if name.startswith("gradient")]
    return max(float((one[name] - other[name]).abs().max() / other[name].abs().max()) for name in names)


def _own(ctx: Any, slope: Tensor) -> Tensor:
    """As if a rank's rows were seen by its own loss alone."""
    start = sum(ctx.counts[: gather.ranks().rank])
    return slope[start : start + ctx.counts[gather.ranks().rank]]
