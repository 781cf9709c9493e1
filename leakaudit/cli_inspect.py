"""The command `inspect`: what a file is, before anybody audits it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from leakaudit import console, flags, options
from leakaudit.errors import InputError


@flags.spread
def inspect(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="File, checkpoint folder, address, or name of the ledger.")
    ],
    *,
    network: options.Network,
    output: options.Answer,
) -> None:
    """Say what a file holds, which network it fits, and that network's layers; nothing in it is run."""
    if not file.strip():
        raise InputError("inspect '': a file's name expected")
    from leakaudit import catalog, examine, own_code
    from leakaudit.ledgers import address, fetching, ledger

    if network.backbone and own_code.named(network.backbone):
        console.say(own_code.warning(network.backbone))
    path, typed = Path(file), file.startswith(address.ADDRESSES)
    ledger.clear(file, network.ledger)
    entry = ledger.typed(file) if typed else None if path.exists() else ledger.find(file, network.ledger)
    shelf = entry.weights if entry is not None and entry.kind in catalog.SHELVES else file
    if not path.exists() and shelf.partition(":")[0] in catalog.SHELVES:
        made = examine.model(shelf, network.size)
    else:
        trust = typed or network.trust_on_first_use
        fetched = None if entry is None else fetching.fetch(entry, trust=trust)
        path, sha256 = (path, "") if fetched is None else (fetched.path, fetched.sha256)
        said = (network.backbone, network.size)
        made = examine.examine(path, *said, partial=network.partial, entry=entry, sha256=sha256)
    form = import_module(f"leakaudit.render._inspect.{output.format}")
    console.put(form.render(made, width=console.columns()), output.format, output.output)
    if made.fit is not None and made.fit.trouble:
        raise InputError(made.fit.trouble)
    console.say(f"exit 0: {made.file_format}")
