"""
The one loop against its peers: images a second, same network, same batches, same process.

    python tests/benchmarks/training.py [METHOD...] [--device cuda:0 --amp --channels-last --compile --rows 60000]

Ours is a whole epoch over drawings that are coloured on the device, as Biased-MNIST is: rows are drawn, gathered,
coloured and normalised, hits counted, weights looked over; without what comes between epochs: evaluation on held-out
rows and the state on disk. The peers:

    bare    batches lie on the device already, normalised: nothing but forward, cross-entropy, backward and step,
            compiled and in mixed precision where ours is
    loader  the same step, never compiled, fed by a torch DataLoader (--workers) that normalises images on the host one
            by one and collates them, pinned on CUDA
    floor   the arithmetic alone: multiplications and additions of forward and backward, as torch counts them
            (torch.utils.flop_counter), at the rate of a large product of matrices: bfloat16 with --amp, else float32

All take turns, and all keep the memory that steps free, as training does; the unit is CPU seconds on a CPU (processes
of the loader are not in them: ask for none) and seconds on the clock on CUDA, the least of the epochs timed. The first
epoch, which compiles, stands apart. `a run` is 80 epochs of 60,000 images at that rate. On CUDA a last line says in
what part of the bare epoch the host had handed over all its work: below 1, nothing is won by CUDA graphs. On a CPU ask
for a small network: --kernel 3 --width 4. Images and labels are noise.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Hosted
from torch.utils.flop_counter import FlopCounterMode

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Labels
from leakaudit.debias import Objective, Sizes
from leakaudit.loop import Loop, chance
from leakaudit.numerics import device as devices
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.optimiser import optimiser
from leakaudit.numerics.painting import Painted
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

CLASSES, SHAPE = 10, (3, 28, 28)
RUN = 80 * 60_000
SIDES = {"cpu": 1024, "cuda": 8192}
"""Of the matrices whose product is the measure of the floor."""


def noise(rows: int) -> Dataset:
    """Random drawings on random grounds, target and private classes."""
    random = np.random.default_rng(0)
    names = tuple(map(str, range(CLASSES)))
    labels = {name: Labels(random.integers(0, CLASSES, rows), names) for name in ("target", "private")}
    drawn = random.integers(0, 256, (rows, *SHAPE[1:]), dtype=np.uint8)
    drawn[random.random(drawn.shape) < 0.8] = 0
    images = Painted(drawn, random.integers(0, 256, (rows, SHAPE[0]), dtype=np.uint8))
    return Dataset("noise", "train", images, labels, np.arange(rows, dtype=np.uint64), (0.5,) * 3, (0.5,) * 3)


def network(a: argparse.Namespace, text: str = "") -> nn.Module:
    """The papers' network; the second one of a method sees as much as `text` says."""
    knobs: dict[str, Any] = {"kernel": a.kernel, "width": a.width}
    with chance(0, "network"):
        return simple_convnet.build(CLASSES, SHAPE, **(knobs | catalog.parse(text, "benchmark").knobs))


class Stepper:
    """A network, and a step of it as one would write it for one network, one loss and one device."""

    def __init__(self, a: argparse.Namespace, *, compiled: bool) -> None:
        self.a, self.layout = a, torch.channels_last if a.channels_last else torch.contiguous_format
        self.net = network(a).to(a.device).train().to(memory_format=self.layout)
        self.quick = torch.compile(self.net, dynamic=False) if compiled else self.net
        self.mover = optimiser([self.net.parameters()], Training().optimizer, "benchmark")

    def step(self, x: Tensor, y: Tensor) -> None:
        """Forward, loss, backward, step."""
        self.mover.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.a.amp):
            logits = (self.quick if len(x) == self.a.batch else self.net)(x.contiguous(memory_format=self.layout))
        functional.cross_entropy(logits.float(), y).backward()
        self.mover.step()


def bare(a: argparse.Namespace, data: Dataset) -> Callable[[int], None]:
    """An epoch over batches that lie on the device."""
    stepper = Stepper(a, compiled=a.compile)
    y = torch.from_numpy(data.column("target").values).to(a.device)
    parts = torch.randperm(a.rows, device=a.device).split(a.batch)
    images = [x.contiguous(memory_format=stepper.layout) for x in Feed(data, a.device).batches(parts)]
    batches = [(x, y[part]) for x, part in zip(images, parts, strict=True)]

    def epoch(_: int) -> None:
        for x, truth in batches:
            stepper.step(x, truth)

    return epoch


