"""
The sentences that all forms of a report share, and how its numbers are written.

Every sentence is computed from the audit, in branches, so that it survives being quoted alone. No sentence praises a
model: the least that is said is that no attacker of the suite exceeded the tolerance.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from leakaudit.audit import Attribute, Audit, Utility
from leakaudit.finding import Baseline, Coverage, Figures, Finding
from leakaudit.render import Comparison, Difference, Report
from leakaudit.stats import Interval

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
    found = [
        Entry(audit, part, names[place], place)
        for place, audit in enumerate(report.audits)
        for part in audit.attributes
    ]
    order = list(dict.fromkeys(entry.attribute.private for entry in found))
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


def percent(share: float) -> str:
    """`47.1`: a share in percent, without the sign."""
    return _plain(f"{100 * share:.1f}")


def three(figure: float) -> str:
    """`0.412`: E."""
    return _plain(f"{figure:.3f}")


def _plain(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.") else text


def bounds(interval: Interval, *, of: str = "E") -> str:
    """`[0.392, 0.432]`, in the unit of the figure: `E`, `%`, `bits` or `dB`."""
    return f"[{figure(interval.low, of)}, {figure(interval.high, of)}]"


def change(difference: Difference) -> tuple[str, str]:
    """A difference and its bounds, each with its sign."""
    unit = "E" if difference.figure == "excess" else "%"
    value, *ends = [f"{'+' * (part > 0)}{figure(part, unit)}" for part in difference.difference]
    return value, f"[{ends[0]}, {ends[1]}]"


def tau(tolerance: float) -> str:
    """`0.10`: a tolerance, with the digits it was given."""
    return max(f"{tolerance:.2f}", f"{tolerance:g}", key=len)


def figure(value: float, of: str) -> str:
    """One figure in its unit's digits."""
    return percent(value) if of == "%" else three(value) if of in ("E", "SSIM") else _plain(f"{value:.2f}")


def p_value(p: float) -> str:
    """`p < 0.001`, or `p 0.012`."""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"  # noqa: PLR2004 (three digits)


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


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
    source = "From rebuilt images an attacker" if part.attacker.startswith("reconstruction") else "An attacker"
    after = f" of unseen {things(entry)}; guessing names {percent(1 / len(part.classes))} %."
    return f"{source} names the {part.private} of ", f"{percent(part.figures.private_accuracy.value)} %", after


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
    return joined([f"{name} in {times} of {len(part.winners)} folds" for name, times in count.most_common()])


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
    figures = joined([f"{percent(said.figures.private_accuracy.value)} % for {entry.name}" for entry, said in known])
    read = joined([f"{percent(entry.attribute.figures.private_accuracy.value)} %" for entry, _ in known])
    return f"The papers' protocol would have said {figures}, where an attacker reads {read}."


def controls_said(found: Sequence[Entry]) -> str:
    """Whether the controls held."""
    failed = [
        f"{CONTROLS.get(control.control, (control.control,))[0]} ({entry.name})"
        for entry in found
        for control in entry.attribute.controls
        if control.passed is False
    ]
    asked = sum(control.passed is not None for entry in found for control in entry.attribute.controls)
    if not asked:
        return "No control was run, so no absence can be concluded."
    if failed:
        return f"Failed: {joined(failed)}. No absence can be concluded there."
    return "Every control that was run held."


def utility_said(utility: Utility) -> str:
    """How well the model does its own task."""
    return f"names the {utility.target} of {percent(utility.accuracy.value)} % {bounds(utility.accuracy, of='%')}"


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


def can_tell(difference: Interval) -> bool:
    """Whether zero lies outside the interval."""
    return difference.low > 0 or difference.high < 0


def plain(value: Any) -> str:
    """Any JSON value as words."""
    if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
        return "; ".join(f"{key} ({words})" if (words := plain(part)) else str(key) for key, part in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(part) for part in value)
    return "" if value is None else str(value)


def not_tested(audit: Audit) -> str:
    """What this audit does not speak of."""
    return plain(audit.threat.get("not_tested", "")) or "membership, extraction, singling out"
