"""
The sentences that all forms of a report share.

Every sentence is computed from the audit, in branches, so that it survives being quoted alone. No sentence praises a
model: the least that is said is that no attacker of the suite exceeded the tolerance.
"""

import math
from collections.abc import Sequence

from leakaudit.audits import Audit, Utility
from leakaudit.render import Comparison, Difference, Report, _entries, _figures, _measures
from leakaudit.render._entries import Entry

UNEVEN = 0.03
"""Bits by which the entropy of an attribute falls short of even classes from which a share is said to be a mean."""
SEES = {
    "majority": ("nothing", "always the most frequent class"),
    "target-only": ("the target", "its label alone"),
    "model-output": ("the model's output", "label and scores"),
    "leace": ("the bottleneck after LEACE", "nothing linear left in it"),
    "random-init": ("an untrained encoder", "same architecture, random weights"),
    "raw-input": ("the raw input", "what there was to leak"),
}

CONTROLS = {
    "shuffled": ("shuffled labels", "find nothing"),
    "planted-linear": ("planted leak of 2 τ, linear", "be found"),
    "planted-class-dependent": ("planted leak of 2 τ, per target class", "be found"),
    "planted-xor": ("planted leak of 2 τ, XOR", "be found"),
    "planted-radial": ("planted leak of 2 τ, radial", "be found"),
    "converged": ("convergence of every attacker", "be reached"),
}

MEANING = {
    "LEAK": "An attacker reads the attribute. Even the lower bound of E lies above the tolerance.",
    "DETECTED": "There is a leak. Whether it exceeds the tolerance is open; the rows that would decide are named.",
    "INCONCLUSIVE": "The rows at hand cannot tell, or a control failed. The reason is named.",
    "WITHIN": "A leak exists; no attacker of suite v{suite} exceeds τ (95 %).",
    "NOT_FOUND": "No attacker of suite v{suite} exceeds τ (95 %); planted leaks of 2 τ were found. A stronger "
    "attacker, or another attribute, is another question.",
}


def things(entry: Entry) -> str:
    """What a row is: an image, or a row of an embeddings file."""
    kind = str(entry.audit.subject.get("kind", ""))
    return "rows" if kind == "file" or "embed" in kind else "images"


def clause(entry: Entry) -> str:
    """The verdict in words, for one model."""
    private, name, suite = entry.attribute.private, entry.name, entry.audit.suite
    return {
        "LEAK": f"{private} can be read from {name}",
        "DETECTED": f"{private} shows in {name}; whether by more than the tolerance is open",
        "INCONCLUSIVE": f"whether {private} can be read from {name} stays open",
        "WITHIN": f"{private} shows in {name}, and no attacker of suite v{suite} exceeds τ (95 %)",
        "NOT_FOUND": f"{private} in {name}: no attacker of suite v{suite} exceeds τ (95 %); "
        "planted leaks of 2 τ were found",
    }[entry.attribute.verdict]


def says(entry: Entry) -> tuple[str, str, str]:
    """What an attacker can do: words before the share, the share, and words after it."""
    part = entry.attribute
    who = "an attacker" if part.verdict == "LEAK" else "the strongest attacker"
    source = f"From rebuilt images {who}" if part.attacker.startswith("reconstruction") else who[:1].upper() + who[1:]
    alike = ", each class counting alike" * (math.log2(len(part.classes)) - part.entropy > UNEVEN)
    after = f" of unseen {things(entry)}{alike}; guessing names {_figures.percent(1 / len(part.classes))} %."
    return f"{source} names the {part.private} of ", f"{_figures.percent(part.figures.private_accuracy.value)} %", after


def beyond(entry: Entry) -> str:
    """What E leaves out."""
    target = entry.attribute.target
    return f"beyond what the {target} tells" if target else "with nothing conditioned on, since no target was named"


