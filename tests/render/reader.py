"""A report as a reader meets it, and the one entry of a made-up audit."""

import functools
import re
from dataclasses import replace

import synthetic

from leakaudit import catalog
from leakaudit.audits import Attribute, Audit
from leakaudit.outcomes import Outcomes
from leakaudit.render import Report
from leakaudit.render._entries import Entry, entries
from leakaudit.report import report as make

FORMS = ("terminal", "markdown", "html")
AGE = replace(synthetic.VANILLA, private="age", strength=0.4, number=True)


def words(form: str, report: Report) -> str:
    """The report as a reader meets it, in one line."""
    made: str = catalog.thing("render", form).render(report, width=80)
    if form == "html":
        made = re.sub(r"<(style|script)>.*?</\1>", " ", made, flags=re.DOTALL)
        made = re.sub(r"<[^>]+>", " ", made)
    if form == "markdown":
        made = made.replace("&#60;", "<")
    plain = (
        made.replace("\u202f", " ").replace("\u2212", "-").replace("**", "").replace("\\", "").replace("\u2019", "'")
    )
    return " ".join(plain.replace("&lt;", "<").split())


@functools.cache
def known() -> tuple[Audit, dict[str, Outcomes]]:
    """A made-up audit of everything, made once."""
    made: tuple[Audit, dict[str, Outcomes]] = synthetic.audit(AGE)
    return made


def entry(**changes: object) -> Entry:
    """The one entry of a report on a made-up audit, with some fields changed."""
    made, outcomes = known()
    part: Attribute = replace(made.attributes[0], **changes)  # type: ignore[arg-type]
    return entries(make([(replace(made, attributes=(part,)), outcomes)], ()))[0]
