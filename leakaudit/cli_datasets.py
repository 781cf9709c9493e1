"""The command `datasets`: what data sets there are, and what one of them can tell before anybody trains on it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from leakaudit import console, flags, options, progress
from leakaudit.errors import InputError

app = typer.Typer(help="List data sets; describe one before anybody trains on it.")


@app.callback(invoke_without_command=True)
def roof(context: typer.Context) -> None:
    """List data sets; describe one before anybody trains on it."""
    if context.invoked_subcommand is None:
        console.things("datasets")


@app.command()
@flags.spread
def describe(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Data set with its knobs, or file or folder of images.")],
    *,
    model: options.Model,
    split: Annotated[
        list[str] | None,
        flags.flag("Split, of all there are; may be repeated.", "--split", panel="Data", metavar="S"),
    ] = None,
    group: options.Group = None,
    root: options.Root = Path(".leakaudit/data"),
    contents: Annotated[
        bool | None,
        flags.flag(
            "Read all images, and look for copies; unasked, of up to 50,000.",
            "--contents/--no-contents",
            panel="Data",
            variable="LEAKAUDIT_CONTENTS",
        ),
    ] = None,
    tolerance: options.Tolerance = 0.10,
    seed: options.Seed = 0,
    output: options.Described,
) -> None:
    """Say what a data set can tell of private attributes: what the target gives away, and what E can be decided."""
    if model.target is None:
        raise InputError("--target NAME is missing: what is a model of these images for?")
    console.share("--tolerance", tolerance)
    flags.within("--seed", seed, 0, flags.LARGEST)
    from leakaudit.describe import describe as verb

    names = tuple(name.strip() for text in split or () for name in text.split(",") if name.strip())
    work = verb(
        data, root=root, target=model.target, private=model.privates, splits=names, group=group, tolerance=tolerance,
        compare=contents, seed=seed,
    )  # fmt: skip
    made = progress.watch(work, f"describe {data}", "bar")
    form = import_module(f"leakaudit.render._describe.{output.format}")
    console.put(form.render(made, width=console.columns()), output.format, output.output)
    console.say("exit 0: described")
