"""
The documents themselves, for machines: one audit byte for byte as it was saved, several as one report document.

A report document is `{"format": 1, "kind": "report", "verdict", "audits", "comparisons", "gates", "rankings"}`; each of
its audits is a whole audit document with its own seal. `leakaudit schema audit` and `report` say what may stand where.
"""

from leakaudit import audits, record, store
from leakaudit.render import Report

FIELDS = ("verdict", "audits", "comparisons", "gates", "rankings")
"""What of a report its document holds: what concerns the way it is shown is left out."""


def render(report: Report, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    if len(report.audits) == 1:
        return store.to_text(audits.document(report.audits[0]))
    parts = {name: record.to_json(getattr(report, name)) for name in FIELDS}
    parts["audits"] = [audits.document(one) for one in report.audits]
    return store.to_text({"format": 1, "kind": "report", **parts})
