"""
One self-contained HTML file: the verdict in words first, then the evidence, then the terms.

No network, no font, no image that is not in the file; the content security policy names the one style sheet and the
one script by their sha256. It reads without script, without style sheet, without colour and on paper.
"""

from pathlib import Path

from leakaudit import __version__
from leakaudit.render import Report, _tame
from leakaudit.render._html import bottleneck, deeper, evidence, lanes, pictures, setting, terms, view

FOLDER = Path(__file__).parent / "_html"
EVIDENCE = (
    evidence.attackers,
    deeper.operating,
    evidence.papers,
    lanes.baselines,
    deeper.seeds,
    deeper.memorisation,
    deeper.learning,
    deeper.numbers,
    lanes.classes,
    evidence.directions,
    bottleneck.bottleneck,
    pictures.rebuilt,
    terms.controls,
)


def render(report: Report, *, width: int) -> str:
    """The page; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    evident = [view.verdict(tamed), view.scatter(tamed), *(part(tamed) for part in EVIDENCE)]
    closing = [terms.threat(tamed), terms.reading(tamed), terms.provenance(tamed, report.audits)]
    style, script = setting.file(FOLDER / "style.css"), setting.file(FOLDER / "script.js")
    return setting.environment(FOLDER).get_template("page.j2").render(
        report=tamed,
        title=view.title(tamed),
        dek=view.dek(tamed),
        facts=view.facts(tamed),
        sections=[section for section in (*evident, *closing) if section is not None],
        several=len({part.private for audit in tamed.audits for part in audit.attributes}) > 1,
        style=style,
        script=script,
        style_hash=setting.named(style),
        script_hash=setting.named(script),
        version=__version__,
    )  # fmt: skip
