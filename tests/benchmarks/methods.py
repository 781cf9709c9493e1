"""
Every method on one data set: what it costs the target, what the papers' protocol says, and what is still there.

    python tests/benchmarks/methods.py digits|mnist|utkface|chest-xray [METHOD...] [--seeds 0 1 2] [--root DATA]
        [--device cpu] [--to FILE]

`digits`, `utkface` (faces, gender private) and `chest-xray` (sex private) train the recipes of that name as they are;
`mnist` the recipes `biased-mnist/METHOD` on 10,000 training images at 14x14 with a strided network and one optimiser
for all, at the recipe's rho of .99, and audits 4,000 test images. A line is a cell, printed when it is done: method,
seed, target accuracy, private-class accuracy by the papers' protocol, E of the nested winner with its interval, and the
verdict. With `--to` lines are appended to a file, and cells that stand there already are not done again.
"""

import argparse
import logging
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Generator
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from leakaudit import auditor, recipe, train
from leakaudit.catalog import Call
from leakaudit.checkpoint import Agreement
from leakaudit.protocol import SUITES
from leakaudit.subject import Terms

PAPERS = (
    "vanilla", "end", "rebias", "rubi", "learned-mixin", "irene", "fairkl", "eps-supinfonce", "lnl", "bias-contrast",
    "bias-balance", "bias-contrast-balance",
)  # fmt: skip
"""Methods of the papers: three seeds; the others one."""
OTHERS = ("supcon", "simclr", "infol1o", "adversary", "reweight", "group-dro", "lff", "jtt", "pseudo-bias")
REAL = ("vanilla", "end", "irene")
"""Methods on faces and X-rays."""
SMALL: dict[str, object] = {
    "dataset.rows": 10_000,
    "dataset.test_rows": 4_000,
    "dataset.side": 14,
    "backbone.kernel": 3,
    "backbone.stride": 2,
    "train.epochs": 40,
    "train.batch_size": 128,
    "train.optimizer": {"name": "Adam", "lr": 3e-3, "weight_decay": 1e-4},
    "train.scheduler": {"name": "CosineAnnealingLR", "T_max": 40},
}
"""What makes a recipe for MNIST fit for a CPU: for every method the same; the rest is the recipe's."""
PIXELS = "simple-convnet:kernel=1,stride=2"
"""And the second network of a method that has one by name."""


def overrides(kind: str, name: str) -> dict[str, object]:
    """What a recipe is changed by."""
    if kind != "mnist":
        return {}
    named = recipe.load(name).method.knobs.get("biased", "")
    return {**SMALL, **({"method.biased": PIXELS} if named else {})}


def cell(kind: str, method: str, seed: int, root: Path, device: str) -> str:
    """Train, attack under both protocols, and say so in a line."""
    name = f"{'biased-mnist' if kind == 'mnist' else kind}/{method}"
    plan = recipe.load(name, overrides(kind, name))
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        made = _end(train.train(plan, store=store, root=root, seed=seed, device=device, resume=False))
        trained = time.process_time()
        terms = Terms(store=store, root=root, private=(plan.private,), device=device, seed=seed, command="")
        subject = auditor.find(str(made.folder), terms)
        calls = tuple(Call(attacker, {}) for attacker in SUITES["standard"])
        audit, _ = _end(auditor.attack(subject, terms, calls, ("balanced", "paper")))
    found = audit.attributes[0]
    paper = next(each.figures.private_accuracy for each in found.findings if each.auxiliary == "paper")
    low, high = found.figures.excess.low, found.figures.excess.high
    return (
        f"{method:<22} {seed:>4}  {100 * made.card.accuracy.value:6.2f}  {100 * paper.value:6.2f}  "
        f"{found.figures.excess.value:6.3f} [{low:.3f}, {high:.3f}]  {found.verdict:<12} {found.attacker:<18} "
        f"{trained - start:6.0f} s {time.process_time() - trained:6.0f} s{_guessed(made.card.guessed)}"
    )


def _guessed(found: Agreement | None) -> str:
    """How well a method that makes out private labels for itself does."""
    if found is None or found.accuracy is None or found.conflicting_accuracy is None:
        return ""
    return f"  pseudo-labels {found.accuracy:.1%}, of conflicting rows {found.conflicting_accuracy:.1%}"


def _end(run: Generator[Any, None, Any]) -> Any:
    """What a run of records ends with."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["digits", "mnist", "utkface", "chest-xray"])
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--to", type=Path)
    a = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    threadpool_limits(1)
    done = set()
    if a.to is not None and a.to.exists():
        done = {tuple(line.split()[:2]) for line in a.to.read_text().splitlines()}
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("leakaudit", "torch", "numpy"))
    plain = [word for word in sys.argv if word != str(a.root) and word != "--root"]
    head = [f"$ python {shlex.join(plain)}", f"Python {platform.python_version()}, {versions}"]
    columns = "target %, papers' private %, E [95 %], verdict, by; CPU seconds of training and of both attacks"
    for line in (*head, f"{'method':<22} seed  {columns}"):
        _say(line, a.to)
    every = [*PAPERS, *OTHERS] if a.kind in ("digits", "mnist") else REAL
    for method in a.methods or every:
        for seed in a.seeds or (range(3) if method in PAPERS else range(1)):
            if (method, str(seed)) not in done:
                _say(cell(a.kind, method, seed, a.root, a.device), a.to)


def _say(line: str, to: Path | None) -> None:
    print(line, flush=True)
    if to is not None:
        with to.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
