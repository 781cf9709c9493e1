"""
Extraction of a ResNet-18 from JPEG files on disk, against the bare forward pass of the same network.

    python tests/benchmarks/extraction.py [--images N] [--batch N] [--side S] [--rounds N] [--threads N] [--amp]
                                          [--device cpu|cuda] [--folder DIR] [--layers NAME...]

The peer runs the same network, with the same weights and the same order in memory, over a normalised batch that lies
on the device already, as often as it takes to see as many images; the batch is of the size that extraction uses there,
and `--peer` names others too. Extraction is the verb itself: files are decoded, sent, resized, normalised, pass the
network, and embeddings are written to disk, hashed and read back. Both take turns, and of each the least of all rounds
counts: CPU seconds of all threads, and seconds on the clock. torch works on `--threads` threads and as many decode.

With `--layers` the peer is extraction too: of one layer after the other, against all of them in one pass.
"""

import argparse
import math
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from decoding import generate

from leakaudit import extract
from leakaudit.backbones import resnet18
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, Labels, identify
from leakaudit.encoder import Encoder
from leakaudit.images import files
from leakaudit.images.files import Files
from leakaudit.layer import parse
from leakaudit.listing import IMAGENET

Seconds = tuple[float, float]


def timed(work: Callable[[], object], device: str) -> Seconds:
    """CPU seconds and seconds on the clock."""
    start = time.process_time(), time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.process_time() - start[0], time.perf_counter() - start[1]


def faces(paths: list[str], side: int) -> Dataset:
    """The files, with labels that say nothing."""
    rows = np.arange(len(paths))
    labels = {"v": Labels(rows % 2, ("a", "b"))}
    images = Files.open(paths, rows, "generated", side)
    return Dataset("generated", "test", images, labels, identify("generated", rows), *IMAGENET)


class Peer:
    """The bare forward pass."""

    def __init__(self, side: int, batch: int, device: str, *, amp: bool) -> None:
        torch.manual_seed(0)
        self.network = resnet18.build(2, (3, side, side)).eval().to(device, memory_format=torch.channels_last)
        self.x = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
        self.amp, self.kind = amp, torch.device(device).type

    def over(self, images: int) -> None:
        """As many passes as these images take."""
        with torch.inference_mode():
            for first in range(0, images, len(self.x)):
                with torch.autocast(self.kind, torch.bfloat16, enabled=self.amp):
                    self.network(self.x[: images - first])


def beside(source: Encoder, data: Dataset, home: Path, a: argparse.Namespace) -> None:
    """Time all layers in one pass against each in a pass of its own, and print both."""
    how = {"device": a.device, "batch_size": a.batch, "amp": a.amp}

    def once(parts: list[Encoder]) -> None:
        shutil.rmtree(home / "layers", ignore_errors=True)
        for part in parts:
            for _ in extract.together(part, data, store=home / "layers", **how):
                pass

    alone = [replace(source, layers=(layer,)) for layer in source.layers]
    once([source])
    turns = [(timed(lambda: once([source]), a.device), timed(lambda: once(alone), a.device)) for _ in range(a.rounds)]
    together, apart = np.min(turns, axis=0)
    print(f"{len(alone)} layers of {len(data):,} images, least of {a.rounds} rounds, seconds of CPU and on the clock")
    print(f"one pass {together[0]:.2f} {together[1]:.2f}; a pass each {apart[0]:.2f} {apart[1]:.2f}")
    cpu, clock = apart / together
    print(f"a pass each / one pass: {cpu:.2f} in CPU seconds, {clock:.2f} on the clock")


def main() -> None:
    """Generate, take turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--distinct", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=7000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--peer", type=int, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--layers", nargs="+", default=[])
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    files.THREADS = a.threads
    with tempfile.TemporaryDirectory() as made:
        drawn = (
            sorted(map(str, a.folder.glob("*.jpg"))) if a.folder else generate(Path(made), a.distinct, a.bytes, a.seed)
        )
        data = faces([drawn[number % len(drawn)] for number in range(a.images)], a.side)
        source = Encoder("fresh", "random-init", Call("resnet18", {}), 2, data.images.shape, *IMAGENET, None, a.seed)
        size = a.batch if a.device != "cpu" else min(a.batch, max(1, extract.PIECE // math.prod(source.shape)))
        peers = {batch: Peer(a.side, batch, a.device, amp=a.amp) for batch in (size, *a.peer)}

        def ours() -> None:
            store = Path(made) / "store"
            shutil.rmtree(store, ignore_errors=True)
            for _ in extract.extract(source, data, store=store, device=a.device, batch_size=a.batch, amp=a.amp):
                pass

        if a.layers:
            beside(replace(source, layers=tuple(map(parse, a.layers))), data, Path(made), a)
            return
        timed(ours, a.device)
        taken: dict[str, list[Seconds]] = {}
        for _ in range(a.rounds):
            for batch, peer in peers.items():
                taken.setdefault(f"bare, {batch} at a time", []).append(timed(lambda: peer.over(a.images), a.device))  # noqa: B023 (called at once)
            taken.setdefault("extraction", []).append(timed(ours, a.device))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    where = a.device if a.device == "cpu" else torch.cuda.get_device_name(a.device)
    print(f"python {platform.python_version()}, {versions}; {where}; {a.threads} threads each; seed {a.seed}")
    kind = "bfloat16" if a.amp else "float32"
    print(f"{a.images:,} JPEG files to {a.side}x{a.side}, {kind}; least of {a.rounds} rounds")
    least = {name: np.min(each, axis=0) for name, each in taken.items()}
    for name, (cpu, clock) in least.items():
        print(f"{name:<24} {a.images / cpu:8.1f} images/s of CPU  {a.images / clock:8.1f} images/s on the clock")
    bare = np.min([each for name, each in least.items() if name != "extraction"], axis=0)
    cpu, clock = bare / least["extraction"]
    print(f"extraction / the quickest bare pass: {cpu:.3f} in CPU seconds, {clock:.3f} on the clock (0.9 is asked for)")


if __name__ == "__main__":
    main()
