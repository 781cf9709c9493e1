"""
From JPEG files to what a network takes: leakaudit against the papers' pipeline, and against decoding alone.

    python tests/benchmarks/decoding.py [--files N] [--bytes B] [--batch N] [--threads N] [--rounds N] [--folder DIR]

The papers' pipeline opens a file with Pillow, converts it to RGB, and resizes, converts and normalises it with
torchvision's `Resize((224, 224))`, `ToTensor` and `Normalize`; a batch of them is stacked, as a `DataLoader` does. Bare
decoding is Pillow's open and load to RGB and nothing else. Files are generated: smooth patterns of 178x218 pixels in
colour, with as much fine grain as makes them take `--bytes` each at quality 90 (CelebA's faces of this size take about
7,000), or are those of `--folder`. CPU seconds of all threads, torch's kept to one; peers take turns over all files,
and for each batch the least of all rounds counts.
"""

import argparse
import io
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from leakaudit.images import decoding, files
from leakaudit.images.files import Files
from leakaudit.listing import IMAGENET
from leakaudit.numerics.normalising import Normalise
from leakaudit.numerics.resizing import fit

WIDTH, HEIGHT, SIDE, QUALITY = 178, 218, 224, 90
WAVES = ((6, 45.0), (20, 25.0))
"""Knots a side of the patterns, and their contrast."""
PAPERS = "papers' pipeline"


def picture(rng: np.random.Generator, grain: float) -> Image.Image:
    """Smooth light and shade, of which the channels share most, and grain."""
    scene = np.full((HEIGHT, WIDTH, 3), 128.0)
    for knots, contrast in WAVES:
        for channels, share in ((1, 1.0), (3, 0.3)):
            for channel in range(channels):
                field = Image.fromarray(rng.standard_normal((knots, knots)).astype(np.float32))
                smooth = np.asarray(field.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
                where = slice(None) if channels == 1 else slice(channel, channel + 1)
                scene[:, :, where] += share * contrast * smooth[:, :, None]
    scene += grain * rng.standard_normal((HEIGHT, WIDTH, 1))
    return Image.fromarray(scene.clip(0, 255).astype(np.uint8))


def generate(folder: Path, files: int, size: int, seed: int = 0) -> list[str]:
    """JPEG files of about `size` bytes; the grain that gives them is found by halving."""

    def weight(grain: float) -> int:
        data = io.BytesIO()
        picture(np.random.default_rng(seed), grain).save(data, "JPEG", quality=QUALITY)
        return data.tell()

    low, high = 0.0, 64.0
    for _ in range(12):
        low, high = ((low + high) / 2, high) if weight((low + high) / 2) < size else (low, (low + high) / 2)
    rng = np.random.default_rng(seed)
    paths = [folder / f"{number:06d}.jpg" for number in range(files)]
    for path in paths:
        picture(rng, low).save(path, quality=QUALITY)
    return [str(path) for path in paths]


def peers(paths: list[str], batch: int) -> dict[str, list[Callable[[], object]]]:
    """What is compared, each for every batch of the files."""
    source = Files.open(paths, range(len(paths)), "generated", SIDE)
    normalise = Normalise(*IMAGENET, (3, SIDE, SIDE))
    pipeline = transforms.Compose(
        [transforms.Resize((SIDE, SIDE)), transforms.ToTensor(), transforms.Normalize(*IMAGENET)]
    )
    parts = [np.arange(first, min(first + batch, len(paths))) for first in range(0, len(paths), batch)]
    ready = torch.from_numpy(source.batch(parts[0]))
    fitted = fit(ready, (3, SIDE, SIDE))

    def bare(path: str) -> None:
        with Image.open(path) as image:
            image.load()

    def papers(path: str) -> torch.Tensor:
        with Image.open(path) as image:
            return pipeline(image.convert("RGB"))

    works: dict[str, Callable[[list[str], np.ndarray], object]] = {
        PAPERS: lambda names, _: torch.stack([papers(name) for name in names]),
        "bare decoding": lambda names, _: any(map(bare, names)),
        "decoded to an array": lambda names, _: all(len(decoding.decode(name, SIDE)) for name in names),
        "decoded to a batch": lambda _, rows: source.batch(rows),
        "resized": lambda _, __: fit(ready, (3, SIDE, SIDE)),
        "normalised": lambda _, __: normalise(fitted),
        "all of it": lambda _, rows: normalise(torch.from_numpy(source.batch(rows))),
    }

    return {name: [partial(work, [paths[row] for row in part], part) for part in parts] for name, work in works.items()}


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=7000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(1)
    files.THREADS = a.threads
    with tempfile.TemporaryDirectory() as made:
        if a.folder is None:
            paths = generate(Path(made), a.files, a.bytes, a.seed)
        else:
            paths = sorted(map(str, a.folder.glob("*.jpg")))[: a.files]
        works = peers(paths, a.batch)
        taken = np.full((len(works), -(-len(paths) // a.batch)), np.inf)
        for _ in range(a.rounds):
            for place, parts in enumerate(works.values()):
                for number, work in enumerate(parts):
                    start = time.process_time()
                    work()
                    taken[place, number] = min(taken[place, number], time.process_time() - start)
        least = dict(zip(works, taken.sum(axis=1), strict=True))
        sizes = [Path(path).stat().st_size for path in paths]
        width, height = Image.open(paths[0]).size
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "torchvision", "pillow", "numpy"))
    print(f"python {platform.python_version()}, {versions}; {a.threads} threads decode, 1 works; seed {a.seed}")
    print(f"{len(paths)} files of {width}x{height}, {np.mean(sizes):,.0f} bytes each; batches of {a.batch}")
    for name, seconds in least.items():
        print(f"{name:<20} {1e6 * seconds / len(paths):7.0f} us an image")
    papers, bare, ours = (least[name] for name in (PAPERS, "bare decoding", "all of it"))
    print(f"decoded and prepared / papers' pipeline: {ours / papers:.3f} (0.25 is asked for)")
    print(f"decoded to a batch / bare decoding: {least['decoded to a batch'] / bare:.2f} (1.3 is asked for)")


if __name__ == "__main__":
    main()