class Host(Hosted[tuple[Tensor, Tensor]]):
    """Images and classes in the host's memory, one by one."""

    def __init__(self, data: Dataset) -> None:
        self.images = torch.from_numpy(data.images.batch(np.arange(len(data))))
        self.y = torch.from_numpy(data.column("target").values)
        self.mean, self.std = (torch.tensor(part).view(-1, 1, 1) for part in (data.mean, data.std))

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.images[row].float().div(255).sub(self.mean).div(self.std), self.y[row]


def loader(a: argparse.Namespace, data: Dataset) -> Callable[[int], None]:
    """An epoch as most are written."""
    stepper, cuda = Stepper(a, compiled=False), a.device != "cpu"
    source = DataLoader(
        Host(data), a.batch, shuffle=True, num_workers=a.workers, pin_memory=cuda, persistent_workers=a.workers > 0
    )

    def epoch(_: int) -> None:
        for x, truth in source:
            stepper.step(x.to(a.device, non_blocking=cuda), truth.to(a.device, non_blocking=cuda))

    return epoch


def floor(a: argparse.Namespace) -> tuple[float, float, float]:
    """Operations for one image, those of a product of matrices in a second, and the images a second they come to."""
    stepper = Stepper(a, compiled=False)
    x, y = torch.zeros(a.batch, *SHAPE, device=a.device), torch.zeros(a.batch, dtype=torch.int64, device=a.device)
    with FlopCounterMode(display=False) as counter:
        stepper.step(x, y)
    side = SIDES[torch.device(a.device).type]
    one, two = (torch.randn(side, side, device=a.device, dtype=torch.bfloat16 if a.amp else None) for _ in range(2))
    took = min(seconds(lambda _: one @ two, number, a.device) for number in range(20))
    operations, rate = counter.get_total_flops() / a.batch, 2 * side**3 / took
    return operations, rate, rate / operations


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


def seconds(work: Callable[[int], object], number: int, device: str, handed: list[float] | None = None) -> float:
    """Of one epoch, in the device's unit; into `handed` goes the part after which the host had handed over its work."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
    wait()
    start = clock()
    work(number)
    over = clock() - start
    wait()
    took = clock() - start
    if handed is not None:
        handed.append(over / took)
    return took


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("methods", nargs="*", default=["vanilla"])
    options.add_argument("--device", default="cpu")
    for flag in ("--amp", "--channels-last", "--compile"):
        options.add_argument(flag, action="store_true")
    sizes = {"rows": 1024, "batch": 256, "epochs": 3, "kernel": 7, "width": 16, "workers": 0}
    for name, value in sizes.items():
        options.add_argument(f"--{name}", type=int, default=value)
    a = options.parse_args()
    a.device = devices.resolve(a.device)
    data = noise(a.rows)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    print(f"{versions}; {devices.describe(a.device)}; {'CPU seconds' if a.device == 'cpu' else 'seconds on the clock'}")
    print(f"{a.rows:,} images of {'x'.join(map(str, SHAPE))}; least of {a.epochs} epochs after a first one")
    operations, rate, most = floor(a)
    print(f"floor: {operations / 1e6:,.1f} million operations an image, {rate / 1e9:,.0f} thousand million a second")
    print(
        f"{'':>16} {'first s':>8} {'epoch s':>8} {'images/s':>9} {'bare':>9} {'loader':>9} {'floor':>9} {'of bare':>8} "
        f"{'of loader':>10} {'of floor':>9} {'a run s':>8}"
    )
    handed: list[float] = []
    with devices.hoarding(a.device):
        compare(a, data, most, handed)
    if a.device != "cpu":
        print(f"the host had handed over the bare epoch after {min(handed):.2f} of its time")


def compare(a: argparse.Namespace, data: Dataset, most: float, handed: list[float]) -> None:
    """Print a line for each method; what the host was busy with the bare epochs goes into `handed`."""
    for method in a.methods:
        works = ours(a, data, method), bare(a, data), loader(a, data)
        first = [seconds(work, 0, a.device) for work in works]
        times = [
            [seconds(work, number, a.device, handed if work is works[1] else None) for work in works]
            for number in range(1, 1 + a.epochs)
        ]
        own, plain, loaded = (a.rows / min(column) for column in zip(*times, strict=True))
        rates = " ".join(f"{rate:>9,.0f}" for rate in (own, plain, loaded, most))
        print(
            f"{method:>16} {first[0]:>8.2f} {a.rows / own:>8.3f} {rates} {own / plain:>7.2f}x "
            f"{own / loaded:>9.2f}x {own / most:>8.2f}x {RUN / own:>8,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
