"""
Many images: what extracting them by the real command takes in resident memory and CPU seconds.

    python tests/benchmarks/faces_memory.py [--images N] [--distinct N] [--side S] [--width W] [--attack] --folder DIR

Writes `--distinct` small JPEG files of 178x218 pixels, hard links to them until there are `--images` files, a table of
paths with two random labels, and fresh weights of a small convolutional network; runs `leakaudit extract`, with
`--attack` `leakaudit attack`, too, with one attacker; and prints the most memory that was ever resident, and CPU
seconds, of the command and its threads. Links are read, decoded and hashed as other files are; only the disk holds
them once.
"""

import argparse
import csv
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from decoding import generate
from safetensors.torch import save_file

from leakaudit.backbones import simple_convnet

PER_FOLDER = 1000


def write(folder: Path, images: int, distinct: int, side: int, width: int, seed: int) -> None:
    """Files, table and weights."""
    (folder / "drawn").mkdir(parents=True)
    drawn = generate(folder / "drawn", distinct, 7000, seed)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (images, 2)).tolist()
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "smiling", "glasses"])
        for number in range(images):
            path = Path(f"{number // PER_FOLDER:03d}") / f"{number:06d}.jpg"
            if not number % PER_FOLDER:
                (folder / path.parent).mkdir()
            os.link(drawn[number % distinct], folder / path)
            table.writerow([path, *(("no", "yes")[label] for label in labels[number])])
    torch.manual_seed(seed)
    network = simple_convnet.build(2, (3, side, side), kernel=3, width=width)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "w.safetensors")


def run(folder: Path, words: list[str]) -> None:
    """One command, and what it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "leakaudit", *words, "-q"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"$ leakaudit {' '.join(words)}\nexit {done.returncode}")
    print(
        f"peak resident: {used.ru_maxrss / 2**20:.2f} GiB; {cpu:.0f} s of CPU, {time.monotonic() - start:.0f} s",
        flush=True,
    )
    if done.returncode:
        print(done.stderr[-2000:])


def main() -> None:
    """Write, extract, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--distinct", type=int, default=300)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attack", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    a = parser.parse_args()
    if a.folder.exists():
        parser.error(f"--folder {a.folder}: is there already")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "pillow", "numpy", "pyarrow"))
    print(f"$ python tests/benchmarks/faces_memory.py {' '.join(sys.argv[1:])}")
    print(f"python {platform.python_version()}, {versions}; seed {a.seed}")
    try:
        write(a.folder, a.images, a.distinct, a.side, a.width, a.seed)
        print(f"{a.images:,} JPEG files, links to {a.distinct} distinct ones", flush=True)
        subject = ["w.safetensors", "--backbone", f"simple-convnet:kernel=3,width={a.width}"]
        subject += ["--data", f"faces.csv:size={a.side}", "--device", "cpu"]
        run(a.folder, ["extract", *subject])
        if a.attack:
            words = ["--private", "glasses", "--target", "smiling", "--attacker", "linear", "--auxiliary", "balanced"]
            run(a.folder, ["attack", *subject, *words, "--output", "audit.txt"])
    finally:
        shutil.rmtree(a.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
