"""The command `checkpoints`: the encoders of the ledger: what there is, fetched, hashed again, and added to."""

from pathlib import Path
from typing import Annotated, Any

import typer

from leakaudit import console, flags
from leakaudit.errors import InputError

app = typer.Typer(help="List, fetch, verify and add encoders of the ledger.")

Ledger = Annotated[
    Path | None, flags.flag("A checkpoints.toml of your own.", "--ledger", panel="Subject", metavar="FILE")
]
Trust = Annotated[
    bool, flags.flag("Fetch what has no hash yet, and record its hash.", "--trust-on-first-use", panel="Subject")
]


@app.callback(invoke_without_command=True)
def roof(context: typer.Context) -> None:
    """List, fetch, verify and add encoders of the ledger."""
    if context.invoked_subcommand is None:
        show(None)


@app.command("list")
def list_(*, ledger: Ledger = None) -> None:
    """List the encoders of the ledger, and what of them is on this disk."""
    show(ledger)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of the ledger.")],
    *,
    ledger: Ledger = None,
    trust_on_first_use: Trust = False,
) -> None:
    """Fetch encoders, check them against their hashes, and print where they lie."""
    from leakaudit.ledgers import fetching, holdings

    for entry in holdings.named(names, ledger):
        found = fetching.fetch(entry, trust=trust_on_first_use)
        for note in found.notes:
            console.say(note)
        typer.echo(found.path)
    console.say("exit 0: fetched")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Of the ledger; all unasked.")] = None,
    *,
    ledger: Ledger = None,
) -> None:
    """Hash again what is on this disk, and compare it with the ledger and with what it was on first use."""
    from leakaudit.ledgers import fetching, holdings

    known = holdings.named(names, ledger) if names else None
    found = holdings.verify(fetching.home(), ledger, known)
    typer.echo(holdings.hashes(found, console.columns()))
    bad = [one.name for one in found if one.bad]
    if bad:
        console.end(4, f"not what was promised: {', '.join(bad)}")
    console.say(f"exit 0: {sum(one.found != '' for one in found)} files are what was promised")


@app.command()
def add(
    weights: Annotated[str, typer.Argument(metavar="FILE|URL", help="Weights: a file, https://... or hf://...")],
    *,
    name: Annotated[str, flags.flag("What it is to be called.", "--name", metavar="NAME", variable="")],
    backbone: Annotated[str, flags.flag("The network.", "--backbone", metavar="NAME[:KNOBS]", variable="")] = "",
    layer: Annotated[str, flags.flag("What is read.", "--layer", metavar="NAME[:KNOBS]", variable="")] = "",
    size: Annotated[str, flags.flag("Images as they enter.", "--size", metavar="N[xM]", variable="")] = "",
    mean: Annotated[str, flags.flag("Of each channel.", "--mean", metavar="M,...", variable="")] = "",
    std: Annotated[str, flags.flag("Of each channel.", "--std", metavar="S,...", variable="")] = "",
    dataset: Annotated[str, flags.flag("Data it is audited on.", "--dataset", metavar="DATA", variable="")] = "",
    target: Annotated[str, flags.flag("What it is for.", "--target", metavar="NAME", variable="")] = "",
    private: Annotated[
        list[str] | None, flags.flag("What must not be read.", "--private", metavar="NAME", variable="")
    ] = None,
    licence: Annotated[str, flags.flag("Licence of the weights.", "--licence", metavar="TEXT", variable="")] = "",
    citation: Annotated[str, flags.flag("Who made them.", "--citation", metavar="TEXT", variable="")] = "",
    ledger: Ledger = None,
) -> None:
    """Add weights to a ledger of your own, with their hash; print the line to type next."""
    from leakaudit import adding

    said: dict[str, Any] = {
        "backbone": backbone, "layer": layer, "size": size, "mean": mean, "std": std, "dataset": dataset,
        "target": target, "private": private or [], "licence": licence, "citation": citation,
    }  # fmt: skip
    path = ledger or Path("checkpoints.toml")
    made = adding.add(weights, name, said, path)
    console.say(f"added {made.name} to {path}: sha256 {made.sha256}, {made.bytes:,} bytes")
    typer.echo(adding.next_line(made, path))
    console.say("exit 0: added")


def show(ledger: Path | None) -> None:
    """The encoders of the ledger, on stdout."""
    from leakaudit.ledgers import fetching, holdings
    from leakaudit.ledgers.ledger import shadows

    found = holdings.states(fetching.home(), ledger)
    if not found:
        raise InputError("no encoder in any ledger")
    typer.echo(holdings.table(found, console.columns()))
    for name in shadows(ledger):
        console.say(f"{name}: {ledger}'s is used, not the one that ships with leakaudit")
