"""`leakaudit train`: recipes in, checkpoints out."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from leakaudit import catalog, console, flags, options, progress, recipe, start, store
from leakaudit.errors import InputError


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
    changes = {**dict(map(_change, overrides or [])), **({} if epochs is None else {"train.epochs": epochs})}
    plans = [recipe.load(name, changes) for name in recipes]
    from leakaudit import train as training

    broken, how = (
        [],
        dict[str, Any](store=store.open_store(run.store), root=root, seed=run.seed, device=start.device(run)),
    )
    for plan in plans:
        made = progress.watch(training.train(plan, resume=resume, **how), f"train {plan.name}", run.manner)
        typer.echo(made.told, err=True, nl=False)
        broken += training.broken_promises(made, plan) if check_promise else []
        typer.echo(f"leakaudit attack {shlex.quote(str(made.folder))} --private {shlex.quote(plan.private)}")
    if broken:
        console.end(1, f"promise broken: {'; '.join(broken)}")
    console.say("exit 0: trained")


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: TABLE.KNOB=VALUE expected")
    return key.strip(), catalog.parse_value(value.strip())
