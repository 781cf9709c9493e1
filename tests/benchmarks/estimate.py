"""
What the papers' plans cost, on paper: arithmetic, GPU hours, clock, CPU and disk, on 1, 8 and 64 GPUs.

    LEAKAUDIT_DATA=DIR python tests/benchmarks/estimate.py [--tflops 300] [--attack-seconds S]

Counted here: the cells of each plan (`leakaudit.grid`), their epochs, batches and recipes, and the arithmetic of an
epoch (`flops.py`). Measured here: the CPU seconds of one audit, of starting a process and of arithmetic. Assumed, and
named as such: what a GPU sustains, what a step takes at least, and how well eight GPUs share a run. Counts of rows are
those of the sources in `ROWS`; data that are not at hand cannot be counted. `billion.py` says where the design breaks.
"""

import argparse
import datetime as dt
import heapq
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import flops

from leakaudit import grid
from leakaudit import recipe as recipes
from leakaudit.grid import Cell
from leakaudit.recipe import Recipe

GPUS = (1, 8, 64)
FLOAT32 = 40
"""TFLOP/s of float32 that a GPU sustains, assumed: an H200's data sheet says 67 at most."""
LESS = 100
"""TFLOP/s of bf16 that networks of few channels may not exceed, assumed."""
MACHINE = 8
"""GPUs of a machine."""
PAPERS = Path(__file__).parents[2] / "recipes" / "papers"
TWIN = "bridging-mnist-gpu"
"""The cells of `bridging-mnist` in bfloat16: the same table, counted once."""
ROWS: dict[str, tuple[int, int, int, str]] = {
    "biased-mnist": (60_000, 0, 10_000, "MNIST's official split"),
    "celeba": (162_770, 19_867, 728, "CelebA's official partition; balanced test of the papers (blond)"),
    "imdb": (36_004, 3_282, 9_847, "Kim et al., CVPR 2019, 4.2: EB1, the larger half; its test, 1/4 for validation"),
    "siim": (5_384, 317, 633, "85/5/10 % of all 6,334 images: at most, two of four findings are kept"),
    "openbhb": (2_904, 323, 757, "OpenBHB's challenge: 3,227 people, a tenth for validation; internal test at most"),
    "cifar10": (45_000, 5_000, 10_000, "official split, held_out = 0.1"),
    "cifar100": (45_000, 5_000, 10_000, "official split, held_out = 0.1"),
    "imagenet-100": (117_000, 13_000, 5_000, "at most 1,300 images a class, held_out = 0.1"),
    "utkface": (14_000, 0, 5_000, "at most: 23,708 images, of which the halves take those of some ages"),
    "chest-xray": (1_000, 0, 1_000, "the 1,000 images at hand, at most"),
}
"""Training, validation and attacked rows, and whose figures these are."""
TRAIN = shlex.split(
    "train biased-mnist/vanilla --epochs 1 --set backbone.kernel=3 --set backbone.stride=2 --set dataset.rows=10000 "
    "--device cpu"
)
"""The audited model of the measurement: its images cost next to nothing."""
ATTACK = shlex.split("attack biased-mnist/vanilla --private colour --auxiliary balanced --auxiliary paper --device cpu")
HOUR, DAY = 3600, 24


class Price(NamedTuple):
    """What one cell takes."""

    plan: str
    name: str
    operations: float
    gpu: float
    """Seconds of a GPU."""
    clock: float
    """Seconds on the clock, of a cell that has the share of a GPU which its plan says."""
    floor: bool
    """The steps took longer than their arithmetic."""
    kept: float
    """Bytes in the store afterwards."""
    state: float
    """Bytes more while it trains."""


@dataclass(frozen=True)
class Assumed:
    """What is not measured here."""

    tflops: float
    step: float
    """Seconds that a step takes at least, however little it does."""
    sharing: float
    """Of eight GPUs' arithmetic, what a run under torchrun gets."""
    attack: float
    """CPU seconds of an audit."""
    start: float
    """CPU seconds until a process trains."""


KNOWN: dict[str, tuple[Recipe, flops.Work]] = {}
"""What was counted, by all that arithmetic depends on."""


def counted(what: Recipe) -> flops.Work:
    """The arithmetic of a recipe: of those that differ in rates or in counts of classes alone, that of the first."""
    method = {knob: value for knob, value in what.method.knobs.items() if isinstance(value, str)}
    network = {knob: value for knob, value in what.backbone.knobs.items() if knob != "pretrained"}
    key = f"{flops.shape(what)} {what.backbone.name} {network} {what.method.name} {method}"
    if key not in KNOWN:
        KNOWN[key] = what, flops.count(what)
    return KNOWN[key][1]


