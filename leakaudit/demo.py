"""
The demo: the whole story on real handwritten digits, offline, from training to report.

Two models of the same data, in which the background colour agrees with the digit four times in five: one trained as
usual, one by EnD. Both are attacked on rows that neither was trained or tuned on.
"""

import contextlib
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from leakaudit import archive
from leakaudit import report as reporting
from leakaudit.engines import Ended, Failed, Job, Note, local
from leakaudit.progress import Manner, watch
from leakaudit.protocol import SUITES
from leakaudit.render import Report

Results = dict[str, Any]
RECIPES = ("digits/vanilla", "digits/end")
AUXILIARIES = ("balanced", "matched", "paper")


def run(store: Path, *, device: str, seed: int, manner: Manner) -> Report:
    """Train, attack and reconstruct both models side by side; what the store already holds is not done again."""
    jobs = [Job(name, partial(chain, name, store, device, seed)) for name in RECIPES]
    documents = watch(together(local.run(jobs)), "demo", manner)
    made = reporting.report([archive.read(path) for name in RECIPES for path in documents[name]], ())
    return replace(made, with_images=True)  # digits are no faces


def together(work: Generator[Note | Ended, None, Results]) -> Generator[Note | Ended, None, Results]:
    """
    Jobs of which none is of use without the others: where one fails, the others are ended at once.

    Raises:
        LeakauditError, RuntimeError: what a job failed by.
    """
    with contextlib.closing(work):
        while True:
            try:
                record = next(work)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            yield record
            if isinstance(record, Ended) and isinstance(record.result, Failed):
                raise record.result.raised()


def chain(name: str, store: Path, device: str, seed: int) -> Generator[Any, None, tuple[Path, Path]]:
    """One model from recipe to audits: the documents of the attack and of the reconstruction."""
    from leakaudit import auditor, recipe, train
    from leakaudit.catalog import Call
    from leakaudit.subject import Terms

    plan = recipe.load(name)
    what = f"{name} --private {plan.private}"
    made = yield from train.train(plan, store=store, root=store / "data", seed=seed, device=device, resume=True)
    terms = Terms(
        store=store,
        root=store / "data",
        private=(plan.private,),
        device=device,
        seed=seed,
        with_images=True,
        command=f"leakaudit attack {what} --auxiliary {' --auxiliary '.join(AUXILIARIES)}",
    )
    subject = auditor.find(str(made.folder), terms)
    calls = tuple(Call(attacker, {}) for attacker in SUITES["standard"])
    _, attacked = yield from auditor.attack(subject, terms, calls, AUXILIARIES)
    rebuilding = replace(terms, command=f"leakaudit reconstruct {what} --with-images")
    _, rebuilt = yield from auditor.rebuild(subject, rebuilding, Call("convolutional", {}))
    return attacked, rebuilt
