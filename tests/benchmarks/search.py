"""
What a method's weight does to the target, on a validation split that has no correlation: how weights are chosen.

    python tests/benchmarks/search.py digits|mnist METHOD [--try method.lam=0,0.05,0.2]... [--seeds 0 1 2] [--root DATA]

Every combination of the values is trained as `methods.py` trains it, and its target accuracy on the validation split
printed, one column a seed; the test split is not looked at. `digits` has 108 validation images (a standard error of
about three points for one seed), `mnist` 6,000 of the training images, coloured at random.
"""

import argparse
import itertools
import json
import logging
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from methods import overrides
from threadpoolctl import threadpool_limits

from leakaudit import recipe, train
from leakaudit.errors import LeakauditError

HELD_OUT = {"digits": {}, "mnist": {"dataset.held_out": 0.1}}


def validated(kind: str, name: str, tried: dict[str, object], seed: int, root: Path) -> float:
    """Target accuracy on the validation split after the last epoch."""
    plan = recipe.load(name, {**overrides(kind, name), **HELD_OUT[kind], **tried})
    with tempfile.TemporaryDirectory() as folder:
        epochs = list(train.train(plan, store=Path(folder), root=root, seed=seed, device="cpu", resume=False))
    found = epochs[-1].validation_accuracy
    assert found is not None, f"{name} has no validation split"
    return found


def value(text: str) -> object:
    """A number, true or false; or the word itself."""
    try:
        found: object = json.loads(text)
    except json.JSONDecodeError:
        return text
    return found


def main() -> None:
    """Print a line for each combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["digits", "mnist"])
    parser.add_argument("method")
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="KEY=VALUE,VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--root", type=Path, default=Path())
    a = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    threadpool_limits(1)
    name = f"{'digits' if a.kind == 'digits' else 'biased-mnist'}/{a.method}"
    keys = [word.partition("=")[0] for word in a.tries]
    lists = [[value(text) for text in word.partition("=")[2].split(",")] for word in a.tries]
    print("$ python " + shlex.join(word for word in sys.argv if word not in (str(a.root), "--root")))
    for values in itertools.product(*lists):
        tried = dict(zip(keys, values, strict=True))
        start, found = time.process_time(), []
        words = " ".join(f"{key}={json.dumps(each)}" for key, each in tried.items()) or "as the recipe says"
        try:
            found = [validated(a.kind, name, tried, seed, a.root) for seed in a.seeds]
        except LeakauditError as error:
            print(f"{a.method}: {words}: {error}", flush=True)
            continue
        print(
            f"{a.method}: {words}: validation {statistics.mean(found):.3f}"
            f" ({' '.join(f'{each:.3f}' for each in found)}), {time.process_time() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
