"""`leakaudit sweep`: a plan in, a table of all its cells out."""

import shlex
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from leakaudit import console, flags, options, progress, scale, store
from leakaudit.errors import InputError


class Form(StrEnum):
    """The forms of what a sweep came to."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


@flags.spread
def sweep(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Plan file, or the name of one.")],
    *,
    engine: scale.Chosen = scale.Engine.LOCAL,
    attempts: Annotated[
        int, flags.flag("Times that a cell is started whose worker or node dies.", "--attempts", metavar="N")
    ] = 3,
    results: Annotated[
        Path | None,
        flags.flag("Where the lines go, one a cell; the store has a file for each plan.", "--results", metavar="FILE"),
    ] = None,
    form: Annotated[
        Form, flags.flag("Form of the table; html is the report on all audits.", "--format", panel="Output")
    ] = Form.TERMINAL,
    output: Annotated[
        Path | None, flags.flag("Write it there, not to stdout.", "--output", panel="Output", metavar="FILE")
    ] = None,
    root: options.Root = Path(".leakaudit/data"),
    run: options.Watched,
) -> None:
    """Train and attack every cell of a plan that is not finished, then print the table."""
    flags.within("--attempts", attempts, 1)
    for path in filter(None, (results, output)):
        store.check_place(path)
    from leakaudit import cell, grid
    from leakaudit import sweep as sweeping

    made = grid.load(plan)
    _check_device(made, run.device)
    home = store.open_store(run.store)
    path = results or home / "sweeps" / f"{made.name}.jsonl"
    place = cell.Place(store=home.absolute(), root=root.absolute(), device=run.device, said=str(run.store))
    chosen = engine or scale.Engine.LOCAL
    how = sweeping.Engine(run=scale.run(chosen), away=chosen is not scale.Engine.LOCAL, attempts=attempts)
    try:
        found = progress.survey(sweeping.sweep(made, place, how, path), run.manner)
    except KeyboardInterrupt:
        whole = len(sweeping.finished(made, path))
        console.end(130, f"interrupted; {whole} of {len(made.cells)} cells are finished, in {path}; the same command "
                    "goes on from there")  # fmt: skip
    _put(made, found, form, output, home)
    failed = [result for result in found if not result.finished]
    names = {each.key: each.name for each in made.cells}
    if failed:
        said = "; ".join(f"{names[result.cell]} (exit {result.status})" for result in failed)
        console.end(
            2, f"{len(failed)} of {len(made.cells)} cells failed, and the same command tries them again: {said}"
        )
    console.say(f"exit 0: {len(found)} cell{'' if len(found) == 1 else 's'} finished, in {path}")


def _check_device(made: Any, device: str) -> None:
    """Refuse a GPU for cells that are given none, which would be counted nowhere."""
    resources = made.cells[0].resources
    if device.startswith("cuda") and not resources.gpus:
        raise InputError(
            f"--device {device}: the plan gives its cells no GPU; [resources] gpus = 1, or a share of one, expected"
        )


def _put(made: Any, found: list[Any], form: Form, output: Path | None, home: Path) -> None:
    """The table, or the report on the audits of the finished cells; and the line that makes that report."""
    from leakaudit import finish, results
    from leakaudit import sweep as sweeping

    if form is Form.HTML:
        paths = sweeping.documents(found, home)
        if not paths:
            raise InputError("--format html: no cell is finished, so there is no audit to report on")
        finish.put(finish.render(finish.report(paths, ()), "html"), "html", output)
        console.say(f"leakaudit report {shlex.join(map(str, paths))}")
        return
    tally = results.Tally(
        plan=made.name, text=made.text, command=shlex.join(["leakaudit", *sys.argv[1:]]), cells=len(made.cells),
        results=tuple(found),
    )  # fmt: skip
    text = import_module(f"leakaudit.render._sweep.{form}").render(tally, width=console.columns())
    console.put(text, form, output)