def limits(entry: Entry) -> str:
    """What the verdict does not speak of, in the same breath."""
    part, suite = entry.attribute, entry.audit.suite
    words = f"Only {part.private}, one checkpoint, suite v{suite}, {part.rows.scored} {things(entry)}. "
    words += "The figures are floors: another attacker may read more."
    if part.rows.trained is None and "unknown" in str(entry.audit.threat.get("overlap", "unknown")):
        words += " Overlap with the training rows is unknown."
    if not _entries.bounded(part.figures):
        words += " There are too few groups for bounds: the intervals are too narrow."
    if part.rows.trained:
        words += f" {part.rows.trained:,} more were trained on and are left out."
    if part.rows.missing:
        words += f" {part.rows.missing:,} more lack a label."
    if part.rows.would_decide and part.verdict in ("DETECTED", "INCONCLUSIVE") and " would decide" not in part.reason:
        words += f" About {part.rows.would_decide:,} rows of this mix would decide."
    return words


def papers_said(found: Sequence[Entry]) -> str:
    """What the papers' protocol would have reported, beside what was read."""
    known = [(entry, said) for entry in found if (said := _entries.paper(entry.attribute)) is not None]
    if not known:
        return ""
    if len(known) > 4:  # noqa: PLR2004 (of more, both ends)
        theirs = _ends([said.figures.private_accuracy.value for _, said in known])
        read = _ends([entry.attribute.figures.private_accuracy.value for entry, _ in known])
        return f"The papers' protocol would have said {theirs} for these models, where an attacker reads {read}."
    figures = _figures.joined(
        [f"{_figures.percent(said.figures.private_accuracy.value)} % for {entry.label}" for entry, said in known]
    )
    read = _figures.joined(
        [f"{_figures.percent(entry.attribute.figures.private_accuracy.value)} %" for entry, _ in known]
    )
    return f"The papers' protocol would have said {figures}, where an attacker reads {read}."


def _ends(shares: Sequence[float]) -> str:
    low, high = _figures.percent(min(shares)), _figures.percent(max(shares))
    return f"{low} %" if low == high else f"{low} to {high} %"


def controls_said(found: Sequence[Entry]) -> str:
    """Whether the controls held."""
    failed = [
        f"{CONTROLS.get(control.control, (control.control,))[0]}, {entry.label}"
        for entry in found
        for control in entry.attribute.controls
        if control.passed is False
    ]
    asked = sum(control.passed is not None for entry in found for control in entry.attribute.controls)
    if not asked:
        return "No control was run, so no absence can be concluded."
    if failed:
        return f"Failed: {_figures.joined(failed)}. No absence can be concluded there."
    return "Every control that was run held."


def utility_said(utility: Utility) -> str:
    """How well the model does its own task."""
    share, bounds = _figures.percent(utility.accuracy.value), _figures.bounds(utility.accuracy, of="%")
    return f"names the {utility.target} of {share} % {bounds}"


def unmeasured(audit: Audit) -> str:
    """That it is not known how well the model does its own task, and why; empty where it is known."""
    return "" if audit.utility else str(audit.provenance.get("own_task") or "")


def hashed(audit: Audit) -> str:
    """What the subject's sha256 is of: the tensors of a network whatever its file, or embeddings in a file or not."""
    return {
        "file": "embeddings (the file's bytes), sha256",
        "embeddings": "embeddings (numbers and labels in memory), sha256",
    }.get(str(audit.subject.get("kind")), "model (its tensors), sha256")


def told(comparison: Comparison, names: dict[str, str]) -> str:
    """The comparison's sentence with the short names."""
    words = comparison.sentence
    for long in sorted(names, key=len, reverse=True):
        words = words.replace(long, names[long])
    return words


def tells(part: Difference, first: str, second: str) -> str:
    """Whether the data can tell two models apart in one figure, and then which is better in it."""
    if not _figures.can_tell(part.difference):
        return "no"
    which = _measures.better(part.figure, part.difference.value)
    return "yes" if which is None else f"yes, {(first, second)[which]} {_measures.says(part.figure)}"


