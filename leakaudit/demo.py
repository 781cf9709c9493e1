"""
The demo: the whole story on real handwritten digits, offline, from training to report.

Two models of the same data, in which the background colour agrees with the digit four times in five: one trained as
usual, one by EnD. Both are attacked on rows that neither was trained or tuned on.
"""

from pathlib import Path

from leakaudit import archive, auditor, recipe
from leakaudit import report as reporting
from leakaudit import train as training
from leakaudit.catalog import Call
from leakaudit.progress import Manner, watch
from leakaudit.render import Report
from leakaudit.subject import Terms

RECIPES = ("digits/vanilla", "digits/end")
ATTACKERS = (Call("linear", {}), Call("mlp", {}), Call("gaussian-pca", {}))
AUXILIARIES = ("balanced", "matched", "paper")


def run(store: Path, *, device: str, seed: int, manner: Manner) -> Report:
    """Train, attack and reconstruct both models; what the store already holds is not done again."""
    documents = []
    for name in RECIPES:
        plan = recipe.load(name)
        training_run = training.train(plan, store=store, root=store / "data", seed=seed, device=device, resume=True)
        made = watch(training_run, f"train {name}", manner)
        command = f"leakaudit attack {name} --private {plan.private} --auxiliary {' --auxiliary '.join(AUXILIARIES)}"
        terms = Terms(
            store=store,
            root=store / "data",
            private=(plan.private,),
            device=device,
            seed=seed,
            with_images=True,
            command=command,
        )
        subject = auditor.find(str(made.folder), terms)
        _, attacked = watch(auditor.attack(subject, terms, ATTACKERS, AUXILIARIES), f"attack {name}", manner)
        rebuilding = auditor.rebuild(subject, terms, Call("convolutional", {}))
        _, rebuilt = watch(rebuilding, f"reconstruct {name}", manner)
        documents += [attacked, rebuilt]
    return reporting.report([archive.read(path) for path in documents], ())
