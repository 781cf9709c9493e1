"""
What makes a training step quicker on a CPU: memory that is kept, layout, compiling, bfloat16; against the plain step.

    python tests/benchmarks/processor.py [--rounds N] [--threads 1 2] [--networks NAME...] [--ways NAME...] [--check]

A step is forward, cross-entropy, backward and Adam of the network that the loop holds (`numerics.taps`), over one batch
of noise. `plain` is float32 with channels first in memory, on as many threads; all others, `kept` too, keep the memory
that a step frees (`device.hoarding`), as training does. After them the memory of a process is no longer what it was: so
plain comes first, and is quite plain for the first network asked for alone. The others take turns, and of each the
least of all rounds counts: CPU seconds of all threads, and seconds on the clock. Images a second and the ratio are of
CPU seconds on one thread, of those on the clock on several. The last column is by how much the logits of a first pass
differ from the plain ones, of the largest: 1e-6 is rounding of float32, 1e-2 another arithmetic. `--check` takes one
round of the smallest network.
"""

import argparse
import contextlib
import platform
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from leakaudit.backbones import cifar_resnet, resnet18, simple_convnet
from leakaudit.loop import chance
from leakaudit.numerics import device as devices
from leakaudit.numerics.optimiser import optimiser
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

CLASSES = 10
Case = tuple[Callable[[], torch.nn.Module], str, tuple[int, ...]]
NETWORKS: dict[str, Case] = {
    "simple-convnet, batch 64": (lambda: simple_convnet.build(CLASSES, (3, 28, 28)), simple_convnet.BOTTLENECK,
                                 (64, 3, 28, 28)),
    "simple-convnet, batch 256": (lambda: simple_convnet.build(CLASSES, (3, 28, 28)), simple_convnet.BOTTLENECK,
                                  (256, 3, 28, 28)),
    "kernel 3, width 4, batch 256": (lambda: simple_convnet.build(CLASSES, (3, 28, 28), kernel=3, width=4),
                                     simple_convnet.BOTTLENECK, (256, 3, 28, 28)),
    "cifar-resnet, batch 64": (lambda: cifar_resnet.build(CLASSES, (3, 32, 32)), cifar_resnet.BOTTLENECK,
                               (64, 3, 32, 32)),
    "resnet18, batch 64": (lambda: resnet18.build(CLASSES, (3, 64, 64)), resnet18.BOTTLENECK, (64, 3, 64, 64)),
}  # fmt: skip
WAYS = {
    "plain": (False, False, False),
    "kept": (False, False, False),
    "channels-last": (True, False, False),
    "compile": (False, True, False),
    "compile+channels-last": (True, True, False),
    "bf16": (False, False, True),
    "bf16+channels-last": (True, False, True),
}
"""Channels last in memory, compiled, and bfloat16 autocast."""


class Stepper:
    """One network that goes one way."""

    def __init__(self, case: Case, way: str) -> None:
        build, bottleneck, shape = case
        self.way = way
        with chance(0, "network"):
            self.tapped = Tapped(build(), bottleneck).train()
        last, compiled, amp = WAYS[way]
        self.tapped.hasten("benchmark", amp=amp, channels_last=last, compiled=compiled)
        self.mover = optimiser([self.tapped.parameters()], Training().optimizer, "benchmark")
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(shape, generator=generator)
        self.y = torch.randint(0, CLASSES, shape[:1], generator=generator)

    def step(self) -> Tensor:
        """What the network said."""
        self.mover.zero_grad()
        logits: Tensor = self.tapped(self.x).logits
        functional.cross_entropy(logits, self.y).backward()
        self.mover.step()
        return logits.detach()


def least(steppers: Sequence[Stepper], rounds: int) -> list[tuple[float, float]]:
    """CPU seconds and seconds on the clock of a step of each, which take turns."""
    found = [(float("inf"), float("inf"))] * len(steppers)
    for _ in range(rounds):
        for number, stepper in enumerate(steppers):
            with contextlib.nullcontext() if stepper.way == "plain" else devices.hoarding("cpu"):
                stepper.step()
                start = time.process_time(), time.perf_counter()
                stepper.step()
                took = time.process_time() - start[0], time.perf_counter() - start[1]
            found[number] = min(found[number][0], took[0]), min(found[number][1], took[1])
    return found


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options.add_argument("--ways", nargs="+", choices=list(WAYS)[1:], default=list(WAYS)[1:])
    options.add_argument("--check", action="store_true")
    a = options.parse_args()
    if a.check:
        a.rounds, a.threads, a.networks, a.ways = 1, [1], ["kernel 3, width 4, batch 256"], ["kept"]
    print(f"Python {platform.python_version()}, torch {torch.__version__}; {torch.backends.cpu.get_cpu_capability()}")
    print(f"{'':<29} {'':<22} {'threads':>7} {'CPU s':>8} {'clock s':>8} {'images/s':>9} {'ratio':>7} {'differs':>9}")
    for name in a.networks:
        for threads in a.threads:
            torch.set_num_threads(threads)
            torch.compiler.reset()
            ways = ["plain", *a.ways]
            steppers = [Stepper(NETWORKS[name], way) for way in ways]
            said = [stepper.step() for stepper in steppers]
            times = least(steppers[:1], a.rounds) + least(steppers[1:], a.rounds)
            for way, logits, (cpu, clock) in zip(ways, said, times, strict=True):
                took, plain = (cpu, times[0][0]) if threads == 1 else (clock, times[0][1])
                apart = float((logits - said[0]).abs().max() / said[0].abs().max())
                print(
                    f"{name:<29} {way:<22} {threads:>7} {cpu:>8.3f} {clock:>8.3f} {len(logits) / took:>9,.0f} "
                    f"{plain / took:>6.2f}x {apart:>9.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
