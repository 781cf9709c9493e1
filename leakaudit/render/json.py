"""
The documents themselves, for machines: one audit byte for byte as it was saved, several as one report document.

A report document is `{"format": 1, "kind": "report", "verdict", "audits", "comparisons", "gates"}`; each of its audits
is a whole audit document with its own seal.
"""

from leakaudit import audits, record, store
from leakaudit.render import Report


def render(report: Report, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    if len(report.audits) == 1:
        return store.to_text(audits.document(report.audits[0]))
    return store.to_text(
        {
            "format": 1,
            "kind": "report",
            "verdict": report.verdict,
            "audits": [audits.document(one) for one in report.audits],
            "comparisons": record.to_json(report.comparisons),
            "gates": record.to_json(report.gates),
        }
    )
