"""On what terms: controls, who attacks, how to read the report, and what it rests on."""

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup, escape

from leakaudit import audits
from leakaudit.audits import Audit
from leakaudit.finding import WORST_FIRST, Control
from leakaudit.render import Report, _annex, _entries, _figures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section, badge, some

Group = Sequence[Entry]
MANY = 4
"""Models and attributes that have a column each; more have a row."""

LESSONS = {
    "LEAK": (0.22, 0.33), "DETECTED": (0.06, 0.20), "INCONCLUSIVE": (-0.005, 0.19), "WITHIN": (0.03, 0.08),
    "NOT_FOUND": (-0.01, 0.05),
}  # fmt: skip
"""An interval of E, against a tolerance of .12, that would bring each verdict."""


def controls(report: Report) -> Section | None:
    """Checks on the audit itself, and the smallest planted leak of each shape that was found."""
    found = [entry for entry in _entries.entries(report) if entry.attribute.controls or entry.attribute.sensitivity]
    if not found:
        return None
    shapes = dict.fromkeys(part.shape for entry in found for part in entry.attribute.sensitivity)
    body = {
        "models": [(entry, strips.key(entry.place)) for entry in found],
        "many": len(found) > MANY,
        "rows": _by_name(found, lambda e: {c.control: _control(c) for c in e.attribute.controls}),
        "names": _words.CONTROLS,
        "sensitivity": [(shape, [_sensitive(entry, shape) for entry in found]) for shape in shapes],
        "several": len({entry.attribute.private for entry in found}) > 1,
    }
    return Section("controls", "Controls", _words.controls_said(found), body)