def models(audits: Sequence[Audit]) -> int:
    """How many models are spoken of: layers of one are one, and so is one model on several data."""
    return len({str(audit.subject.get("sha256") or audit.name) for audit in audits})


def noted(report: Report) -> list[str]:
    """What the audits note of their rows and labels, such as images that were left out; whose it is, unless all's."""
    notes = {audit.name: list(map(str, audit.provenance.get("notes") or ())) for audit in report.audits}
    every = dict.fromkeys(note for said in notes.values() for note in said)
    owners = {note: [name for name, said in notes.items() if note in said] for note in every}
    return [note if len(who) == len(notes) else f"{', '.join(who)}: {note}" for note, who in owners.items()]


def warned(report: Report) -> list[str]:
    """What must be read before a verdict; whose it is, where there are several models."""
    several = len(report.audits) > 1
    return [f"{audit.name}: {each}" if several else capital(each) for audit in report.audits for each in audit.warnings]


def prepared(report: Report) -> list[str]:
    """How images enter; whose it is, unless it is all's."""
    ways = {audit.name: str(audit.subject.get("preprocessing") or "") for audit in report.audits}
    if len(set(ways.values())) == 1:
        return [way for way in set(ways.values()) if way]
    return [f"{name}: {way}" for name, way in ways.items() if way]


def verdicts(report: Report) -> str:
    """Every verdict, and for a pair which leaks less: the sentence that would survive being quoted alone."""
    found = _entries.entries(report)
    return " ".join(filter(None, (_verdicts(found), _still(report, found))))


def _verdicts(found: Sequence[Entry]) -> str:
    words = []
    if len(found) > 3:  # noqa: PLR2004 (clauses for more do not make a sentence)
        return _listed(found)
    for private in dict.fromkeys(entry.attribute.private for entry in found):
        group = [entry for entry in found if entry.attribute.private == private]
        if len(group) > 1 and all(entry.attribute.verdict == "LEAK" for entry in group):
            number = {2: "Both models leak", 3: "All three models leak"}.get(
                len(group), f"All {len(group)} models leak"
            )
            words.append(f"{number} the {private}")
        else:
            words += [clause(entry) for entry in group]
    return " ".join(f"{capital(said).removesuffix('.')}." for said in words)


def _listed(found: Sequence[Entry]) -> str:
    alike: dict[str, list[str]] = {}
    for private in dict.fromkeys(entry.attribute.private for entry in found):
        group = [entry for entry in found if entry.attribute.private == private]
        verdicts = dict.fromkeys(entry.attribute.verdict for entry in group)
        names = {word: _some([e.name for e in group if e.attribute.verdict == word]) for word in verdicts}
        alike.setdefault(", ".join(f"{word} for {who}" for word, who in names.items()), []).append(private)
    return " ".join(f"{capital(_some(privates, 'attributes'))}: {said}." for said, privates in alike.items())


def _some(names: Sequence[str], what: str = "models") -> str:
    return _figures.joined(names) if len(names) < 5 else f"{len(names)} {what}"  # noqa: PLR2004 (a sentence)


def _still(report: Report, found: Sequence[Entry]) -> str:
    """Less is not little: what the model that leaks less still leaks."""
    if len(report.comparisons) != 1 or len(found) != 2:  # noqa: PLR2004 (a pair)
        return ""
    excess = next(one for one in report.comparisons[0].differences if one.figure == "excess")
    if not _figures.can_tell(excess.difference):
        return "Which of the two leaks less, the data cannot tell."
    less, more = found if excess.difference.value > 0 else found[::-1]
    times = less.attribute.figures.excess.value / less.audit.tolerance if less.audit.tolerance else 0.0
    if less.attribute.verdict == "LEAK" and times >= 2:  # noqa: PLR2004 (a multiple)
        return f"{capital(less.name)} leaks less than {more.name}, and still {times:.0f} times what is tolerated."
    return f"{capital(less.name)} leaks less than {more.name}."


def capital(words: str) -> str:
    """Words as a sentence begins."""
    return words[:1].upper() + words[1:]
