"""
A stranger's checkpoint, opened: leakaudit against plain `torch.load` and `safetensors.torch.load_file`.

    python tests/benchmarks/opening.py [--megabytes N] [--tensors N] [--rounds N]

A file of N megabytes of float32 in each format. The peer reads the same file in the same process, without any check;
where it only maps the file (safetensors), it copies the tensors, so that on both sides they stay as they are when the
file changes. Peers take turns, and the least of all rounds counts; CPU seconds, one thread. Opening also hashes the
file, which is counted by itself. Memory is what the process has more of at its peak, as a multiple of the file: first
all of it, with the pages of the file that lie in memory anyhow, then its own.
"""

import argparse
import gc
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from leakaudit import catalog, store
from leakaudit.unwrapping import unwrap

FORMATS = ("torch-zip", "torch-legacy", "safetensors")


def write(folder: Path, megabytes: int, tensors: int) -> dict[str, Path]:
    """The same tensors in each format."""
    generator = torch.Generator().manual_seed(0)
    count = megabytes * 1_000_000 // 4 // tensors
    net = {f"layer{place}.weight": torch.randn(count, generator=generator) for place in range(tensors)}
    paths = {name: folder / f"{name}.bin" for name in FORMATS}
    torch.save({"state_dict": net, "epoch": 1}, paths["torch-zip"])
    torch.save({"state_dict": net, "epoch": 1}, paths["torch-legacy"], _use_new_zipfile_serialization=False)
    save_file(net, paths["safetensors"])
    return paths


def ours(name: str, path: Path) -> object:
    """Read and unwrapped, as an audit does it."""
    return unwrap(catalog.thing("weights", name).read(path).tree, str(path))[0]


def theirs(name: str, path: Path) -> object:
    """Read, in memory of its own."""
    if name == "safetensors":
        return {key: tensor.clone() for key, tensor in load_file(path).items()}
    return torch.load(path, map_location="cpu", weights_only=True)["state_dict"]


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of all threads."""
    gc.collect()
    started = time.process_time()
    call()
    return time.process_time() - started


def memory(call: Callable[[], object]) -> tuple[int, int]:
    """Bytes more at the peak: resident, and of these the process's own."""
    gc.collect()
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(resident())
            time.sleep(0.002)

    before = resident()
    watcher = threading.Thread(target=watch)
    watcher.start()
    kept = call()
    done.set()
    watcher.join()
    del kept
    return max(all_ for all_, _ in seen) - before[0], max(own for _, own in seen) - before[1]


def resident() -> tuple[int, int]:
    """Bytes in memory, and of these the process's own (Linux)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["RssAnon"].split()[0]) * 1024


def main() -> None:
    """Print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--tensors", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), chosen.megabytes, chosen.tensors)
        print(f"{chosen.megabytes} MB of float32 in {chosen.tensors} tensors, torch {torch.__version__}")
        print("format        leakaudit s  peer s  ratio  hash s  memory: leakaudit (own), peer (own), times the file")
        for name, path in paths.items():
            pairs = [
                (seconds(lambda n=name, p=path: ours(n, p)), seconds(lambda n=name, p=path: theirs(n, p)))
                for _ in range(chosen.rounds)
            ]
            mine, other = (min(times) for times in zip(*pairs, strict=True))
            hashed = seconds(lambda p=path: store.digest_file(p))
            size = path.stat().st_size
            (all_, own), (peer_all, peer_own) = (
                memory(lambda n=name, p=path, call=call: call(n, p)) for call in (ours, theirs)
            )
            print(
                f"{name:13s} {mine:11.2f} {other:7.2f} {mine / other:6.2f} {hashed:7.2f}  "
                f"{all_ / size:.2f} ({own / size:.2f}), {peer_all / size:.2f} ({peer_own / size:.2f})"
            )


if __name__ == "__main__":
    main()
