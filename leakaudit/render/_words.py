"""
The sentences that all forms of a report share.

Every sentence is computed from the audit, in branches, so that it survives being quoted alone. No sentence praises a
model: the least that is said is that no attacker of the suite exceeded the tolerance.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.audit import Attribute, Audit, Utility
from leakaudit.finding import Baseline, Coverage, Figures, Finding
from leakaudit.render import Comparison, Report, _figures

SEES = {
    "majority": ("nothing", "always the most frequent class"),
    "target-only": ("the target", "its label alone"),
    "model-output": ("the model's output", "label and scores"),
    "random-init": ("an untrained encoder", "same architecture, random weights"),
    "raw-input": ("the raw input", "what there was to leak"),
}

CONTROLS = {
    "shuffled": ("shuffled labels", "find nothing"),
    "planted-linear": ("planted leak of 2 τ, linear", "be found"),
    "planted-class-dependent": ("planted leak of 2 τ, per target class", "be found"),
    "planted-xor": ("planted leak of 2 τ, XOR", "be found"),
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


class Entry(NamedTuple):
    """One private attribute of one audit."""

    audit: Audit
    attribute: Attribute
    name: str
    """What the subject is called where several stand side by side."""
    place: int
    """Which audit of the report."""
    label: str
    """The name, with the private attribute behind it where there are several."""


class Row(NamedTuple):
    """One line of the table of attackers."""

    attacker: str
    auxiliary: str
    figures: Figures
    against: str
    """E against the tolerance, or why it is not compared."""
    decides: bool
    """The deciding row."""
    counts: bool
    """Whether the auxiliary may decide: drawn solid."""


def entries(report: Report) -> list[Entry]:
    """Every attribute of every audit; those of one private attribute stand together, models in the order given."""
    names = short([audit.name for audit in report.audits])
    order = list(dict.fromkeys(part.private for audit in report.audits for part in audit.attributes))
    found = [
        Entry(audit, part, names[i], i, f"{names[i]} ({part.private})" if len(order) > 1 else names[i])
        for i, audit in enumerate(report.audits)
        for part in audit.attributes
    ]
    return sorted(found, key=lambda entry: (order.index(entry.attribute.private), entry.place))


def questions(report: Report) -> list[tuple[str, list[Entry]]]:
    """Entries by private attribute."""
    found: dict[str, list[Entry]] = {}
    for entry in entries(report):
        found.setdefault(entry.attribute.private, []).append(entry)
    return list(found.items())


def short(names: Sequence[str]) -> list[str]:
    """Names without the hash behind `@` and the folder that all share, where they stay apart without."""
    if len(names) < 2:  # noqa: PLR2004 (alone)
        return list(names)
    bare = [re.sub(r"@[0-9a-f]{8}$", "", name) for name in names]
    known = bare if len(set(bare)) == len(names) and all(bare) else list(names)
    last = [name.rpartition("/")[2] for name in known]
    folders = {name.rpartition("/")[0] for name in known}
    return last if len(folders) == 1 and len(set(last)) == len(names) and all(last) else known


def things(entry: Entry) -> str:
    """What a row is: an image, or a row of an embeddings file."""
    return "rows" if "embed" in str(entry.audit.subject.get("kind", "")) else "images"


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
    after = f" of unseen {things(entry)}; guessing names {_figures.percent(1 / len(part.classes))} %."
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
    if part.rows.trained is None:
        words += " Overlap with the training rows is unknown."
    if part.rows.would_decide and part.verdict in ("DETECTED", "INCONCLUSIVE"):
        words += f" About {part.rows.would_decide} rows of this mix would decide."
    return words


def strongest(part: Attribute, *, brief: bool = False) -> str:
    """The attacker that decides, with the number of folds it was chosen in where that changed."""
    count = Counter(part.winners)
    if part.attacker.startswith("reconstruction") or len(count) < 2:  # noqa: PLR2004 (one name is no choice)
        return part.attacker
    if brief:
        return ", ".join(f"{name} x{times}" for name, times in count.most_common())
    return _figures.joined([f"{name} in {times} of {len(part.winners)} folds" for name, times in count.most_common()])


def against(figures: Figures, tolerance: float) -> str:
    """E's interval against the tolerance."""
    return "above" if figures.excess.low > tolerance else "under" if figures.excess.high <= tolerance else "across"


