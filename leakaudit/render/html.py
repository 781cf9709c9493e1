"""
One self-contained HTML file: the verdict in words first, then the evidence, then the terms.

No network, no font, no image that is not in the file; the content security policy names the one style sheet and the
one script by their sha256. It reads without script, without style sheet, without colour and on paper.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from leakaudit import __version__
from leakaudit.audits import Audit
from leakaudit.render import Report, _tame
from leakaudit.render._html import (
    annex,
    bottleneck,
    cards,
    comparing,
    deeper,
    directions,
    drawn,
    evidence,
    histograms,
    lanes,
    pictures,
    rho,
    setting,
    terms,
    view,
)
from leakaudit.render._html.view import Section

FOLDER = Path(__file__).parent / "_html"
PARTS: dict[str, tuple[Callable[[Report], Section | None], ...]] = {
    "Verdict": (cards.verdict,),
    "Threat model": (terms.threat,),
    "Findings": (
        evidence.attackers,
        lanes.baselines,
        evidence.papers,
        drawn.labels,
        lanes.classes,
        deeper.operating,
        deeper.learning,
        deeper.seeds,
        deeper.memorisation,
        deeper.numbers,
    ),
    "Controls": (terms.controls,),
    "Comparison": (comparing.differences, rho.rho),
    "Pictures": (drawn.against, histograms.histograms, directions.directions, bottleneck.bottleneck, pictures.rebuilt),
    "Limits": (annex.annex, terms.reading),
}
"""The parts of the page in the order in which they are told; provenance closes it."""
MAIN = view.main
"""The main picture: after the verdict where models are compared, else the first of the pictures."""


class Part(NamedTuple):
    """Sections that belong together."""

    name: str
    sections: list[Section]


def render(report: Report, *, width: int) -> str:
    """The page; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    title = view.title(tamed)
    style, script = setting.style(setting.running(title)), setting.file(FOLDER / "script.js")
    return setting.environment(FOLDER).get_template("page.j2").render(
        report=tamed,
        title=title,
        dek=view.dek(tamed),
        facts=cards.facts(tamed),
        parts=parts(tamed, report.audits),
        several=len({part.private for audit in tamed.audits for part in audit.attributes}) > 1,
        style=style,
        script=script,
        style_hash=setting.named(style),
        script_hash=setting.named(script),
        version=__version__,
    )  # fmt: skip


def parts(tamed: Report, sources: Sequence[Audit]) -> list[Part]:
    """Parts that have something to show; `sources` are the audits as the report holds them, untamed."""
    place = "Verdict" if len(tamed.audits) > 1 else "Pictures"
    made = []
    for name, sections in PARTS.items():
        asked = {"Verdict": (*sections, MAIN), "Pictures": (MAIN, *sections)}[name] if name == place else sections
        shown = [section for one in asked if (section := one(tamed)) is not None]
        if shown:
            made.append(Part(name, shown))
    return [*made, Part("Provenance", [terms.provenance(tamed, sources)])]
