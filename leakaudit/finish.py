"""How a command that audits ends: a report on the documents it left, rendered, and the status of the gates."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leakaudit import catalog, console, options, store


def report(paths: Sequence[Path], asks: Sequence[Any]) -> Any:
    """The report on the documents at these paths, judged by the gates asked for; what is not compared is said."""
    from leakaudit import archive
    from leakaudit import report as reporting

    made = reporting.report([archive.read(path) for path in paths], asks)
    for words in reporting.uncompared(made):
        console.say(words)
    return made


def finish(made: Any, output: options.Output, gates: options.Gates) -> None:
    """Render, write or print, and end with the status of the gates."""
    from leakaudit import gate

    passes = gates.on_inconclusive == options.Policy.PASS
    made = replace(made, with_images=output.with_images, open_passes=passes)
    if output.format == options.Form.JSON and _pictured(made):
        console.say(
            "the JSON holds thumbnails of rebuilt images as they were stored: personal data if they show people"
        )
    put(render(made, output.format), output.format, output.output)
    if output.figures is not None:
        figures(made, output.figures)
    status = gate.exit_status(made.gates, open_passes=passes)
    console.end(status, gate.summarise(made.gates, open_passes=passes, audits=len(made.audits)))


def figures(made: Any, folder: Path) -> None:
    """Every figure of the report as SVG and PNG, and what stands under them as text; what was written is said."""
    from leakaudit.render import _drawings, _tame, _thumbnails
    from leakaudit.render._drawings import apart

    drawn, withheld = _drawings.every(made), _thumbnails.withheld(_tame.tame(made))
    for one in drawn:
        text = apart.svg(one)
        store.write_bytes(folder / f"{one.name}.svg", text.encode())
        store.write_bytes(folder / f"{one.name}.png", apart.png(text))
    captions = "".join(f"{one.name}: {one.title}\n{one.caption}\n\n" for one in drawn)
    store.write_bytes(folder / "captions.txt", captions.encode())
    console.say(
        f"{len(drawn)} figures in {folder}, each as SVG and PNG, with captions.txt: "
        + ", ".join(one.name for one in drawn)
    )
    if withheld:
        console.say(withheld.removesuffix("."))


def _pictured(made: Any) -> bool:
    """Whether an audit holds thumbnails."""
    parts = (part.reconstruction for audit in made.audits for part in audit.attributes)
    return any(part is not None and part.pictures is not None for part in parts)


def render(made: Any, form: str) -> str:
    """The report in that form."""
    return str(catalog.thing("render", form).render(made, width=console.columns()))


def put(text: str, form: str, output: Path | None = None) -> None:
    """The rendered report, to a file or on stdout, coloured where its form has colours and somebody looks."""
    console.put(text, form, output, getattr(catalog.thing("render", form), "style", None))
