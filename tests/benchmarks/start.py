"""
From the start of `leakaudit attack e.npz --attacker linear` to its first finding: CPU seconds of a fresh process.

    python tests/benchmarks/start.py [--rows 2000] [--width 128] [--times 3]

The process is left at the first line of progress, and asked what it had loaded until then.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HEAVY = ("torch.optim", "torch._dynamo", "torchvision", "sklearn", "pandas", "matplotlib", "timm")
LOOK = f"""
import sys, time
from leakaudit import progress
def first(work, *rest):
    next(work)
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    print(f"{{time.process_time():.2f}} {{','.join(loaded) or 'none'}}", file=sys.__stdout__, flush=True)
    sys.exit()
progress.watch = first
from leakaudit.cli import main
sys.argv = ["leakaudit", "attack", "e.npz", "--private", "v", "--target", "y", "--attacker", "linear"]
main()
"""


def main() -> None:
    """Print the seconds, and which heavy libraries were loaded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--times", type=int, default=3)
    a = parser.parse_args()
    chance = np.random.default_rng(0)
    z = chance.standard_normal((a.rows, a.width), np.float32)
    y, v = chance.integers(0, 2, (2, a.rows))
    z[:, 0] += v
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "e.npz", z=z, y=y, v=v)
        ends = [
            subprocess.run([sys.executable, "-c", LOOK], cwd=folder, capture_output=True, text=True, check=True).stdout
            for _ in range(a.times)
        ]
    seconds, loaded = zip(*(end.split() for end in ends), strict=True)
    print(f"python tests/benchmarks/start.py --rows {a.rows} --width {a.width}")
    print(f"to the first finding: {min(map(float, seconds)):.2f} CPU-s (of {a.times}: {', '.join(seconds)})")
    print(f"of {', '.join(HEAVY)} loaded by then: {loaded[0]}")


if __name__ == "__main__":
    main()