def rows(entry: Entry) -> list[Row]:
    """The deciding row first, then each auxiliary by E, the papers' last."""
    part, tolerance = entry.attribute, entry.audit.tolerance
    label = part.attacker if part.attacker.startswith("reconstruction") else "the chosen one"
    table = [Row(label, part.auxiliary, part.figures, f"{against(part.figures, tolerance)}, decides", True, True)]
    others = [finding.auxiliary for finding in part.findings if finding.auxiliary not in ("balanced", "paper")]
    for auxiliary in ("balanced", "rebuilt", *dict.fromkeys(others), "paper"):
        if auxiliary == "rebuilt" and part.reconstruction is not None and label == "the chosen one":
            read = part.reconstruction.private
            table.append(Row("reconstruction", "images", read, against(read, tolerance), False, True))
        found = [finding for finding in part.findings if finding.auxiliary == auxiliary]
        found.sort(key=lambda finding: -finding.figures.excess.value)
        table.extend(_row(finding, tolerance) for finding in found)
    return table


def _row(finding: Finding, tolerance: float) -> Row:
    word = against(finding.figures, tolerance)
    if finding.auxiliary == "paper":
        word = "compared only"
    elif finding.attacker == "gaussian-pca":
        word = "drawn only"
    if not finding.converged:
        word += " *"
    return Row(finding.attacker, finding.auxiliary, finding.figures, word, False, finding.decides)


def paper(part: Attribute) -> Finding | None:
    """What the papers' own protocol found."""
    return next((finding for finding in part.findings if finding.auxiliary == "paper"), None)


def baseline(part: Attribute, name: str) -> Baseline | None:
    """A baseline that applies."""
    return next((found for found in part.baselines if found.baseline == name and found.figures), None)


def still(part: Attribute) -> float | None:
    """E as a share of what the raw input holds; None where that is not known or hardly anything."""
    raw = baseline(part, "raw-input")
    if raw is None or raw.figures is None or raw.figures.excess.value < 0.05:  # noqa: PLR2004 (nothing to divide by)
        return None
    return part.figures.excess.value / raw.figures.excess.value


def papers_said(found: Sequence[Entry]) -> str:
    """What the papers' protocol would have reported, beside what was read."""
    known = [(entry, said) for entry in found if (said := paper(entry.attribute)) is not None]
    if not known:
        return ""
    figures = _figures.joined(
        [f"{_figures.percent(said.figures.private_accuracy.value)} % for {entry.label}" for entry, said in known]
    )
    read = _figures.joined(
        [f"{_figures.percent(entry.attribute.figures.private_accuracy.value)} %" for entry, _ in known]
    )
    return f"The papers' protocol would have said {figures}, where an attacker reads {read}."


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


def scheme(rows: Coverage) -> str:
    """How the scored rows were kept from the attackers."""
    name, _, number = rows.scheme.partition(" ")
    return {"cross-fit": f"cross-fitted in {number} folds", "split": f"split {number} once"}.get(name, rows.scheme)


def told(comparison: Comparison, names: dict[str, str]) -> str:
    """The comparison's sentence with the short names."""
    words = comparison.sentence
    for long in sorted(names, key=len, reverse=True):
        words = words.replace(long, names[long])
    return words


def not_tested(audit: Audit) -> str:
    """What this audit does not speak of."""
    return _figures.plain(audit.threat.get("not_tested", "")) or "membership, extraction, singling out"


def verdicts(report: Report) -> str:
    """Every verdict, and for a pair which leaks less: the sentence that would survive being quoted alone."""
    found = entries(report)
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
    return f"{capital('; '.join(words))}.".replace("..", ".")


def _listed(found: Sequence[Entry]) -> str:
    sentences = []
    for private in dict.fromkeys(entry.attribute.private for entry in found):
        group = [entry for entry in found if entry.attribute.private == private]
        verdicts = dict.fromkeys(entry.attribute.verdict for entry in group)
        names = {word: _figures.joined([e.name for e in group if e.attribute.verdict == word]) for word in verdicts}
        sentences.append(f"{capital(private)}: {', '.join(f'{word} for {who}' for word, who in names.items())}.")
    return " ".join(sentences)


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
