"""
Time what a new user waits for: `leakaudit --help` and `leakaudit demo`, as whole processes.

    python tests/benchmarks/demo.py [RUNS]

Prints wall and CPU seconds of each run, minimum and median. The demo starts in an empty folder every time.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata


def timed(words: list[str], folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of one run of the command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "leakaudit", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int) -> None:
    """Print a line per command."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("leakaudit", "torch", "numpy", "scikit-learn"))
    print(f"{versions}, python {platform.python_version()}, {os.cpu_count()} cores, {runs} runs")
    for words, count in ((["--help"], 5), (["demo", "--quiet"], runs)):
        times = []
        for _ in range(count):
            with tempfile.TemporaryDirectory() as folder:
                times.append(timed(words, folder))
        wall, cpu = zip(*times, strict=True)
        print(
            f"leakaudit {' '.join(words):<14} wall min {min(wall):6.2f} s, median {statistics.median(wall):6.2f} s; "
            f"CPU min {min(cpu):6.2f} s, median {statistics.median(cpu):6.2f} s"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
