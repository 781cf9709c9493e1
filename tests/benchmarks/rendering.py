"""
A report of a hundred findings in every form: CPU seconds of a fresh `leakaudit report`, and of rendering alone.

    python tests/benchmarks/rendering.py [--models 5] [--attributes 3] [--rounds 5]

Audits are made up (`tests/render/synthetic.py`), with seven findings per attribute, everything that an audit can hold,
and their per-row outcomes beside them; they are saved as documents and reported on by the command. The peer is what
nobody can do without: `json.dumps(..., indent=2)` of the same documents in the same process. Forms and peer take turns,
and of each the least of all rounds counts. The fresh process says which heavy libraries it had loaded at its end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))

import synthetic

from leakaudit import archive, audits, catalog, outcomes, report

HEAVY = ("torch", "torchvision", "timm", "sklearn", "pandas", "matplotlib")
COMMAND = f"""
import sys, time
from leakaudit.cli import main
try:
    main()
finally:
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    print(f"{{time.process_time():.3f}} {{','.join(loaded) or 'none'}}", file=sys.stderr)
"""


def made(folder: Path, models: int, attributes: int) -> list[Path]:
    """Documents of made-up audits, each with its rows beside it."""
    paths = []
    for model in range(models):
        plans = [
            replace(
                synthetic.VANILLA, name=f"model {model}", private=f"attribute {number}", model=f"{model:x}"[-1],
                strength=0.9 - 0.15 * model, seed=10 * model + number,
            )
            for number in range(attributes)
        ]  # fmt: skip
        audit, rows = synthetic.audit(*plans)
        path = folder / f"model{model}.json"
        outcomes.save(rows, outcomes.path_of(path))
        audits.save(audit, path)
        paths.append(path)
    return paths


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def fresh(paths: list[Path], form: str) -> tuple[float, str]:
    """CPU seconds of the command in a process of its own, and the heavy libraries it loaded."""
    line = [sys.executable, "-c", COMMAND, "report", *map(str, paths), "--format", form, "--output", os.devnull]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    spent, loaded = done.stderr.splitlines()[-1].split(" ", 1)
    return float(spent), loaded


def main() -> None:
    """Print one line per form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--attributes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()
    print(f"python tests/benchmarks/rendering.py --models {a.models} --attributes {a.attributes} --rounds {a.rounds}")
    forms = catalog.names("render")
    with tempfile.TemporaryDirectory() as folder:
        paths = made(Path(folder), a.models, a.attributes)
        whole = report.report([archive.read(path) for path in paths], ())
        documents = [audits.document(audit) for audit in whole.audits]
        works: dict[str, Callable[[], object]] = {
            form: lambda form=form: catalog.thing("render", form).render(whole, width=120)  # type: ignore[misc]
            for form in forms
        }
        works["json.dumps"] = lambda: json.dumps(documents, indent=2)
        least = dict.fromkeys(works, float("inf"))
        for _ in range(a.rounds):
            for name, work in works.items():
                least[name] = min(least[name], seconds(work))
        found = sum(len(part.findings) for audit in whole.audits for part in audit.attributes)
        print(f"{found} findings in {len(paths)} documents; json.dumps of them: {least['json.dumps']:.3f} CPU-s")
        print("form        rendering, CPU-s   times json.dumps   fresh command, CPU-s   heavy libraries")
        for form in forms:
            spent, loaded = min(fresh(paths, form) for _ in range(a.rounds))
            ratio = least[form] / least["json.dumps"]
            print(f"{form:<12}{least[form]:<19.3f}{ratio:<19.1f}{spent:<23.2f}{loaded}")


if __name__ == "__main__":
    main()
