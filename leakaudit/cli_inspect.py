"""The command `inspect`: what a file is, before anybody audits it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from leakaudit import console, options
from leakaudit.errors import InputError


@options.spread
def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="File, checkpoint folder, or name of the ledger.")],
    *,
    network: options.Network,
    output: options.Output,
) -> None:
    """Say what a file holds, which network it fits, and that network's layers; nothing in it is run."""
    if output.format == options.Form.HTML:
        raise InputError("--format html: a dossier is terminal, json or markdown")
    from leakaudit import examine, own_code

    path, backbone = _found(file, network)
    if backbone and own_code.named(backbone):
        console.say(own_code.warning(backbone))
    made = examine.examine(path, backbone=backbone, size=network.size, partial=network.partial)
    form = import_module(f"leakaudit.render._inspect.{output.format}")
    console.put(form.render(made, width=console.columns()), output.format, output.output)
    if made.fit is not None and made.fit.trouble:
        raise InputError(made.fit.trouble)
    console.say(f"exit 0: {made.file_format}")


def _found(name: str, network: options.Network) -> tuple[Path, str | None]:
    """The file of that name, or the one that the ledger names, with its backbone."""
    from leakaudit import fetching, ledger

    path = Path(name)
    entry = None if path.exists() else ledger.find(name, network.ledger)
    if entry is None:
        return path, network.backbone
    return fetching.fetch(entry, trust=network.trust_on_first_use).path, network.backbone or entry.backbone or None
