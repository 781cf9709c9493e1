"""The command line: options in, one call, one renderer."""

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from leakaudit import (
    __version__,
    catalog,
    cli_checkpoints,
    cli_datasets,
    cli_extract,
    cli_inspect,
    cli_report,
    cli_sweep,
    cli_train,
    cli_verify,
    console,
    finish,
    flags,
    options,
    progress,
    settings,
    start,
    store,
)
from leakaudit.errors import LeakauditError, interrupted
from leakaudit.numerics import launching

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit: 0 finished, 1 a gate failed, 2 input to correct, 3 a gate stayed open, 4 a file refused, "
    "70 a bug, 130 interrupted.",
)

app.add_typer(cli_datasets.app, name="datasets")
app.add_typer(cli_checkpoints.app, name="checkpoints")

INTERRUPTED = 130
TOGETHER = ("train", "extract")
"""Commands that torchrun may start."""
STOPPED = (
    "interrupted; finished epochs, and extracted rows by the 8,192, are kept, and the next run (train: --resume) goes "
    "on from there"
)
SURROUNDINGS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.ELOOP)
"""What the operating system says of the user's own files."""


def main() -> NoReturn:
    """Run one command; every end is one last line on stderr and an exit status."""
    try:
        status = app(standalone_mode=False)
    except LeakauditError as error:
        console.end(error.exit_status, str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 (whatever is left is a bug, and must not look like a failed gate)
        if interrupted(error):
            console.end(INTERRUPTED, STOPPED)
        if isinstance(error, OSError) and error.errno in SURROUNDINGS:
            console.end(2, f"{str(error.filename)[:120]}: {error.strerror}")
        if callable(getattr(error, "format_message", None)):
            launching.turn()
            said = str(error.format_message()).replace("Value error, ", "")  # type: ignore[attr-defined]
            console.end(2, said or "a command expected")
        traceback.print_exc()
        console.end(70, "a bug in leakaudit; please report it with the lines above")
    if status == INTERRUPTED:
        console.end(status, STOPPED)
    sys.exit(status or 0)


@app.callback(invoke_without_command=True)
def roof(
    context: typer.Context, *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Say what a trained vision model still gives away about a private attribute."""
    if version:
        typer.echo(f"leakaudit {__version__}")
        raise typer.Exit
    try:
        context.default_map = settings.configured(getattr(context.command, "commands", {}))
    except LeakauditError:
        launching.turn()
        raise
    if launching.launched() and context.invoked_subcommand not in TOGETHER:
        launching.alone(f"{context.invoked_subcommand} under torchrun: {' and '.join(TOGETHER)} alone share their work")


@app.command()
@flags.spread
def demo(
    *,
    output: Annotated[Path, flags.flag("Where the HTML report goes.", "--output", metavar="FILE")] = Path(
        "leakaudit-demo.html"
    ),
    run: options.Run,
) -> None:
    """Train, attack and compare a vanilla and a debiased digit reader, offline, on real digits."""
    store.check_place(output)
    from leakaudit import demo as story

    report = story.run(store.open_store(run.store), device=start.device(run), seed=run.seed, manner=run.manner)
    finish.put(finish.render(report, "terminal"), "terminal")
    store.write_bytes(output, finish.render(report, "html").encode())
    console.say("exit 0: the report, to open in a browser:")
    typer.echo(output.resolve())


app.command("train")(cli_train.train)
app.command("extract")(cli_extract.extract)


@app.command()
@flags.spread
def attack(
    subject: start.Subject,
    *,
    model: options.Model,
    attacker: Annotated[
        list[str] | None,
        flags.flag("Attack with this instead of the suite.", "--attacker", metavar="NAME[:KNOBS]"),
    ] = None,
    auxiliary: Annotated[
        list[str] | None, flags.flag("balanced (decides), matched, paper.", "--auxiliary", metavar="D")
    ] = None,
    suite: Annotated[
        str, flags.flag("Declared suite of attackers: standard or full.", "--suite", metavar="NAME")
    ] = "standard",
    projection: Annotated[
        options.Projection, flags.flag("Plane of the bottleneck plot; it changes no figure.", "--projection")
    ] = options.Projection.PCA,
    again: options.Again,
    network: options.Network,
    rows: options.Rows,
    run: options.Passes,
    output: options.Output,
    tolerance: options.Tolerance = 0.10,
    gates: options.Gates,
) -> None:
    """Try to read the private attribute; the verdict says what is there."""
    from leakaudit.protocol import AUXILIARIES, SUITES

    names = attacker or console.pick("suite", suite, SUITES)
    calls = tuple(catalog.call("attackers", name, "--attacker") for name in names)
    distributions = tuple(console.pick("auxiliary", name, AUXILIARIES) for name in auxiliary or AUXILIARIES[:2])
    ways = vars(again) | {"projection": str(projection), "tolerance": tolerance}
    asks = gates.asks_in(run.store)
    auditor, terms = start.terms(rows, run, model=model, network=network, gates=asks, **ways)
    work = auditor.attack_each(auditor.find(subject, terms), terms, calls, distributions)
    paths = progress.watch(work, f"attack {subject}", run.manner)
    console.say(f"saved {', '.join(map(str, paths))}")
    finish.finish(finish.report(paths, asks), output, gates)


@app.command()
@flags.spread
def reconstruct(
    subject: start.Subject,
    *,
    model: options.Model,
    decoder: Annotated[str, flags.flag("Decoder.", "--decoder", metavar="NAME[:KNOBS]")] = "convolutional",
    network: options.Network,
    rows: options.Rows,
    run: options.Passes,
    output: options.Output,
    tolerance: options.Tolerance = 0.10,
) -> None:
    """Rebuild images from the bottleneck and read the private attribute from them."""
    ways = {"tolerance": tolerance, "with_images": output.with_images}
    auditor, terms = start.terms(rows, run, model=model, network=network, **ways)
    work = auditor.rebuild(auditor.find(subject, terms), terms, catalog.call("decoders", decoder, "--decoder"))
    _, path = progress.watch(work, f"reconstruct {subject}", run.manner)
    console.say(f"saved {path}")
    finish.finish(finish.report([path], ()), output, options.Gates())


app.command("report")(cli_report.report)
app.command("sweep")(cli_sweep.sweep)
app.command("inspect")(cli_inspect.inspect)
app.command("verify")(cli_verify.verify)


@app.command("list")
def list_(
    room: Annotated[str | None, typer.Argument(metavar="[ROOM]", help="One room, recipes or plans.")] = None,
) -> None:
    """List the things there are: data sets, backbones, methods, attackers, decoders, formats, recipes, plans."""
    rooms = (*catalog.ROOMS, "recipes", "plans")
    for name in (console.pick("room", room, rooms),) if room else rooms:
        console.things(name)


@app.command("schema")
def schema_(document: Annotated[str, typer.Argument(metavar="recipe|audit|report", help="Which one.")]) -> None:
    """Print the JSON Schema of a recipe, an audit or a report."""
    from leakaudit import schema

    typer.echo(store.to_text(console.pick("schema", document, schema.KNOWN)()), nl=False)