def _by_name(found: Group, of: Callable[[Entry], dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    columns = [of(entry) for entry in found]
    return [(name, [c.get(name) for c in columns]) for name in dict.fromkeys(n for c in columns for n in c)]


def _control(control: Control) -> dict[str, str]:
    held = {True: "held", False: "failed", None: "does not apply"}[control.passed]
    count = f"{control.detected} of {len(control.draws)} draws detected" if control.draws and not control.note else ""
    drawn = "E " + ", ".join(_figures.three(draw.value) for draw in control.draws) if control.draws else ""
    return {"held": held, "more": "; ".join(filter(None, (count or control.note, drawn)))}


def _sensitive(entry: Entry, shape: str) -> str:
    part = next((part for part in entry.attribute.sensitivity if part.shape == shape), None)
    if part is None:
        return "not asked"
    return f"E {part.found:.2f}" if part.found is not None else f"not even E {max(step[0] for step in part.ladder):.2f}"


def threat(report: Report) -> Section:
    """Who attacks, with what knowledge; equal terms stand once."""
    models: list[dict[str, Any]] = []
    for audit, name in zip(report.audits, _entries.short([audit.name for audit in report.audits]), strict=True):
        terms = _terms(audit, _annex.attacks(report))
        same = next((one for one in models if one["terms"] == terms), None)
        if same is None:
            models.append({"names": [name], "terms": terms})
        else:
            same["names"].append(name)
    knows = _figures.plain(report.audits[0].threat.get("knows"))
    if len(models) == 1 and knows:
        models[0]["terms"] = [line for line in models[0]["terms"] if line[0] != LABELS["knows"]]
    found = _entries.entries(report)
    attacked: dict[str, list[str]] = {}
    for audit, name in zip(report.audits, _entries.short([audit.name for audit in report.audits]), strict=True):
        attacked.setdefault(_attacked(audit), []).append(name)
    rows = {_rows(entry): [e.label for e in found if _rows(e) == _rows(entry)] for entry in found}
    body = {
        "attacked": [(some(names), words) for words, names in attacked.items()],
        "models": models,
        "rows": [(some(names), words) for words, names in rows.items()],
    }
    lede = f"The attacker holds: {knows.removesuffix('.')}." if knows else "Who attacks, with what knowledge."
    return Section("threat", "Threat model", lede, body)


def _attacked(audit: Audit) -> str:
    """What was attacked: how many numbers of which layer, of which model, on which rows."""
    of, data = audit.subject, audit.data
    width = f"{of['width']:,} numbers a row" if isinstance(of.get("width"), int) else "its numbers"
    layer = f" at {of['layer']}" if of.get("layer") else ""
    made = [f"{name} {of[name]}" for name in ("method", "backbone") if isinstance(of.get(name), str)]
    split = f", split {data['split']}" if data.get("split") else ""
    on = f", on {data['name']}{split}" if data.get("name") else ""
    kind = str(of.get("kind") or "model")
    kind = {"file": "embeddings file", "module": "network in memory", "embeddings": "embeddings in memory"}.get(
        kind, kind
    )
    return f"{width}{layer} of the {kind}{f' ({_figures.joined(made)})' if made else ''}{on}"


LABELS = {
    "knows": "The attacker holds",
    "auxiliary": "Its labels are",
    "attackers": "It attacks with",
    "conditioned_on": "It already knows",
    "overlap": "Overlap with training",
    "not_tested": "Not tested",
}


def _terms(audit: Audit, not_tested: str) -> list[tuple[str, str]]:
    lines = []
    for name, said in audit.threat.items():
        value = not_tested if name == "not_tested" else said
        lines.append((LABELS.get(name, name.replace("_", " ").capitalize()), _figures.plain(value) or "nothing"))
    return lines


def _rows(entry: Entry) -> str:
    """Which rows the figures speak of."""
    rows = entry.attribute.rows
    words = f"{rows.scored} of {rows.rows} rows scored, {_entries.scheme(rows)}; "
    words += f"{rows.missing} left out for a missing label"
    words += f", {rows.trained} because the model was trained on them" if rows.trained is not None else ""
    words += f"; {rows.groups} groups" if rows.groups is not None else "; every row stands for itself"
    cells = f"E covers {_figures.percent(rows.share)} % of the rows and {rows.cells} of {rows.cells_possible} cells"
    more = f" and {len(rows.left_out) - 12} more" if len(rows.left_out) > 12 else ""  # noqa: PLR2004 (a line of names)
    left = f"; left out, having a single class: {', '.join(rows.left_out[:12])}{more}" if rows.left_out else ""
    return f"{words}. {cells}{left}."


def reading(report: Report) -> Section:
    """What each verdict and each figure means."""
    suite = report.audits[0].suite
    verdicts = [
        (badge(verdict), strips.lesson(*LESSONS[verdict]), _words.MEANING[verdict].format(suite=suite))
        for verdict in WORST_FIRST
    ]
    part = report.audits[0].attributes[0]
    lede = "Five verdicts are possible. None of them says that a model gives nothing away."
    body = {
        "verdicts": verdicts, "part": part, "suite": suite, "deep": _deep(_entries.entries(report)),
        "allowed": _allowed(report.audits[0].tolerance, len(part.classes)),
    }  # fmt: skip
    return Section("reading", "How to read this", lede, body)


def _allowed(tolerance: float, classes: int) -> str:
    """What a tolerance lets an attacker do, in rows of a hundred: accuracy is 1/C and E times what is above it."""
    guessed = 1 / classes
    named = guessed + tolerance * (1 - guessed)
    tau, most, least = _figures.tau(tolerance), _figures.percent(named), _figures.percent(guessed)
    return f"With {classes} equal classes, τ {tau} lets an attacker name {most} of 100 rows; guessing names {least}."


def _deep(found: Group) -> set[str]:
    """Which of the further figures stand in this report, and are to be explained."""
    parts = [entry.attribute for entry in found]
    known = {
        "auc": any(part.figures.auc for part in parts),
        "tests": any(part.p_h is not None for part in parts),
        "learning": any(part.learning for part in parts),
        "leace": any(_entries.baseline(part, "leace") for part in parts),
    }
    return {name for name, there in known.items() if there}


def provenance(report: Report, sources: Sequence[Audit]) -> Section:
    """Hashes, versions, seeds, device and commands; `sources` are the audits as the report holds them, untamed."""
    columns = [_facts(audit, source) for audit, source in zip(report.audits, sources, strict=True)]
    rows = []
    for label in dict.fromkeys(label for column in columns for label in column):
        cells = [column.get(label, "") for column in columns]
        same = len(set(cells)) == 1
        rows.append(
            (label, "hash" if "sha256" in label else "any", cells[:1] if same else cells, len(columns) if same else 1)
        )
    commands = [line for audit in report.audits for line in str(audit.provenance.get("command") or "").split("\n")]
    body = {
        "models": [(audit.name, strips.key(place)) for place, audit in enumerate(report.audits)],
        "rows": rows,
        "commands": list(dict.fromkeys(filter(None, commands))),
    }
    lede = "What this report rests on, so that a third party can repeat it."
    return Section("provenance", "Provenance", lede, body)


def _facts(audit: Audit, source: Audit) -> dict[str, Markup]:
    """Label to value, as it stands in the document."""
    seals = audit.provenance.get("documents") or [audits.document(source)["sha256"]]
    facts = {
        _words.hashed(audit): audit.subject.get("sha256"),
        "file (its bytes), sha256": audit.subject.get("file_sha256"),
        "data, sha256": audit.data.get("fingerprint"),
        "audit document, sha256": " ".join(map(str, seals)),
    }
    skip = ("sha256", "file_sha256", "fingerprint", "documents", "command", "pseudo_labels", "own_task")
    for before, table in (("", audit.subject), ("data ", audit.data), ("audit ", audit.provenance)):
        named = {f"{before}{name}".replace("_", " "): value for name, value in table.items() if name not in skip}
        facts |= {label: value for label, value in named.items() if value not in (None, "", {}, [])}
    facts.pop("name", None)  # the head of the column
    facts = {label: value for label, value in facts.items() if value is not None}
    return {label: Markup(escape(_figures.plain(value))) for label, value in facts.items()}  # noqa: S704 (escaped)
