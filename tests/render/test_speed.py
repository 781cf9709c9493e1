"""Rendering is quick, and loads nothing heavy."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic

from leakaudit import catalog
from leakaudit.render import Report
from leakaudit.report import report

GOLDEN = Path(__file__).parents[1] / "golden"
HEAVY = ("torch", "torchvision", "timm", "sklearn", "pandas", "matplotlib")
FORMS = catalog.names("render")
FINDINGS = 100
SECONDS = 3.0
"""Of the CPU, that a report of so many findings may take."""
LOOK = f"""
import sys
from leakaudit.cli import main
*line, last = sys.argv[1:]
for each in last.split(","):
    sys.argv[1:] = [*line, each]
    try:
        main()
    except SystemExit as end:
        status = end.code
    print(status, ",".join(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def large() -> Report:
    """Five models with three attributes each, in which everything is known."""
    (part,) = synthetic.audit(replace(synthetic.VANILLA, number=True))[0].attributes
    audit = synthetic.audit(synthetic.VANILLA)[0]
    parts = tuple(replace(part, private=f"attribute {number}") for number in range(3))
    names = [f"model {number}" for number in range(5)]
    given = [replace(audit, attributes=parts, subject={**audit.subject, "name": name}) for name in names]
    return report([(one, None) for one in given], ())


def test_the_large_report_has_a_hundred_findings(large: Report) -> None:
    """What is timed is what is promised."""
    assert sum(len(part.findings) for audit in large.audits for part in audit.attributes) >= FINDINGS


@pytest.mark.parametrize("form", FORMS)
def test_a_hundred_findings_are_rendered_in_three_seconds(form: str, large: Report) -> None:
    """CPU seconds of one rendering, the form's import among them; `benchmarks/rendering.py` prints how far below."""
    start = time.process_time()
    assert catalog.thing("render", form).render(large, width=120)
    assert time.process_time() - start < SECONDS


def test_the_command_loads_nothing_heavy(environment: dict[str, str]) -> None:
    """`leakaudit report AUDIT AUDIT` in a fresh interpreter has no heavy library when it ends, in any form."""
    files = [str(GOLDEN / f"format-1-71d8a92-{kind}.json") for kind in ("attack", "reconstruct")]
    line = [sys.executable, "-c", LOOK, "report", *files, "--output", os.devnull, "--format", ",".join(FORMS)]
    root = {"PYTHONPATH": str(GOLDEN.parents[1])}
    done = subprocess.run(line, env=environment | root, capture_output=True, text=True, check=True)
    assert [said for said in done.stderr.splitlines() if said == "0 "] == ["0 "] * len(FORMS), done.stderr


def test_the_look_sees_what_is_loaded(environment: dict[str, str]) -> None:
    """The positive twin: a process that has loaded one of them says so."""
    line = [sys.executable, "-c", f"import matplotlib{LOOK}", "--version"]
    root = {"PYTHONPATH": str(GOLDEN.parents[1])}
    done = subprocess.run(line, env=environment | root, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0 matplotlib"
