"""
The one loop against a bare one, written by hand: images a second, same network, same batches, same process.

    python tests/benchmarks/training.py [METHOD...] [--device cuda:0 --amp --channels-last --compile --rows 60000]

The bare loop has its batches in memory already, normalised, and does nothing but forward, cross-entropy, backward and
step, compiled and in mixed precision where ours is. Ours is a whole epoch: rows are drawn, gathered and normalised,
hits counted, weights looked over; without what comes between epochs: evaluation on held-out rows and the state on disk.
Both take turns; the unit is CPU seconds on a CPU and seconds on the clock on CUDA, the least of the epochs timed. The
first epoch, which compiles, stands apart. The last column is the time of a run on Biased-MNIST, 80 epochs of 60,000
images, at that rate. On a CPU ask for a small network: --kernel 3 --width 4. Images and labels are noise.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Labels, Pixels
from leakaudit.debias import Objective, Sizes
from leakaudit.loop import Loop, chance
from leakaudit.numerics import device as devices
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.optimiser import optimiser
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

CLASSES, SHAPE = 10, (3, 28, 28)
RUN = 80 * 60_000


def noise(rows: int) -> Dataset:
    """Random images, target and private classes."""
    random = np.random.default_rng(0)
    names = tuple(map(str, range(CLASSES)))
    labels = {name: Labels(random.integers(0, CLASSES, rows), names) for name in ("target", "private")}
    images = Pixels(random.integers(0, 256, (rows, *SHAPE), dtype=np.uint8))
    return Dataset("noise", "train", images, labels, np.arange(rows, dtype=np.uint64), (0.5,) * 3, (0.5,) * 3)


def network(a: argparse.Namespace, text: str = "") -> nn.Module:
    """The papers' network; the second one of a method sees as much as `text` says."""
    knobs: dict[str, Any] = {"kernel": a.kernel, "width": a.width}
    with chance(0, "network"):
        return simple_convnet.build(CLASSES, SHAPE, **(knobs | catalog.parse(text, "benchmark").knobs))


def bare(a: argparse.Namespace, data: Dataset) -> Callable[[int], None]:
    """An epoch as one would write it for one network, one loss and one device."""
    net = network(a).to(a.device).train()
    layout = torch.channels_last if a.channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    y = torch.from_numpy(data.column("target").values).to(a.device)
    order = torch.randperm(a.rows, device=a.device)
    feed = Feed(data, a.device)
    parts = order.split(a.batch)
    batches = [
        (x.contiguous(memory_format=layout), y[part]) for x, part in zip(feed.batches(parts), parts, strict=True)
    ]
    mover = optimiser([net.parameters()], Training().optimizer, "benchmark")
    quick = torch.compile(net, dynamic=False) if a.compile else net

    def epoch(_: int) -> None:
        for x, truth in batches:
            mover.zero_grad()
            with torch.autocast(x.device.type, torch.bfloat16, enabled=a.amp):
                logits = (quick if len(x) == a.batch else net)(x)
            functional.cross_entropy(logits.float(), truth).backward()
            mover.step()

    return epoch


def ours(a: argparse.Namespace, data: Dataset, method: str) -> Callable[[int], object]:
    """An epoch of a method with the knobs that it has by itself."""
    module = catalog.thing("debias", method)
    if getattr(module, "NUMBERS", False):
        raise SystemExit(f"{method} learns numbers: here are classes")
    y, v = (torch.from_numpy(data.column(name).values).to(a.device) for name in ("target", "private"))
    layer, table = "features.5", torch.bincount((y * CLASSES + v).cpu(), minlength=CLASSES**2).view(CLASSES, CLASSES)
    probe = Tapped(network(a), simple_convnet.BOTTLENECK, [layer]).eval()(torch.zeros(1, *SHAPE))
    shape = tuple(probe.taps[layer].shape[1:])
    with chance(0, "objective"):
        objective: Objective = module.objective(
            Sizes(
                CLASSES, CLASSES, probe.z.shape[1], a.rows, table, SHAPE, {layer: shape},
                lambda text: Tapped(network(a, text), simple_convnet.BOTTLENECK),
            )
        )  # fmt: skip
    plan = Training(batch_size=a.batch, amp=a.amp, channels_last=a.channels_last, compile=a.compile)
    tapped = Tapped(network(a), simple_convnet.BOTTLENECK, objective.taps, readout=objective.readout)
    loop = Loop(tapped, objective, plan, seed=0, device=a.device, where="benchmark")
    return partial(loop.epoch, feed=Feed(data, a.device), y=y, v=v)


def seconds(work: Callable[[int], object], number: int, device: str) -> float:
    """Of one epoch, in the device's unit."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
    wait()
    start = clock()
    work(number)
    wait()
    return clock() - start


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("methods", nargs="*", default=["vanilla"])
    options.add_argument("--device", default="cpu")
    for flag in ("--amp", "--channels-last", "--compile"):
        options.add_argument(flag, action="store_true")
    for name, value in (("rows", 1024), ("batch", 256), ("epochs", 3), ("kernel", 7), ("width", 16)):
        options.add_argument(f"--{name}", type=int, default=value)
    a = options.parse_args()
    a.device = devices.resolve(a.device)
    data = noise(a.rows)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    print(f"{versions}; {devices.describe(a.device)}; {'CPU seconds' if a.device == 'cpu' else 'seconds on the clock'}")
    print(f"{a.rows:,} images of {'x'.join(map(str, SHAPE))}; least of {a.epochs} epochs after a first one")
    print(
        f"{'':>16} {'first s':>8} {'epoch s':>8} {'images/s':>9} {'bare, images/s':>15} {'ours/bare':>9} {'a run s':>8}"
    )
    for method in a.methods:
        both = bare(a, data), ours(a, data, method)
        first = [seconds(work, 0, a.device) for work in both]
        times = [[seconds(work, number, a.device) for work in both] for number in range(1, 1 + a.epochs)]
        theirs, own = (min(column) for column in zip(*times, strict=True))
        print(
            f"{method:>16} {first[1]:>8.2f} {own:>8.3f} {a.rows / own:>9,.0f} {a.rows / theirs:>15,.0f} "
            f"{own / theirs:>8.2f}x {RUN * own / a.rows:>8,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
