"""`leakaudit report`: audits side by side, or a paper's figures beside ours."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from leakaudit import console, finish, flags, options
from leakaudit.errors import InputError

FORMS = ("terminal", "markdown", "csv", "json", "html")
"""What `--paper` is printed as."""


@flags.spread
def report(
    audits: Annotated[
        list[str] | None, typer.Argument(metavar="AUDIT", help="Audit documents, or names in the store.")
    ] = None,
    *,
    paper: Annotated[
        str | None,
        flags.flag(
            "What a paper published beside what runs of ours came to, in place of audits: bridging, fairkl, irene, ...",
            "--paper", panel="Papers", metavar="NAME", variable="",
        ),
    ] = None,
    results: Annotated[
        list[Path] | None,
        flags.flag(
            "Lines that a sweep left, in place of those that ship and of the store's; may be repeated.",
            "--results", panel="Papers", metavar="FILE", variable="",
        ),
    ] = None,
    place: options.Place,
    output: options.Output,
    gates: options.Gates,
) -> None:  # fmt: skip
    """Put audits side by side, with paired differences; or a paper's figures beside ours."""
    if paper is not None:
        _beside(paper, audits or [], results or [], place, output, gates)
        return
    if results or not audits:
        raise InputError(
            "--results: lines of a sweep are read for --paper NAME, which is missing" if results
            else "report: AUDIT expected, a document or a name in the store; or --paper NAME"
        )  # fmt: skip
    from leakaudit import archive

    asks = gates.asks_in(place.store)
    finish.finish(finish.report(archive.gather(audits, place.store), asks), output, gates)


def _beside(
    paper: str, audits: list[str], results: list[Path], place: options.Place, output: options.Output,
    gates: options.Gates,
) -> None:  # fmt: skip
    """A paper's tables beside the lines of sweeps; figures of the audits behind them where they are asked for."""
    if audits:
        raise InputError(f"--paper {paper}: lines of sweeps are laid beside it, and no audit: leave {audits[0]} out")
    if gates != options.Gates() or output.with_images:
        raise InputError(f"--paper {paper}: no gate and no image belongs to it; both are for audits")
    if output.format not in FORMS:
        raise InputError(f"--format {output.format}: with --paper one of {', '.join(FORMS)} expected")
    from leakaudit import papers, published

    told = published.read(paper)
    found = papers.gather(results, place.store)
    made = papers.beside(told, found)
    if results and sum(count for _, count in made.foreign) == len(found):
        plans = ", ".join(dict.fromkeys(f"{published.FOLDER}/{table.plan}" for table in told.tables))
        raise InputError(
            f"--results {results[0]}: none of {len(found)} lines is of a row of {paper}, whose plans are {plans}"
        )
    if output.figures is not None:
        finish.figures(finish.report(papers.documents(made, place.store), ()), output.figures)
    form = import_module(f"leakaudit.render._papers.{output.format}")
    console.put(form.render(made, width=console.columns()), output.format, output.output)
    console.say(f"exit 0: {len(made.tables)} tables of {told.source}")
