"""
Where the design breaks at a billion embeddings: what takes room or time for each row, and at which count it ends.

    python tests/benchmarks/billion.py

Each part is run at two counts of synthetic rows, and the line through both is drawn out to a billion; rows are narrow
where a part never looks at the bottleneck, and of two widths where it does. Memory is how far a process grows at most
while it does that part (Linux's VmHWM, set back before, less VmRSS); of the whole command, its resident peak.
"""

import argparse
import contextlib
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from subprocess import PIPE, run

import memory
import numpy as np

from leakaudit import embeddings, lying, store
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.embeddings import SHARD, Origin
from leakaudit.inquest import beyond

BILLION = 10**9
HOUR = 3600
WIDTH, CLASSES = 512, 10
ROOM = 128 * 10**9
"""Bytes of memory."""
FEW, MANY = 1_000_000, 3_000_000
LIES = 1 << 20
"""Bytes of z from which it is left on disk here, so that narrow rows lie there too."""


def slope(make: Callable[[int], Callable[[], object]]) -> tuple[float, float]:
    """Bytes and CPU seconds, for each row more."""
    few, many = (grown(make, rows) for rows in (FEW, MANY))
    return (many[0] - few[0]) / (MANY - FEW), (many[1] - few[1]) / (MANY - FEW)


def grown(make: Callable[[int], Callable[[], object]], rows: int) -> tuple[float, float]:
    """Bytes by which a fork grows at the peak of its work, and CPU seconds of it."""
    hears, tells = os.pipe()
    if not (number := os.fork()):
        work = make(rows)
        Path("/proc/self/clear_refs").write_text("5")
        before, start = _status("VmRSS"), time.process_time()
        kept = work()
        os.write(tells, f"{_status('VmHWM') - before} {time.process_time() - start}".encode())
        del kept
        os._exit(0)
    os.close(tells)
    with os.fdopen(hears) as told:
        size, spent = told.read().split()
    os.waitpid(number, 0)
    return float(size), float(spent)


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def data(rows: int) -> Dataset:
    """Labels, identities and groups of so many rows; the images are one pixel."""
    random = np.random.default_rng(0)
    labels = {name: Labels(random.integers(0, CLASSES, rows), tuple("0123456789")) for name in ("y", "v")}
    images = Pixels(np.zeros((rows, 1, 1, 1), np.uint8))
    return Dataset("noise", "test", images, labels, np.arange(rows, dtype=np.uint64), (0.5,), (0.5,))


def origin(made: Dataset) -> Origin:
    """Whose embeddings these are."""
    return Origin("noise", "checkpoint", "0" * 64, "noise", "test", made.fingerprint, key="noise")


def sealed(rows: int, width: int, folder: Path) -> Dataset:
    """The data set of so many rows, with all its shards written."""
    made, z = data(rows), np.random.default_rng(0).standard_normal((SHARD, width), dtype=np.float32)
    for first in range(0, rows, SHARD):
        count = min(SHARD, rows - first)
        path = embeddings.shard(folder, first // SHARD)
        embeddings.write_shard(path, "noise", first, z[:count], np.zeros((count, CLASSES), np.float32))
    return made


def parts(folder: Path) -> list[tuple[str, float, float]]:
    """Each part with its bytes and CPU seconds a row."""
    embeddings.SHELVED = 0  # z of a folder is left on disk whatever it takes

    def named(rows: int) -> Callable[[], object]:
        return lambda: identify("noise", [f"images/{place:09d}.jpg" for place in range(rows)])

    def printed(rows: int) -> Callable[[], object]:
        made = data(rows)
        return lambda: made.fingerprint

    def written(rows: int) -> Callable[[], object]:
        where = folder / f"written-{rows}"
        made = sealed(rows, 4, where)
        made.__dict__["contents"] = made.ids
        return lambda: embeddings.seal(where, "noise", origin(made), made, ())

    def read(rows: int) -> Callable[[], object]:
        grown(written, rows)  # in a fork, so that what it frees is not what reading then uses
        return lambda: embeddings.read(folder / f"written-{rows}")

    def drawn(rows: int) -> Callable[[], object]:
        grown(written, rows)
        found = embeddings.read(folder / f"written-{rows}")
        return lambda: beyond.draw(found, ("v",), "y", 0)

    stages = {
        "names and identities of image files (identify)": named,
        "fingerprint of a data set (Dataset.fingerprint)": printed,
        "labels.parquet, manifest, and reading back (seal)": written,
        "labels and logits of a store (embeddings.read)": read,
        "drawing the sample that is attacked (beyond.draw)": drawn,
    }
    return [(name, *slope(make)) for name, make in stages.items()]


def attacked(rows: int, width: int, folder: Path) -> tuple[float, float]:
    """Bytes of resident peak and CPU seconds of the command on so many rows that lie on disk."""
    path = folder / f"lying-{rows}-{width}.safetensors"
    memory.write(path, rows, width, 0)
    done = run([sys.executable, __file__, "--attack", str(path)], stdout=PIPE, check=True, env=os.environ, text=True)
    path.unlink()
    peak, spent = done.stdout.split()[-2:]
    return float(peak), float(spent)


def child(path: Path) -> None:
    """In a process of its own: attack, and say what it took."""
    lying.find.__defaults__ = (LIES,)
    os.chdir(path.parent)
    from leakaudit.cli import main as command

    sys.argv = ["leakaudit", "attack", str(path), "--private", "v", "--target", "y", "--auxiliary", "balanced"]
    sys.argv += ["--attacker", "linear", "--device", "cpu", "--output", f"{path.stem}.txt", "-q"]
    os.dup2(os.open(f"{path.stem}.log", os.O_WRONLY | os.O_CREAT), 2)
    with contextlib.suppress(SystemExit):
        command()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_maxrss * 1024, used.ru_utime + used.ru_stime)


