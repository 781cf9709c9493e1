"""
One self-contained HTML file: the verdict in words first, then the evidence, then the terms.

No network, no font, no image that is not in the file; the content security policy names the one style sheet and the
one script by their sha256. It reads without script, without style sheet, without colour and on paper.
"""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from leakaudit import __version__
from leakaudit.render import Report, _tame
from leakaudit.render._html import bottleneck, deeper, evidence, lanes, pictures, terms, view

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
    style, script = _file("style.css"), _file("script.js")
    return _environment().get_template("page.j2").render(
        report=tamed,
        title=view.title(tamed),
        dek=view.dek(tamed),
        facts=view.facts(tamed),
        sections=[section for section in (*evident, *closing) if section is not None],
        several=len({part.private for audit in tamed.audits for part in audit.attributes}) > 1,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
    )  # fmt: skip


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_fine,
    )
    environment.filters["ascii"] = _ascii
    environment.filters["as_typed"] = lambda text: Markup(escape(text))  # noqa: S704 (escaped)
    return environment


def _fine(value: Any) -> Any:
    """Words as they are set: a true minus, narrow spaces before % and in thousands, a typographer's apostrophe."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    value = re.sub(r"(?<![\w.:/-])-(?=\d)", "\N{MINUS SIGN}", value)
    value = re.sub(r"(?<=\d) %", "\N{NARROW NO-BREAK SPACE}%", value)
    value = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\N{NARROW NO-BREAK SPACE}", value)
    value = re.sub(r"(?<![\w.,#/:-])\d{5,9}(?![\w.])", lambda found: f"{int(found[0]):,}".replace(",", "\u202f"), value)
    return re.sub(r"(?<=\w)'(?=\w|\s|$)", "\N{RIGHT SINGLE QUOTATION MARK}", value)


def _ascii(value: str) -> str:
    """A number as a script reads it: the first of the words."""
    return str(value).split(" ", maxsplit=1)[0]


def _file(name: str) -> Markup:
    """A file of the package between its tags, where nothing is escaped."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "</" not in text
    return Markup(text)  # noqa: S704 (a file of this package)


def _hash(text: str) -> Markup:
    """What the content security policy calls these bytes."""
    digest = base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
    return Markup("sha256-{}").format(Markup(digest))  # noqa: S704 (base64)
