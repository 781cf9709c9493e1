"""
Every claim of the statistics, simulated: `python tests/benchmarks/validity.py --replicates 400 --seed 0 --output FILE`.

Each replicate is one made-up audit in a world of which the truth is known (`worlds.py`): both tests, the suite's
attackers, bounds and verdict by the verb's own rule; controls where absence is at stake. Where a claim is of detection
alone, attackers are asked only if H did not detect. Replicates are appended to the file as they end, one JSON object a
line: a run that was stopped goes on, parts may run apart, files may be joined. The table speaks of all that the file
holds. `--replicates` are those of each null; other cells take a share.
"""

import argparse
import json
import multiprocessing
import shlex
import sys
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import worlds
from claims import CELLS, Cell, Outcome, claims
from threadpoolctl import threadpool_limits

from leakaudit import protocol, stats
from leakaudit.catalog import Call
from leakaudit.inquest import controls, detection
from leakaudit.inquest.arena import Arena, Ask, Case
from leakaudit.inquest.contest import Entrant, compete, entrants, nested
from leakaudit.numerics.moments import moments
from leakaudit.numerics.plants import SHAPES
from leakaudit.protocol import PLANTS, Fold
from leakaudit.stats import LEVEL
from leakaudit.verdict import Evidence, rule

FRESH = 20_000
"""Rows that only measure the true E of the fitted attackers."""
TAUS = (0.05, 0.1, 0.15)