def hashed(folder: Path) -> float:
    """CPU seconds a byte of reading a shard as an attack does: its file's hash, and that of its tensors."""
    sealed(4 * SHARD, WIDTH, folder / "wide")
    paths = [embeddings.shard(folder / "wide", number) for number in range(4)]
    start = time.process_time()
    for number, path in enumerate(paths):
        store.digest_file(path)
        embeddings.read_shard(path, "noise", number * SHARD, SHARD)
    return (time.process_time() - start) / sum(path.stat().st_size for path in paths)


def report() -> None:
    """Print all of it."""
    shards, entry = -(-BILLION // SHARD), len('    "' + "0" * 64 + '",\n')
    vectors, logits, rows = (BILLION * width for width in (WIDTH * 4, CLASSES * 4, 8))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("leakaudit", "torch", "numpy", "pyarrow"))
    print(f"$ python tests/benchmarks/billion.py\npython {platform.python_version()}, {versions}; one thread\n")
    print(f"Where the design breaks at {BILLION:,} embeddings, {WIDTH} numbers and {CLASSES} logits each,")
    print(f"on {ROOM / 1e9:.0f} GB of memory:\n\nDisk:")
    print(f"  z in float32, {BILLION:,} x {WIDTH} x 4 B: {vectors / 1e12:.2f} TB; logits {logits / 1e9:.0f} GB")
    print(f"  {shards:,} shards of {SHARD:,} rows in one folder; names have five digits up to")
    print(f"  {SHARD * 10**5:,} rows, then six: they are opened by number, never in the order of names")
    listed, most = shards * entry / 1e6, store.DOCUMENT / 1e6
    print(f"  manifest.json: {shards:,} x {entry} B = {listed:.1f} MB; at most {most:.0f} MB")
    print(f"  are read, which ends at {store.DOCUMENT // entry * SHARD:,} rows")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        print(f"\nMemory and time of each part, by the line from {FEW:,} to {MANY:,} rows:")
        print(f"  {'':<58}{'B a row':>8}{'at 1e9':>9}{'ends at':>14}{'CPU us':>8}{'at 1e9':>8}")
        for name, size, spent in parts(folder):
            told(name, size, spent)
        second, stored = hashed(folder), vectors + logits + rows
        print("\nEvery byte of a store's shards is hashed twice before an attack, one shard after another:")
        print(f"  {second * 1e9:.2f} CPU s a GB; {stored * second / HOUR:.1f} CPU hours for {stored / 1e12:.2f} TB")
        whole(folder)
    sample = max(beyond.LEAST, min(beyond.NUMBERS // WIDTH, beyond.MOST))
    print(f"\nWhat is decided on a sample of {sample:,} rows at this width ({beyond.NUMBERS:,} numbers, but")
    print(f"  {beyond.LEAST:,} to {beyond.MOST:,} rows): every attacker's choice of knobs, all scores and intervals,")
    print("  baselines, controls, pictures; every attacker but linear and quadratic is fitted to it alone")
    print("What looks at all rows, block by block: the last fit of linear and of quadratic; the permutation test H")
    print("So the interval of an excess is that of the sample's scored part, however many rows lie behind it.")


def whole(folder: Path) -> None:
    """Print what the command itself takes."""
    sizes = (few, many, wide) = (3_000_000, 4), (8_000_000, 4), (3_000_000, 36)
    base, long, broad = took = [attacked(*each, folder) for each in sizes]
    size, spent = ((long[part] - base[part]) / (many[0] - few[0]) for part in (0, 1))
    number = max(broad[1] - base[1], 0) / (wide[0] * (wide[1] - few[1]))
    print("\nleakaudit attack FILE --auxiliary balanced --attacker linear, z on disk in float16:")
    for (rows, width), (peak, cpu) in zip(sizes, took, strict=True):
        print(f"  {rows:>9,} x {width:<3} peak {peak / 1e9:.2f} GB, {cpu:.0f} CPU s")
    told(f"the line through the first two, at width {few[1]}", size, spent, base[0] - size * few[0])
    more = number * BILLION * WIDTH / HOUR
    print(f"  and {number * 1e9:.2f} CPU ns for each number of z: {more:.1f} CPU hours at {WIDTH} numbers a row")


def told(name: str, size: float, spent: float, fixed: float = 0.0) -> None:
    """Print a line."""
    ends = f"{(ROOM - fixed) / size:,.1e} rows"
    room, hours = f"{size * BILLION / 1e9:.0f} GB", f"{spent * BILLION / HOUR:.1f} h"
    print(f"  {name:<58}{size:>8.0f}{room:>9}{ends:>14}{spent * 1e6:>8.2f}{hours:>8}", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--attack", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    child(asked.attack) if asked.attack else report()
