"""What a report speaks of, in the order in which it is told: one entry per model and private attribute."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from leakaudit.audits import Attribute, Audit
from leakaudit.finding import Baseline, Coverage, Figures, Finding
from leakaudit.render import Report, _figures
from leakaudit.stats import LEVEL, Interval


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


class Headline(NamedTuple):
    """One of the four figures of the first screen."""

    figure: str
    """Its name in `_measures`."""
    value: float | None
    """None where it is not known."""
    interval: Interval | None
    """None where only the value is known, or not even that."""
    note: str
    """Why it is not known."""


def headlines(part: Attribute) -> tuple[Headline, ...]:
    """Private accuracy, E, the share of what the raw input gives, and E above a random encoder, in this order."""
    figures, raw, random = part.figures, part.share_of_raw, part.above_random
    share = raw.value if raw else still(part)
    known = share is not None
    return (
        Headline("private_accuracy", figures.private_accuracy.value, figures.private_accuracy, ""),
        Headline("excess", figures.excess.value, figures.excess, ""),
        Headline("share_of_raw", share, raw, "" if known else part.share_of_raw_note or "not measured"),
        Headline(
            "above_random",
            random.value if random else None,
            random,
            "" if random else part.above_random_note or "not measured",
        ),
    )


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
    """Names without the hash behind `@` and what all share (a folder; before `#` a network), where they stay apart."""
    if len(names) < 2:  # noqa: PLR2004 (alone)
        return list(names)
    bare = [re.sub(r"@[0-9a-f]{8}(?=#|$)", "", name) for name in names]
    layers = [name.rpartition("#")[2] for name in names if "#" in name]
    if len({name.rpartition("#")[0] for name in names}) == 1 and len(set(layers)) == len(names):
        return layers
    known = bare if len(set(bare)) == len(names) and all(bare) else list(names)
    last = [name.rpartition("/")[2] for name in known]
    folders = {name.rpartition("/")[0] for name in known}
    return last if len(folders) == 1 and len(set(last)) == len(names) and all(last) else known


def strongest(part: Attribute, *, brief: bool = False) -> str:
    """The attacker that decides, with the number of folds it was chosen in where that changed."""
    count = Counter(part.winners)
    if part.attacker.startswith("reconstruction"):
        return "reconstruction" if brief else part.attacker
    if len(count) < 2:  # noqa: PLR2004 (one name is no choice)
        return part.attacker
    if brief:
        return ", ".join(f"{name} x{times}" for name, times in count.most_common())
    return _figures.joined([f"{name} in {times} of {len(part.winners)} folds" for name, times in count.most_common()])


def against(figures: Figures, tolerance: float) -> str:
    """E's interval against the tolerance; `open` where groups are too few for one."""
    if not bounded(figures):
        return "open"
    return "above" if figures.excess.low > tolerance else "under" if figures.excess.high <= tolerance else "across"


def bounded(figures: Figures) -> bool:
    """Whether there were groups enough for bounds; where not, the printed interval is too narrow."""
    return (figures.private_lower, figures.private_upper) != (0, 1)


def rows(entry: Entry) -> list[Row]:
    """
    The deciding row first, then each auxiliary by E, the papers' last.

    An attacker that was chosen in every fold is the deciding row, and stands once.
    """
    part, tolerance = entry.attribute, entry.audit.tolerance
    label = part.attacker if part.attacker.startswith("reconstruction") else "the chosen one"
    table = [Row(label, part.auxiliary, part.figures, f"{against(part.figures, tolerance)}, decides", True, True)]
    others = [finding.auxiliary for finding in part.findings if finding.auxiliary not in ("balanced", "paper")]
    for auxiliary in ("balanced", "rebuilt", *dict.fromkeys(others), "paper"):
        if auxiliary == "rebuilt" and part.reconstruction is not None and label == "the chosen one":
            read = part.reconstruction.private
            table.append(Row("reconstruction", "images", read, against(read, tolerance), False, True))
        found = [f for f in part.findings if f.auxiliary == auxiliary and not _chosen(f, part)]
        found.sort(key=lambda finding: -finding.figures.excess.value)
        table.extend(_row(finding, tolerance) for finding in found)
    return table


def _chosen(finding: Finding, part: Attribute) -> bool:
    """Whether a finding is the deciding row itself."""
    alone = (finding.attacker, finding.auxiliary) == (part.attacker, part.auxiliary)
    return alone and finding.converged and finding.figures.excess == part.figures.excess


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


def scored(report: Report) -> str:
    """How many rows were scored; the fewest and the most where attributes or audits differ."""
    counts = sorted({entry.attribute.rows.scored for entry in entries(report)})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def needed(part: Attribute) -> int | None:
    """The labels after which the attribute shows; None too where nothing was detected, and one point is chance."""
    return part.labels_needed if part.p <= LEVEL else None


def scheme(rows: Coverage) -> str:
    """How the scored rows were kept from the attackers."""
    name, _, number = rows.scheme.partition(" ")
    return {"cross-fit": f"cross-fitted in {number} folds", "split": f"split {number} once"}.get(name, rows.scheme)