def finish(run: Generator[str, None, Any]) -> Any:
    """What a run returns."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def replicate(cell: Cell, number: int, *, seed: int, names: Sequence[str]) -> Outcome:
    """One audit, asked and judged."""
    start = time.process_time()
    fresh = FRESH if cell.part == "coverage" else 0
    chance = partial(protocol.chance, cell.name, seed)
    world = worlds.draw(cell.world, cell.rows + fresh, cell.width, cell.size, chance(f"{number} rows"))
    case, arena = stage(cell, world, number, chance(f"{number} folds"))
    h = 1.0
    if not fresh:
        h = detection.refitted(arena, [case.private], [2], protocol.refits(1), grouped=case.grouped)[0].p
    if cell.part == "refit" or (cell.brief and protocol.combined(h, 1.0) <= LEVEL):
        seconds = time.process_time() - start
        return Outcome(cell.name, number, h, 1.0, *[np.nan] * 4, {}, np.nan, {}, {}, np.nan, True, seconds)
    attackers = entrants([Call(name, {}) for name in names])
    answered = finish(compete(arena, attackers, [Ask(case.private, 2)]))[0]
    answers, best = case.answers(), nested(answered, arena.folds)
    guess = answers.guess(best.chances[case.scored])
    figures = answers.figures(guess)
    uppers = {name: answers.figures(answers.guess(each.chances[case.scored])).upper for name, each in answered.items()}
    i = answers.p(guess, case.chance("p"), case.draws)
    converged = all(each.converged for each in answered.values())
    part, width = answers.advantage(guess)
    evidence = Evidence(
        tolerance=LEVEL, p=protocol.combined(h, i), excess=figures.excess.value, error=width * part.variance**0.5,
        lower=figures.lower, upper=max(uppers.values()), mde=answers.mde(guess), cells=answers.mde(), rows=cell.rows,
        off_majority=len(answers) - int(answers.table.max(axis=1).sum()), classes=2, doubled=answers.doubled,
        bounded=answers.bounded, unconverged=() if converged else ("some",),
    )  # fmt: skip
    planted, evidence = checked(cell, case, attackers, evidence)
    truth = 0.0
    if fresh:
        last = best.chances.argmax(axis=1)
        parts = [fold.test[fold.test >= cell.rows] for fold in arena.folds]
        truth = float(np.mean([stats.excess(last[p], world.target[p], world.private[p], 2, 2) for p in parts]))
    return Outcome(
        cell.name, number, h, i, figures.excess.value, figures.excess.low, figures.excess.high, figures.lower,
        {**uppers, "winner": figures.upper}, truth,
        {f"{tau:g}": rule(replace(evidence, tolerance=tau)).verdict for tau in TAUS}, planted,
        evidence.mde, converged, time.process_time() - start,
    )  # fmt: skip


def stage(cell: Cell, world: worlds.World, number: int, rng: np.random.Generator) -> tuple[Case, Arena]:
    """The world's rows as an audit holds them; fresh rows have no label and are guessed by each fold's attackers."""
    n, rows = cell.rows, np.arange(len(world.z))
    group = rows if world.group is None else world.group
    folds = protocol.folds(world.target[:n], world.private[None, :n], group[:n], rng)
    if len(rows) > n:
        fresh = np.array_split(rows[n:], len(folds))
        folds = tuple(
            Fold(f.train, f.validation, np.concatenate([f.test, more])) for f, more in zip(folds, fresh, strict=True)
        )
    known = moments(world.z[:n])
    given = known.basis.components(world.z)
    arena = Arena(world.z, world.target, 2, group, folds, number, "cpu", known, given)
    private = np.where(rows < n, world.private, -1)
    return Case("v", arena, private, 2, world.group is not None, None, f"{cell.name} {number}", 999), arena


def checked(
    cell: Cell, case: Case, attackers: tuple[Entrant, ...], evidence: Evidence
) -> tuple[dict[str, int], Evidence]:
    """Plants found of each shape, and the evidence with the controls that failed; shuffles where they could decide."""
    if not cell.tolerance:
        return {}, evidence
    rungs = finish(controls._rung(case, attackers, SHAPES, 2 * cell.tolerance, range(PLANTS)))
    failed = [f"planted-{rung.shape}" for rung in rungs if not rung.found]
    evidence = replace(evidence, failed=tuple(failed))
    if rule(replace(evidence, tolerance=cell.tolerance)).verdict in {"NOT_FOUND", "WITHIN"}:
        asks = controls.shuffles(case)
        if not controls.shuffled(case, asks, finish(compete(case.arena, attackers, asks))).passed:
            evidence = replace(evidence, failed=("shuffled",))
    return {rung.shape: rung.detected for rung in rungs}, evidence


def worker() -> None:
    """One thread for each process."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def main() -> None:
    """Run what the file lacks, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", action="append", choices=sorted({cell.part for cell in CELLS}))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--attackers", nargs="+", default=list(protocol.DECIDERS))
    a = parser.parse_args()
    lines = a.output.read_text().splitlines() if a.output.exists() else []
    done = {(each.cell, each.number): each for each in (Outcome(**json.loads(line)) for line in lines)}
    asked = [cell for cell in CELLS if a.part is None or cell.part in a.part]
    wanted = {cell: max(1, round(a.replicates * cell.share)) if a.replicates else 0 for cell in asked}
    todo = [(cell, i) for cell in asked for i in range(wanted[cell]) if (cell.name, i) not in done]
    # all cells grow at the same rate, so that the table of a run that was stopped is a whole one
    todo.sort(key=lambda each: each[1] / wanted[each[0]])
    with (
        ProcessPoolExecutor(a.jobs, multiprocessing.get_context("spawn"), worker) as pool,
        a.output.open("a") as file,
    ):
        runs = [pool.submit(replicate, cell, i, seed=a.seed, names=a.attackers) for cell, i in todo]
        for run in as_completed(runs):
            outcome = run.result()
            done[outcome.cell, outcome.number] = outcome
            file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
    print(f"python {shlex.join(sys.argv)}")
    seconds = sum(each.seconds for each in done.values())
    names = list(dict.fromkeys(name for each in done.values() for name in each.uppers))
    print(f"suite {' + '.join(names[:-1])}; {len(done)} replicates, {seconds:,.0f} CPU s; rate (SE) of replicates")
    for claim in claims(names):
        for cell in claim.cells:
            outcomes = [each for each in done.values() if each.cell == cell.name]
            if outcomes:
                print(claim.line(cell, outcomes))


if __name__ == "__main__":
    main()
