"""Knobs of [train] that make a run quicker change its weights by rounding alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor
from torch._dynamo.utils import counters

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.debias import Objective, Sizes
from leakaudit.loop import Loop, chance
from leakaudit.numerics import state
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROWS, SHAPE = 41, (3, 8, 8)
METHODS = {"vanilla": {}, "lnl": {}, "supcon": {}, "rebias": {}, "learned-mixin": {"warmup": 1}}
"""One with views and a read-out, one with taps, and two with a second network of another kernel."""
COMPILER = "torch._inductor.compile_fx"


def images() -> Dataset:
    """41 random images: two batches of 16, and nine rows."""
    random = np.random.default_rng(0)
    labels = {name: Labels(random.integers(0, 2, ROWS), ("a", "b")) for name in ("y", "v")}
    images = Pixels(random.integers(0, 256, (ROWS, *SHAPE), dtype=np.uint8))
    return Dataset("toy", "train", images, labels, identify("toy", np.arange(ROWS)), (0.5,) * 3, (0.5,) * 3)


def network(kernel: int = 3) -> torch.nn.Module:
    """A small network, always with the same weights."""
    with chance(0, "network"):
        return simple_convnet.build(2, SHAPE, kernel=kernel, width=2)


def made(method: str, knobs: dict[str, Any], **train: Any) -> Loop:
    """A loop in plain gradient descent, which does not blow up rounding as Adam does where a gradient is nothing."""
    probe = Tapped(network(), simple_convnet.BOTTLENECK, ["features.5"])
    maps = {"features.5": tuple(probe(torch.zeros(2, *SHAPE)).taps["features.5"].shape[1:])}
    sizes = Sizes(
        2, 2, 16, ROWS, torch.full((2, 2), 10), SHAPE, maps,
        lambda text: Tapped(network(1 if text else 3), simple_convnet.BOTTLENECK),
    )  # fmt: skip
    with chance(0, "objective"):
        objective: Objective = catalog.thing("debias", method).objective(sizes, **knobs)
    tapped = Tapped(network(), simple_convnet.BOTTLENECK, objective.taps, readout=objective.readout)
    plan = Training(batch_size=16, optimizer={"name": "SGD", "lr": 0.01, "momentum": 0.9}, **train)
    return Loop(tapped, objective, plan, seed=0, device="cpu", where="test")


def run(loop: Loop, data: Dataset, first: int, last: int) -> list[float]:
    """Losses of some epochs."""
    feed = Feed(data, "cpu")
    y, v = (torch.from_numpy(data.column(name).values) for name in ("y", "v"))
    return [loop.epoch(number, feed, y, v).loss for number in range(first, last)]


def tensors(loop: Loop) -> dict[str, Tensor]:
    """All that was learned."""
    return loop.tapped.network.state_dict() | loop.objective.state_dict()


@pytest.mark.parametrize("method", METHODS)
def test_channels_last_change_weights_by_rounding_alone(method: str) -> None:
    """Two epochs end with the weights that they end with anyway, of the second network too."""
    plain, last = made(method, METHODS[method]), made(method, METHODS[method], channels_last=True)
    assert run(plain, images(), 0, 2) == pytest.approx(run(last, images(), 0, 2), abs=1e-5)
    ours, theirs = tensors(plain), tensors(last)
    assert last.tapped.network.features[3].weight.is_contiguous(memory_format=torch.channels_last)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-4)


def compiled(folder: str) -> None:
    """What the slow test below runs in a process where no shapes are checked, which no compiler could see through."""
    for method, knobs in METHODS.items():
        plain = made(method, knobs)
        losses = run(plain, images(), 0, 2)
        eager = COMPILER not in sys.modules or method != next(iter(METHODS))
        whole, part, rest = (made(method, knobs, compile=True) for _ in range(3))
        counters.clear()
        assert COMPILER in sys.modules
        apart = max(abs(a - b) for a, b in zip(losses, run(whole, images(), 0, 2), strict=True))
        graphs, breaks = counters["stats"]["unique_graphs"], sum(counters["graph_break"].values())
        ours, theirs = tensors(plain), tensors(whole)
        assert ours.keys() == theirs.keys()
        apart = max(apart, *(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours))
        run(part, images(), 0, 1)
        state.save(Path(folder) / method, 1, part.state_dict())
        rest.load_state_dict(state.load(Path(folder) / method))
        run(rest, images(), 1, 2)
        same = all(torch.equal(tensor, tensors(rest)[name]) for name, tensor in theirs.items())
        sys.stdout.write(json.dumps([method, eager, graphs, breaks, apart, same]) + "\n")


@pytest.mark.slow
def test_compiled_passes_change_weights_by_rounding_alone(
    tmp_path: Path, repository: Path, environment: dict[str, str]
) -> None:
    """
    One graph without a break for each network and whether it learns; last batches and evaluation compile none.

    A compiled run that is taken up again from disk ends with the bits of one in one go; a run that is not compiled
    loads no compiler.
    """
    call = f"import test_loop_haste; test_loop_haste.compiled({str(tmp_path)!r})"
    path = f"{repository}:{repository / 'tests'}"
    words = [sys.executable, "-c", call]
    done = subprocess.run(words, env=environment | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {method: rest for method, *rest in map(json.loads, done.stdout.splitlines())}
    assert {method: graphs for method, (_, graphs, *_) in found.items()} == {
        "vanilla": 1, "lnl": 1, "supcon": 1, "rebias": 3, "learned-mixin": 2,
    }  # fmt: skip
    for method, (eager, _, breaks, apart, same) in found.items():
        assert eager, method
        assert breaks == 0, method
        assert apart < 1e-5, method
        assert same, method


@pytest.mark.slow
def test_without_a_compiler_nothing_is_begun(leakaudit: Run, tmp_path: Path) -> None:
    """Where a compiler is not there the command ends in one line before anything is written."""
    words = ["train", "digits/vanilla", "--device", "cpu", "--set", "train.compile=true", "--store", "store"]
    done = leakaudit(*words, CXX="/bin/false")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "recipe digits/vanilla [train]: compile = true: torch cannot compile for cpu: " in last
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize("last", ["true", "false"])
def test_all_knobs_together_train_on_cuda(leakaudit: Run, tmp_path: Path, last: str) -> None:
    """Two networks that step by turns, compiled, in mixed precision, with and without channels last; fused steps."""
    knobs = ["train.amp=true", "train.compile=true", f"train.channels_last={last}"]
    words = [word for knob in knobs for word in ("--set", knob)]
    done = leakaudit("train", "digits/rebias", "--device", "cuda:0", "--epochs", "3", "--store", "store", *words)
    assert done.returncode == 0, done.stderr
    names = [name for path in tmp_path.rglob("weights.safetensors") for name in load_file(path)]
    assert names
    assert not [name for name in names if "_orig_mod" in name]
