"""
Embeddings larger than memory: what attacking them takes in resident memory and time.

    python tests/benchmarks/memory.py 10000000 512 --folder /tmp/large

Writes embeddings in float16 to disk by blocks, with a planted leak (one direction for all, and one whose sign depends
on the target), attacks them with the real command, and prints its peak resident memory, seconds, and what was found.
The file is removed afterwards.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy.special import ndtr

BLOCK = 1 << 15
TARGETS = 4
LINEAR, CROSSED = 0.3, 0.5
"""Steps between the private classes, in standard deviations of the noise."""


def write(path: Path, rows: int, width: int, seed: int) -> None:
    """A `.safetensors` file with z, target and private label, block by block."""
    rng = np.random.default_rng(seed)
    y, v = (rng.integers(0, count, rows, dtype=np.int8) for count in (TARGETS, 2))
    ends = np.cumsum([0, rows * width * 2, rows, rows]).tolist()
    header = {
        "z": {"dtype": "F16", "shape": [rows, width], "data_offsets": ends[:2]},
        "y": {"dtype": "I8", "shape": [rows], "data_offsets": ends[1:3]},
        "v": {"dtype": "I8", "shape": [rows], "data_offsets": ends[2:]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    spread = np.geomspace(3, 0.3, width, dtype=np.float32)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, rows, BLOCK):
            part = slice(start, min(start + BLOCK, rows))
            target, sign = y[part], (v[part] - 0.5).astype(np.float32)
            z = rng.standard_normal((len(target), width), dtype=np.float32)
            z[:, 1] += LINEAR * sign
            z[:, 2] += CROSSED * sign * np.where(target % 2, 1, -1)
            z[:, 3] += target
            file.write((z * spread).astype(np.float16).tobytes())
        file.write(y.tobytes() + v.tobytes())


def main() -> None:
    """Write, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--attacker", action="append", default=[])
    parser.add_argument("--keep", action="store_true")
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    path = a.folder / f"embeddings-{a.rows}-{a.width}-{a.seed}.safetensors"
    if not path.exists():
        write(path, a.rows, a.width, a.seed)
    size = path.stat().st_size
    words = ["attack", path.name, "--private", "v", "--target", "y", "--seed", str(a.seed)]
    words += ["--auxiliary", "balanced", "--format", "json"]
    words += [word for name in a.attacker for word in ("--attacker", name)]
    start = time.monotonic()
    with (a.folder / "progress.txt").open("w") as progress:
        done = subprocess.run(
            [sys.executable, "-m", "leakaudit", *words],
            cwd=a.folder,
            stdout=subprocess.PIPE,
            stderr=progress,
            check=False,
        )
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("leakaudit", "torch", "numpy", "scipy"))
    print(f"$ python tests/benchmarks/memory.py {' '.join(sys.argv[1:])}")
    print(f"python {platform.python_version()}, {versions}")
    print(
        f"z: {a.rows:,} x {a.width} in float16, {size / 2**30:.2f} GiB on disk; "
        f"{a.rows * a.width / 2**28:.1f} GiB as float32"
    )
    print(f"$ leakaudit {' '.join(words)}")
    print(f"exit {done.returncode}")
    print(f"peak resident: {used.ru_maxrss / 2**20:.2f} GiB")
    print(f"seconds: {seconds:.0f} on the clock, {used.ru_utime + used.ru_stime:.0f} of CPU")
    if done.returncode == 0:
        report(json.loads(done.stdout))
    else:
        print((a.folder / "progress.txt").read_text()[-2000:])
    if not a.keep:
        path.unlink()


def report(audit: dict) -> None:
    """What was found, beside what an attacker that knows the distribution reads."""
    (found,) = audit["attributes"]
    bayes = 2 * ndtr(np.hypot(LINEAR, CROSSED) / 2) - 1
    print(f"Bayes E {bayes:.3f}; of the linear direction alone {2 * ndtr(LINEAR / 2) - 1:.3f}")
    print(f"{found['verdict']}: {found['reason']}")
    print(f"p of the permutation test (H) {found['p_h']:.4f}, {found['h_draws']} relabellings, by {found['h_family']}")
    for each in found["findings"]:
        excess = each["figures"]["excess"]
        print(f"  {each['attacker']:<18} E {excess['value']:.3f} [{excess['low']:.3f}, {excess['high']:.3f}]", end="")
        print(f"  {'; '.join(each['notes'])[:240]}")
    every = [each["attacker"] for each in found["findings"] if "read from disk" in " ".join(each["notes"])]
    if every:
        named = ", ".join(dict.fromkeys(every))
        print(f"fitted to all rows that are not scored: {named}; the others to those of the sample")
    for note in audit["provenance"]["notes"]:
        print(f"note: {note}")


if __name__ == "__main__":
    main()