def price(plan: str, cell: Cell, share: float, a: Assumed) -> Price:
    """What a cell takes on a GPU of which it has that share."""
    what, did = cell.recipe, counted(cell.recipe)
    train, held, attacked, _ = ROWS[what.dataset.name]
    train = min(train, what.dataset.knobs.get("rows") or train)
    epochs, batch = what.train.epochs, what.train.batch_size
    operations = epochs * (train * did.learned + held * did.named) + train * did.warmed + 2 * attacked * did.named
    arithmetic, steps = operations / (a.tflops * 1e12), epochs * -(-train // batch) * a.step
    clock = max(arithmetic / share, steps)
    slots = 2 if what.train.optimizer["name"].startswith("Adam") else 1
    every = did.parameters + did.beside
    kept = 4 * every + 2 * attacked * 4 * (did.width + sum(flops.CLASSES.get(what.dataset.name, (2, 2))[:1]))
    return Price(plan, cell.name, operations, clock * share, clock, steps > arithmetic / share, kept,
                 4 * every * (1 + slots))  # fmt: skip


def clock(seconds: Sequence[float], gpus: int) -> float:
    """Seconds until the last of these is done, longest first, each on the GPU that is free first."""
    free = [0.0] * gpus
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def shared(seconds: Sequence[float], gpus: int, a: Assumed) -> float:
    """The same where a cell that is longer than an even share of all is trained on eight GPUs, by torchrun."""
    if gpus < MACHINE:
        return clock(seconds, gpus)
    even = sum(seconds) / gpus
    long = [each / MACHINE / a.sharing for each in seconds if each > even]
    short = [each for each in seconds if each <= even]
    return clock(long, gpus // MACHINE) + clock(short, gpus) if long else clock(short, gpus)


def measured(words: Sequence[str], cwd: Path) -> float:
    """CPU seconds of a command, which is printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    here = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PAPERS.parents[1])}
    subprocess.run([sys.executable, "-m", "leakaudit", *words], cwd=cwd, check=True, capture_output=True,
                   env={**os.environ, **here})  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"  {seconds:7.1f} CPU s: leakaudit {shlex.join(words)}", flush=True)
    return seconds


def audit(folder: Path) -> tuple[float, float]:
    """CPU seconds of an audit of 10,000 rows of 128 numbers under both auxiliaries, and of starting a process."""
    measured(TRAIN, folder)
    start = measured(TRAIN, folder)
    return measured(ATTACK, folder), start


def plans(names: Iterable[Path]) -> dict[str, grid.Grid]:
    """Every plan of the papers, by its short name."""
    return {path.name.removesuffix(grid.ENDING): grid.load(str(path)) for path in sorted(names)}


def hours(seconds: float) -> str:
    """In hours, or days where there are many."""
    return f"{seconds / HOUR:,.1f} h" if seconds < 4 * DAY * HOUR else f"{seconds / HOUR / DAY:,.1f} d"


def table(found: dict[str, grid.Grid], a: Assumed, cpu: float) -> list[Price]:
    """Print a line for each plan; the cells of those that are run in full, each once."""
    head = ("cells", 6), ("new", 5), ("epochs", 8), ("PFLOP", 11), ("longest", 9), ("training", 12), ("audits", 9)
    print("\n" + f"{'plan':<34}" + "".join(f"{word:>{width}}" for word, width in head) + f"{'store':>10}")
    seen: set[str] = set()
    every: list[Price] = []
    for name, plan in found.items():
        reduced = name.endswith("-reduced")
        given = plan.cells[0].resources.gpus
        share = given if 0 < given < 1 else 1.0
        new = [cell for cell in plan.cells if cell.key not in seen]
        seen |= {cell.key for cell in plan.cells}
        prices = [price(name, cell, share, a) for cell in new]
        total = sum(each.operations for each in prices)
        longest = "" if reduced else hours(max((each.clock for each in prices), default=0.0))
        spent = f"{hours(total / cpu)} CPU" if reduced else f"{hours(sum(each.gpu for each in prices))} GPU"
        numbers = len(plan.cells), len(new), plan.cells[0].recipe.train.epochs, f"{total / 1e15:,.1f}", longest, spent
        cells = (*numbers, hours(len(new) * (a.attack + a.start)))
        line = f"{name:<34}" + "".join(f"{each:>{width}}" for each, (_, width) in zip(cells, head, strict=True))
        print(line + f"{sum(each.kept for each in prices) / 1e9:>7,.2f} GB" + " *" * any(p.floor for p in prices))
        every += [] if reduced or name == TWIN else prices
    print("new: not among the cells of a plan above; audits: CPU hours, with starts; * some runs take their steps'")
    print("least time, more than their arithmetic; -reduced: on one core of a CPU, at the rate measured above")
    return every


def main() -> None:
    """Measure, count, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tflops", type=float, default=300.0)
    options.add_argument("--step-ms", type=float, default=0.5)
    options.add_argument("--sharing", type=float, default=0.9)
    options.add_argument("--attack-seconds", type=float, help="measured before; else measured here, in some minutes")
    options.add_argument("--start-seconds", type=float, default=6.2)
    o = options.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("leakaudit", "torch", "numpy"))
    print(f"$ python tests/benchmarks/estimate.py {shlex.join(sys.argv[1:])}".rstrip())
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}; python {platform.python_version()}, {versions}; one thread")
    print("\nMeasured here:")
    with tempfile.TemporaryDirectory() as folder:
        attack, start = (o.attack_seconds, o.start_seconds) if o.attack_seconds else audit(Path(folder))
    if o.attack_seconds:
        print(f"  {start:7.1f} CPU s to start, {attack:.1f} an audit; measured in an earlier run of these commands:")
        print(f"    leakaudit {shlex.join(TRAIN)} (again, once it is trained)\n    leakaudit {shlex.join(ATTACK)}")
    cpu = flops.rate(recipes.load("biased-mnist/vanilla", {"backbone.kernel": 3}), 512)
    print(f"  {cpu / 1e9:7.1f} GFLOP in a CPU second: biased-mnist/vanilla, kernel=3, batches of 128, on noise")
    a = Assumed(o.tflops, o.step_ms / 1e3, o.sharing, attack, start)
    print("\nAssumed:")
    print(f"  {a.tflops:.0f} TFLOP/s of bf16 sustained on one GPU (an H200's data sheet says 989 at most, dense)")
    print(f"  {o.step_ms} ms for a step, at least, compiled or captured; images are decoded once and kept as uint8")
    print(f"  {FLOAT32} TFLOP/s in float32 (its data sheet says 67 at most)")
    print(f"  {a.sharing:.0%} of eight GPUs' arithmetic for a run under torchrun")
    print("\nRows learned from, watched and attacked:")
    found = plans(PAPERS.glob(f"*{grid.ENDING}"))
    for name in sorted({cell.recipe.dataset.name for plan in found.values() for cell in plan.cells}):
        train, held, attacked, source = ROWS[name]
        print(f"  {name:<14}{train:>9,}{held:>9,}{attacked:>9,}  {source}")
    every = table(found, a, cpu)
    summary(every, a)
    print("\nArithmetic of one row and epoch, forwards and backwards, as counted:")
    for what, did in KNOWN.values():
        size = "x".join(map(str, flops.shape(what)))
        each = f"{did.learned / 1e9:>9.3f} GFLOP, {did.named / 1e9:.3f} forward"
        print(f"  {what.name:<42}{size:<11}{each}; {did.parameters:,} parameters")


