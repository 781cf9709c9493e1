"""
Training on faces that lie as files, from the second epoch on: against the bare step, and against decoding each epoch.

    python tests/benchmarks/faces_training.py [--images N] [--side S] [--batch N] [--epochs N] [--folder DIR]
                                              [--device cuda:0 --amp --channels-last --compile]

Ours is the loop over a ResNet-18 with images decoded once and kept as bytes (`images.decoded`), twice: `held` on the
device as a whole, as sets are that fit, and `streamed` from disk, two batches ahead. `bare` steps over batches that lie
on the device already, normalised: as many as fit into a gigabyte, again and again. `decoded` is the loop with files
that are decoded in each epoch, which was the way before. Files are generated, faces' size and weight (178x218 pixels,
7,000 bytes), or are the JPEG files of `--folder`; keeping them is timed apart, and so are both ways of images without
a network. The unit is CPU seconds of all threads on a CPU (torch on one, decoding on as many as there are cores) and
seconds on the clock on CUDA; all take turns, and of each the least epoch counts. The last line is the most memory that
the process had.
"""

import argparse
import platform
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decoding import generate
from torch import Tensor
from torch.nn import functional

from leakaudit import catalog
from leakaudit.backbones import resnet18
from leakaudit.dataset import Dataset, Labels, identify
from leakaudit.debias import Sizes
from leakaudit.images import decoded
from leakaudit.images.files import Files
from leakaudit.listing import IMAGENET
from leakaudit.loop import Loop, chance
from leakaudit.numerics import device as devices
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.optimiser import optimiser
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

CLASSES, WEIGHT, ROOM = 2, 7000, 1 << 30


def network(a: argparse.Namespace) -> torch.nn.Module:
    """ResNet-18, always with the same weights."""
    with chance(0, "network"):
        return resnet18.build(CLASSES, (3, a.side, a.side))


def faces(a: argparse.Namespace, home: Path) -> Dataset:
    """The files, with labels that say nothing."""
    paths = sorted(map(str, Path(a.folder).rglob("*.jpg")))[: a.images] if a.folder else None
    paths = paths or generate(home, a.images, WEIGHT)
    rows = np.arange(len(paths))
    labels = {name: Labels(rows // step % CLASSES, ("a", "b")) for name, step in (("y", 1), ("v", 2))}
    images = Files.open(paths, rows, "generated", a.side)
    return Dataset("generated", "train", images, labels, identify("generated", rows), *IMAGENET)


def ours(a: argparse.Namespace, data: Dataset, room: int | None) -> Callable[[int], object]:
    """An epoch of the loop; images that take no more than `room` sit on the device."""
    sizes = Sizes(CLASSES, CLASSES, 512, len(data), torch.full((2, 2), len(data) // 4), (3, a.side, a.side), {}, _none)
    objective = catalog.thing("debias", "vanilla").objective(sizes)
    plan = Training(batch_size=a.batch, amp=a.amp, channels_last=a.channels_last, compile=a.compile)
    loop = Loop(Tapped(network(a), resnet18.BOTTLENECK), objective, plan, seed=0, device=a.device, where="benchmark")
    y, v = (torch.from_numpy(data.column(name).values).to(a.device) for name in ("y", "v"))
    return partial(loop.epoch, feed=Feed(data, a.device, room), y=y, v=v)


def _none(text: str) -> Tapped:
    raise NotImplementedError(text)


def bare(a: argparse.Namespace, data: Dataset) -> Callable[[int], None]:
    """As many steps over batches that lie on the device."""
    layout = torch.channels_last if a.channels_last else torch.contiguous_format
    net = network(a).to(a.device).train().to(memory_format=layout)
    quick = torch.compile(net, dynamic=False) if a.compile else net
    mover = optimiser([net.parameters()], Training().optimizer, "benchmark")
    parts = torch.randperm(len(data), device=a.device).split(a.batch)
    there = max(1, ROOM // (4 * 3 * a.side**2 * a.batch))
    feed, y = Feed(data, a.device, 0), torch.from_numpy(data.column("y").values).to(a.device)
    images: list[Tensor] = [x.contiguous(memory_format=layout) for x in feed.batches(parts[:there])]

    def epoch(_: int) -> None:
        for number, part in enumerate(parts):
            x, truth = images[number % len(images)][: len(part)], y[part]
            mover.zero_grad()
            with torch.autocast(x.device.type, torch.bfloat16, enabled=a.amp):
                logits = (quick if len(x) == a.batch else net)(x)
            functional.cross_entropy(logits.float(), truth).backward()
            mover.step()

    return epoch


def seconds(work: Callable[[], object], device: str) -> float:
    """In the device's unit."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, value in (("device", "cpu"), ("folder", "")):
        options.add_argument(f"--{flag}", default=value)
    for flag in ("--amp", "--channels-last", "--compile"):
        options.add_argument(flag, action="store_true")
    for name, value in (("images", 512), ("side", 64), ("batch", 64), ("epochs", 2)):
        options.add_argument(f"--{name}", type=int, default=value)
    a = options.parse_args()
    a.device = devices.resolve(a.device)
    if a.device == "cpu":
        torch.set_num_threads(1)
    decoded.LEAST = 0
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    print(f"{versions}; {devices.describe(a.device)}; {'CPU seconds' if a.device == 'cpu' else 'seconds on the clock'}")
    with tempfile.TemporaryDirectory() as home, devices.hoarding(a.device):
        compare(a, faces(a, Path(home)), Path(home) / "kept")


def compare(a: argparse.Namespace, data: Dataset, home: Path) -> None:
    """Keep the images below a folder, and time all ways."""
    made: dict[str, Any] = {}

    def keep() -> None:
        made["train"] = yield_all(decoded.kept({"train": data}, home, a.device))["train"]

    print(f"{len(data):,} files; {3 * a.side**2 * len(data) / 1e6:,.0f} MB decoded, kept in", end=" ", flush=True)
    print(f"{seconds(keep, a.device):.2f} s, opened again in {seconds(keep, a.device):.2f} s")
    parts = torch.randperm(len(data)).split(a.batch)
    for name, images in (("kept", made["train"]), ("files", data)):
        feed = Feed(images, a.device, 0)
        took = min(seconds(lambda feed=feed: deque(feed.batches(parts), 0), a.device) for _ in range(3))
        print(f"{name} alone, to the device and normalised: {len(data) / took:,.0f} images/s", flush=True)
    works = {
        "bare": bare(a, made["train"]),
        "held": ours(a, made["train"], 1 << 60),
        "streamed": ours(a, made["train"], 0),
        "decoded": ours(a, data, 0),
    }
    first = {name: seconds(partial(work, 0), a.device) for name, work in works.items()}
    epochs = range(1, 1 + a.epochs)
    times = [[seconds(partial(work, number), a.device) for work in works.values()] for number in epochs]
    least = dict(zip(works, map(min, zip(*times, strict=True)), strict=True))
    print(f"{'':>9} {'first s':>8} {'epoch s':>8} {'images/s':>9} {'of bare':>8} {'of decoded':>11}")
    for name, took in least.items():
        print(
            f"{name:>9} {first[name]:>8.2f} {took:>8.2f} {len(data) / took:>9,.0f} {least['bare'] / took:>7.2f}x "
            f"{least['decoded'] / took:>10.2f}x"
        )
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def yield_all(work: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


if __name__ == "__main__":
    main()
