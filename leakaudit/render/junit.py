"""
JUnit XML for a pipeline: one test case per attribute and gate, an attribute that no gate judges being skipped.

A gate that failed is a failure. One that stayed open is an error, never a pass; with `--on-inconclusive pass` it is
skipped, with the reason. Nothing that was not judged looks green. Suites are audits: their properties hold verdicts,
figures and seals, and their output the words. What may stand where is what the Jenkins xUnit plugin reads (its
`junit-10.xsd`). Names are the same run after run: no hash of a subject is part of them, nor the file of a baseline.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from leakaudit import audits
from leakaudit.audits import Attribute, Audit, Gate
from leakaudit.render import Report, _entries, _figures, _tame, _words
from leakaudit.render._entries import Entry

ROOT = "leakaudit"
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, however it is written (W3C, XML 1.0, production 2)."""


class Case(NamedTuple):
    """One test case, and how it ended."""

    name: str
    ending: str
    """`failure`, `error`, `skipped`, or nothing where it passed."""
    kind: str
    message: str
    output: str


def render(report: Report, *, width: int) -> str:
    """The test suites; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    seals = [audits.sources(audit) for audit in report.audits]
    owners = [_owner(gate, report.audits) for gate in report.gates]
    names = _apart([bare(audit.name) for audit in tamed.audits])
    root = ET.Element("testsuites", {"name": ROOT})
    for number, audit in enumerate(tamed.audits):
        found = [entry for entry in _entries.entries(tamed) if entry.place == number]
        gates = [gate for gate, owner in zip(tamed.gates, owners, strict=True) if owner == number]
        cases = list(_cases(found, gates, open_passes=report.open_passes))
        _suite(root, f"{ROOT}.{names[number]}", audit, seals[number], cases)
    if loose := [gate for gate, owner in zip(tamed.gates, owners, strict=True) if owner is None]:
        cases = [_gated(gate, "", open_passes=report.open_passes) for gate in loose]
        _suite(root, f"{ROOT}.all", None, (), _unlike(cases))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def bare(name: str) -> str:
    """A subject's name without its hash, in one word between two dots."""
    return re.sub(r"@[0-9a-f]{8}(?![0-9a-f])", "", name).replace(".", "_")


def _owner(gate: Gate, judged: Sequence[Audit]) -> int | None:
    """Which audit a gate was judged on: of several, the one whose name begins the reason."""
    if len(judged) == 1:
        return 0
    fits = [number for number, audit in enumerate(judged) if gate.reason.startswith(f"{audit.name}: ")]
    return max(fits, key=lambda number: len(judged[number].name), default=None)


def _cases(found: Sequence[Entry], gates: Sequence[Gate], *, open_passes: bool) -> Iterator[Case]:
    made = []
    for entry in found:
        mine = [gate for gate in gates if gate.private == entry.attribute.private]
        made += [_gated(gate, _said(entry), open_passes=open_passes) for gate in mine] or [_measured(entry)]
    known = {entry.attribute.private for entry in found}
    made += [_gated(gate, "", open_passes=open_passes) for gate in gates if gate.private not in known]
    yield from _unlike(made)


def _gated(gate: Gate, output: str, *, open_passes: bool) -> Case:
    asked = gate.gate.partition(" --baseline ")[0]
    name, kind, output = f"{gate.private}: {asked}", asked.split(" ")[0].lstrip("-"), f"{gate.gate}\n{output}"
    if gate.outcome == "passed":
        return Case(name, "", kind, "", f"passed: {gate.reason}\n{output}")
    if gate.outcome == "failed":
        return Case(name, "failure", kind, f"failed: {gate.reason}", output)
    if gate.outcome == "open" and open_passes:
        return Case(name, "skipped", "open", f"inconclusive, let pass: {gate.reason}", output)
    return Case(name, "error", "open", f"inconclusive: {gate.reason}", output)


def _measured(entry: Entry) -> Case:
    excess = _figures.with_bounds(entry.attribute.figures.excess)
    message = f"measured; no gate asked: {entry.attribute.verdict}, E {excess}"
    return Case(f"{entry.attribute.private}: measured", "skipped", "measured", message, _said(entry))


def _said(entry: Entry) -> str:
    """The verdict with its reason, what an attacker does, and what neither speaks of."""
    part = entry.attribute
    does = "".join(_words.says(entry))
    return f"{part.verdict}: {part.reason}.\n{does}\n{_words.limits(entry)}"


def _suite(root: ET.Element, name: str, audit: Audit | None, seals: Sequence[str], cases: Sequence[Case]) -> None:
    endings = [case.ending for case in cases]
    counts = {"tests": len(cases), "failures": endings.count("failure"), "errors": endings.count("error")}
    counts["skipped"] = endings.count("skipped")
    suite = ET.SubElement(root, "testsuite", {"name": _legal(name), **{key: str(n) for key, n in counts.items()}})
    if audit is not None:
        listed = ET.SubElement(suite, "properties")
        for key, value in _properties(audit, seals):
            ET.SubElement(listed, "property", {"name": _legal(key), "value": _legal(value)})
    for case in cases:
        made = ET.SubElement(suite, "testcase", {"classname": _legal(name), "name": _legal(case.name)})
        if case.ending:
            ended = ET.SubElement(made, case.ending, {"type": _legal(case.kind), "message": _legal(case.message)})
            ended.text = _legal(case.message)  # GitLab shows the text alone, and others stumble where there is none
        if case.output:
            ET.SubElement(made, "system-out").text = _legal(case.output)


def _properties(audit: Audit, seals: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What a pipeline may want to keep: numbers in all their digits."""
    yield "subject", audit.name
    yield "subject.sha256", str(audit.subject.get("sha256") or "")
    yield "data.fingerprint", str(audit.data.get("fingerprint") or "")
    yield "audit.sha256", " ".join(seals)
    yield "verdict", audit.verdict
    yield "reason", audit.reason
    yield "tolerance", repr(audit.tolerance)
    yield "suite", audit.suite
    for warning in audit.warnings:
        yield "warning", warning
    for part in audit.attributes:
        yield f"{part.private}.verdict", part.verdict
        for key, value in _measures(part):
            yield f"{part.private}.{key}", repr(float(value))


def _measures(part: Attribute) -> Iterator[tuple[str, float]]:
    for metric in ("excess", "private_accuracy", "bits"):
        if (found := getattr(part.figures, metric)) is not None:
            yield from ((metric, found.value), (f"{metric}.low", found.low), (f"{metric}.high", found.high))
    yield from (("upper", part.upper), ("mde", part.mde), ("p", part.p))


def _unlike(cases: Sequence[Case]) -> list[Case]:
    names = _apart([case.name for case in cases])
    return [case._replace(name=name) for case, name in zip(cases, names, strict=True)]


def _apart(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: a later one is numbered."""
    given: list[str] = []
    for name in names:
        number, made = 1, name
        while made in given:
            number += 1
            made = f"{name} #{number}"
        given.append(made)
    return given


def _legal(text: str) -> str:
    """Text that XML can hold, with what it cannot spelt out."""
    return ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