def summary(every: list[Price], a: Assumed) -> None:
    """Print what all plans in full cost together."""
    gpu, attack = sum(each.gpu for each in every), len(every) * (a.attack + a.start)
    longest, total = max(every, key=lambda each: each.clock), sum(each.operations for each in every)
    kept, state = sum(each.kept for each in every), max(each.state for each in every)
    print(f"\nAll plans in full, each cell once ({TWIN} is bridging-mnist again): {len(every)} cells,")
    print(f"  {total / 1e18:,.2f} EFLOP at {a.tflops:.0f} TFLOP/s, or steps where longer: {gpu / HOUR:,.0f} GPU hours")
    few, slow = (sum(max(each.operations / (rate * 1e12), each.gpu) for each in every) for rate in (LESS, FLOAT32))
    print(f"  at {LESS} TFLOP/s, which networks of few channels may not exceed: {few / HOUR:,.0f}")
    said = f"where a plan does not set train.amp ({TWIN} alone does)"
    print(f"  in float32 at {FLOAT32} TFLOP/s, {said}: {slow / HOUR:,.0f}")
    print(
        f"  {len(every)} x ({a.attack:.0f} + {a.start:.0f}) CPU s for audits and starts: {attack / HOUR:,.1f} CPU hours"
    )
    print(f"  store: {kept / 1e9:,.1f} GB, and up to {state / 1e6:,.0f} MB more for each run that is under way")
    print(f"  longest cell: {longest.name} ({longest.plan}), {hours(longest.clock)} on one GPU")
    spent = [each.clock for each in every]
    heads = "one GPU a cell", "even share", "long ones by torchrun", "audits, a core a GPU"
    print(f"\n{'GPUs':>6}" + "".join(f"{word:>24}" for word in heads))
    for gpus in GPUS:
        times = clock(spent, gpus), sum(spent) / gpus, shared(spent, gpus, a), attack / gpus
        print(f"{gpus:>6}" + "".join(f"{hours(each):>24}" for each in times))
    print("The longest cell bounds the clock: from total / longest "
          f"= {sum(spent) / longest.clock:.0f} GPUs on more of them help only by torchrun.")  # fmt: skip


if __name__ == "__main__":
    main()
