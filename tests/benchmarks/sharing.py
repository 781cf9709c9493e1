"""
Small runs on one device: one after another, several processes at once, several threads with a stream each.

    python tests/benchmarks/sharing.py [--runs K] [--device cuda:0 --amp] [--rows N --epochs N --kernel 3 --width 4]

Each run is the loop over Biased-MNIST's network and images like its own (see training.py), a network and chance of its
own, and takes its first epoch before the clock starts: all processes wait for the last. The unit is images a second of
all runs together, on the clock, the most of some tries; torch works on one thread in each. On a CPU with as many cores
processes are what a sweep's jobs do anyway; on CUDA they share a device where a plan says `gpus = 0.25`. Threads share
one interpreter, whose lock each step wants.
"""

import argparse
import multiprocessing
import os
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from training import noise, ours

from leakaudit.numerics import device as devices

LATE = 600
"""Seconds after which a run that does not come to the start is given up."""


def run(a: argparse.Namespace, barrier: Any) -> None:
    """The epochs of one run, with a stop before and after them."""
    torch.set_num_threads(1)
    stream = torch.cuda.stream(torch.cuda.Stream(a.device)) if a.device != "cpu" else devices.hoarding("cpu")
    with stream:
        work = ours(a, noise(a.rows), "vanilla")
        work(0)
        settled(a.device)
        barrier.wait(LATE)
        for number in range(1, 1 + a.epochs):
            work(number)
        settled(a.device)
    barrier.wait(LATE)


def settled(device: str) -> None:
    """Wait for what this thread has asked of the device."""
    if device != "cpu":
        torch.cuda.current_stream(device).synchronize()


def timed(start: Callable[[Any], Any], barrier: Any) -> float:
    """Seconds from when all runs stand at the start to when all are over."""
    workers = start(barrier)
    for worker in workers:
        worker.start()
    barrier.wait(LATE)
    begun = time.perf_counter()
    barrier.wait(LATE)
    took = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    return took


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cpu")
    for flag in ("--amp", "--channels-last", "--compile"):
        options.add_argument(flag, action="store_true")
    sizes = {"runs": 2, "rows": 1024, "batch": 256, "epochs": 3, "kernel": 3, "width": 4, "tries": 2}
    for name, value in sizes.items():
        options.add_argument(f"--{name}", type=int, default=value)
    a = options.parse_args()
    a.device = devices.resolve(a.device)
    made = multiprocessing.get_context("spawn")
    images = a.runs * a.epochs * a.rows

    def alone() -> float:
        one = [timed(lambda barrier: [made.Process(target=run, args=(a, barrier))], made.Barrier(2)) for _ in [0]]
        return a.runs * one[0]

    ways = {
        "one after another": alone,
        "processes at once": lambda: timed(
            lambda barrier: [made.Process(target=run, args=(a, barrier)) for _ in range(a.runs)],
            made.Barrier(a.runs + 1),
        ),
        "threads at once": lambda: timed(
            lambda barrier: [threading.Thread(target=run, args=(a, barrier)) for _ in range(a.runs)],
            threading.Barrier(a.runs + 1),
        ),
    }
    print(f"Python {platform.python_version()}, torch {torch.__version__}; {devices.describe(a.device)}; ", end="")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    print(f"{a.runs} runs of {a.epochs} epochs of {a.rows:,} images, kernel {a.kernel}, width {a.width}")
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(a.tries):
        for name, way in ways.items():
            least[name] = min(least[name], way())
    for name, took in least.items():
        print(f"{name:>18} {images / took:>10,.0f} images/s {least['one after another'] / took:>6.2f}x")


if __name__ == "__main__":
    main()
