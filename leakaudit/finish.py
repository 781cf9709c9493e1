"""How a command that audits ends: a report on the documents it left, rendered, and the status of the gates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leakaudit import catalog, console, options


def report(paths: Sequence[Path], asks: Sequence[Any]) -> Any:
    """The report on the documents at these paths, judged by the gates asked for."""
    from leakaudit import archive
    from leakaudit import report as reporting

    return reporting.report([archive.read(path) for path in paths], asks)


def finish(made: Any, output: options.Output, gates: options.Gates) -> None:
    """Render, write or print, and end with the status of the gates."""
    from leakaudit import gate

    put(render(made, output.format), output.format, output.output)
    status = gate.exit_status(made.gates, open_passes=gates.on_inconclusive == options.Policy.PASS)
    console.end(status, gate.summarise(made.gates))


def render(made: Any, form: str) -> str:
    """The report in that form."""
    return str(catalog.thing("render", form).render(made, width=console.columns()))


def put(text: str, form: str, output: Path | None = None) -> None:
    """The rendered report, to a file or on stdout, coloured where its form has colours and somebody looks."""
    console.put(text, form, output, getattr(catalog.thing("render", form), "style", None))
