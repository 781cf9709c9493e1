"""`leakaudit train`: recipes in, checkpoints out."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from leakaudit import catalog, console, flags, options, progress, recipe
from leakaudit.errors import InputError
from leakaudit.numerics import launching


@flags.spread
def train(
    recipes: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Recipe names or files.")],
    *,
    overrides: Annotated[
        list[str] | None, flags.flag("Override one knob; may be repeated.", "--set", metavar="T.K=V")
    ] = None,
    epochs: Annotated[int | None, flags.flag("Same as --set train.epochs=N.", "--epochs", metavar="N")] = None,
    resume: Annotated[bool, flags.flag("Go on where a run was interrupted.", "--resume")] = False,
    check_promise: Annotated[bool, flags.flag("Exit 1 where a promise is broken.", "--check-promise")] = False,
    root: options.Root = Path(".leakaudit/data"),
    run: options.Run,
) -> None:
    """Train recipes; print the line to type next."""
    plans = [] if launching.launched() else _read(recipes, overrides, epochs)  # alone: before torch is loaded
    from leakaudit import train as training
    from leakaudit.numerics.gather import joined

    broken, manner = [], run.manner if launching.first() else "quiet"
    with joined(run.device) as device:
        for plan in plans or _read(recipes, overrides, epochs):
            work = training.train(plan, store=run.store, root=root, seed=run.seed, device=device, resume=resume)
            made = progress.watch(work, f"train {plan.name}", manner)
            broken += training.broken_promises(made, plan) if check_promise else []
            if launching.first():
                typer.echo(made.told, err=True, nl=False)
                typer.echo(f"leakaudit attack {shlex.quote(str(made.folder))} --private {shlex.quote(plan.private)}")
    if not launching.first():
        return
    if broken:
        console.end(1, f"promise broken: {'; '.join(broken)}")
    console.say("exit 0: trained")


def _read(recipes: list[str], overrides: list[str] | None, epochs: int | None) -> list[recipe.Recipe]:
    changes = {**dict(map(_change, overrides or [])), **({} if epochs is None else {"train.epochs": epochs})}
    return [recipe.load(name, changes) for name in recipes]


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: TABLE.KNOB=VALUE expected")
    return key.strip(), catalog.parse_value(value.strip())
