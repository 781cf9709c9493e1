"""The command `verify`: every hash that an audit names, counted again."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from leakaudit import console, flags, options


@flags.spread
def verify(
    audits: Annotated[list[str], typer.Argument(metavar="AUDIT...", help="Audit or report documents, or names.")],
    *,
    subject: Annotated[
        str | None,
        flags.flag("Where the model or file lies now.", "--subject", panel="Subject", metavar="PATH", variable=""),
    ] = None,
    ledger: Annotated[
        Path | None, flags.flag("A checkpoints.toml of your own.", "--ledger", panel="Subject", metavar="FILE")
    ] = None,
    data: Annotated[
        str | None,
        flags.flag("The data set, where it is called otherwise.", "--data", panel="Data", metavar="DATA", variable=""),
    ] = None,
    root: Annotated[
        Path | None,
        flags.flag("Where named sets lie.", "--root", panel="Data", metavar="DIR", variable="LEAKAUDIT_DATA"),
    ] = None,
    place: options.Place,
    output: options.Answer,
) -> None:
    """Count again every hash that an audit names, and say what no longer matches."""
    from leakaudit import archive, verify
    from leakaudit.proofs.tracing import Given

    given = Given(store=place.store, root=root, ledger=ledger, subject=subject, data=data)
    made = verify.verify(archive.gather(audits, place.store, every=True), given)
    form = import_module(f"leakaudit.render._verify.{output.format}")
    console.put(form.render(made, width=console.columns()), output.format, output.output)
    if made.broken:
        console.end(4, made.words)
    console.say(f"exit 0: {made.words}")
