"""
The encoders that ship with leakaudit, made again: are their tensors those in `checkpoints/`?

    python tests/benchmarks/shipped.py            train them again and compare
    python tests/benchmarks/shipped.py --write    put them into checkpoints/, and print what the ledger must promise

Equal tensors are a matter of the machine, too: sums in another order differ in their last digits, and after forty
epochs in more. Where they differ it says by how much, and how often both name the same digit.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from leakaudit import store
from leakaudit.ledgers import ledger

REPOSITORY = Path(__file__).parents[2]
METHODS = ("vanilla", "end", "irene")


def trained(folder: Path) -> dict[str, Path]:
    """Train the three recipes at seed 0; their weights by method."""
    recipes = [f"digits/{method}" for method in METHODS]
    words = [sys.executable, "-m", "leakaudit", "train", *recipes, "--seed", "0", "--device", "cpu", "--store", folder]
    subprocess.run([*map(str, words), "-q"], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return {
        method: next((folder / "checkpoints" / "digits" / method).glob("*/weights.safetensors")) for method in METHODS
    }


def named(tensors: dict[str, np.ndarray], backbone: str) -> np.ndarray:
    """The digits that a network with these weights names in the split test."""
    import torch

    from leakaudit import catalog
    from leakaudit.backbones import simple_convnet
    from leakaudit.datasets import digits

    network = simple_convnet.build(10, (3, 8, 8), **catalog.parse(backbone, "").knobs)
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in tensors.items()})
    images = digits.load("test", Path()).images.batch(np.arange(898))
    with torch.inference_mode():
        logits = network.eval()((torch.from_numpy(np.asarray(images)).float() / 255 - 0.5) / 0.5)
    found: np.ndarray = logits.argmax(dim=1).numpy()
    return found


def main() -> None:
    """Train, compare, and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    known = ledger.read(REPOSITORY / ledger.FILE)
    with tempfile.TemporaryDirectory() as folder:
        for method, path in trained(Path(folder)).items():
            entry = known[f"digits-{method}"]
            if write:
                store.write_bytes(entry.path, path.read_bytes())
                print(f'[{entry.name}]\nsha256 = "{store.digest_file(path)}"\nbytes = {path.stat().st_size}')
                continue
            (made, _), (ours, _) = store.read_tensors(path), store.read_tensors(entry.path)
            if store.digest_tensors(made) == store.digest_tensors(ours):
                print(f"{entry.name}: the tensors are equal")
                continue
            most = max(float(np.abs(made[name] - ours[name]).max()) for name in ours)
            same = float((named(made, entry.backbone) == named(ours, entry.backbone)).mean())
            print(f"{entry.name}: the tensors differ by {most:.2g} at most; {same:.1%} of test digits are named alike")


if __name__ == "__main__":
    main()
