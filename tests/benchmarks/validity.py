"""
False alarms and power of the audit, simulated: `python tests/benchmarks/validity.py 40 --rows 900 --seed 0`.

z is Gaussian with spectrum i^-1/2 and the target in its first component. Nulls hold nothing beyond the target; leaks
are the planted shapes of the Bayes E that `--size` says, in leading components. Rates are printed with their standard
errors sqrt(p (1 - p) / N). Each replicate asks the nested question alone: no baselines, no controls.
"""

import argparse
import shlex
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch

from leakaudit import protocol, stats
from leakaudit.catalog import Call
from leakaudit.contest import Arena, Ask, Case, compete, entrants, nested
from leakaudit.numerics import plants
from leakaudit.numerics.moments import moments

NULLS = ("plain", "skewed", "confounded", "clustered")
CLUSTER = 4
"""Rows per group of the clustered null."""


@dataclass(frozen=True)
class Outcome:
    """One replicate."""

    excess: float
    p: float
    lower: float
    covers: bool
    """The two-sided interval covers zero: of interest in nulls."""
    upper: float
    """UCB*."""
    mde: float


def draw(world: str, rows: int, width: int, size: float, seed: int) -> Case:
    """Rows of one world."""
    rng = np.random.default_rng(seed)
    units = rows // CLUSTER if world == "clustered" else rows
    unit = np.arange(rows) % units
    target = rng.integers(0, 2, units)
    share = {"skewed": 0.2}.get(world, 0.5)
    private = (rng.random(units) < share).astype(np.int64)
    if world == "confounded":
        private = np.where(rng.random(units) < 0.9, target, 1 - target)
    z = rng.standard_normal((units, width))[unit] if world == "clustered" else np.zeros((rows, width))
    target, private = target[unit], private[unit]
    z = (z + rng.standard_normal((rows, width))) * np.arange(1, width + 1) ** -0.25
    z[:, 0] += 2 * target
    z = z.astype(np.float32)
    if world in plants.SHAPES:
        plant = plants.plant(world, size, stats.tabulate(target, private, 2, 2), rng)
        columns = plant.columns(target, private, rng)
        z = plants.write(z, moments(z), columns, np.array([2, 3])[: plants.WIDTH[world]])
    group = unit if world == "clustered" else np.arange(rows)
    folds = protocol.folds(target, private, group, protocol.chance(f"{world} {rows}", seed, "folds"))
    arena = Arena(z, target, 2, group, folds, seed, "cpu")
    return Case("v", arena, private, 2, grouped=world == "clustered", usual=None, fingerprint=f"{seed}", draws=999)


def replicate(case: Case, names: list[str]) -> Outcome:
    """The nested question, asked and scored."""
    contest = compete(case.arena, entrants([Call(name, {}) for name in names]), [Ask(case.private, 2)])
    while True:
        try:
            next(contest)
        except StopIteration as end:
            (answered,) = end.value
            break
    answers = case.answers()
    guess = answers.guess(nested(answered, case.arena.folds).chances[case.scored])
    figures = answers.figures(guess)
    upper = max(answers.figures(answers.guess(each.chances[case.scored])).upper for each in answered.values())
    covers = figures.excess.low <= 0 <= figures.excess.high
    p = answers.p(guess, case.chance("p"), case.draws)
    return Outcome(figures.excess.value, p, figures.lower, covers, max(upper, figures.upper), answers.mde())


def rate(hits: list[bool]) -> str:
    """A rate and its standard error."""
    p = float(np.mean(hits))
    return f"{p:.3f} ({np.sqrt(max(p * (1 - p), 0) / len(hits)):.3f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("replicates", type=int)
    parser.add_argument("--rows", type=int, default=900)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=float, default=0.15)
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attackers", nargs="+", default=["linear", "mlp"])
    parser.add_argument("--worlds", nargs="+", default=[*NULLS, *plants.SHAPES])
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"python {shlex.join(sys.argv)}")
    print(f"{a.replicates} replicates, {a.rows} rows, d = {a.width}, suite {' + '.join(a.attackers)}; rate (SE)")
    print(f"{'world':<16}{'Bayes E':>8}{'mean E':>8}{'detected':>15}{'LEAK at .05':>15}{'LEAK at tau':>15}", end="")
    print(f"{'covers 0':>15}{'UCB* <= tau':>15}{'UCB* < 0':>15}{'MDE':>6}{'CPU s':>7}")
    for world in a.worlds:
        start = time.process_time()
        size = 0.0 if world in NULLS else a.size
        cases = (draw(world, a.rows, a.width, a.size, a.seed + 1000 * i) for i in range(a.replicates))
        done = [replicate(case, a.attackers) for case in cases]
        found = [each.p <= stats.LEVEL for each in done]
        leaks = [
            [hit and each.lower > tau for hit, each in zip(found, done, strict=True)] for tau in (0.05, a.tolerance)
        ]
        print(f"{world:<16}{size:>8.2f}{np.mean([each.excess for each in done]):>8.3f}{rate(found):>15}", end="")
        print(f"{rate(leaks[0]):>15}{rate(leaks[1]):>15}{rate([each.covers for each in done]):>15}", end="")
        print(
            f"{rate([each.upper <= a.tolerance for each in done]):>15}{rate([each.upper < 0 for each in done]):>15}",
            end="",
        )
        print(
            f"{np.mean([each.mde for each in done]):>6.2f}{(time.process_time() - start) / a.replicates:>7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
