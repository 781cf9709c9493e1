"""What each auxiliary distribution would have concluded: its strongest attacker's E against the tolerance."""

from collections.abc import Sequence

from leakaudit.finding import Finding
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import forest, svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.forest import Row
from leakaudit.render._entries import Entry

PAPER = "paper"
NEVER = "never decides"
FEW = 3
"""Models of which each is spoken of by itself."""
SPOKEN = {
    "balanced": "balanced labels",
    "matched": "labels mixed as in training",
    PAPER: "the papers' protocol",
}
LIES = {"above": "above τ", "under": "under τ", "across": "on both sides of τ", "open": "open"}
"""What a sentence says of E's interval."""


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute that was attacked with at least two auxiliary distributions."""
    known = [(private, asked) for private, group in _entries.questions(report) if (asked := several(group))]
    names = stems("auxiliaries", [private for private, _ in known])
    return tuple(_drawing(name, private, group) for name, (private, group) in zip(names, known, strict=True))


def several(group: Sequence[Entry]) -> list[Entry]:
    """The models that were attacked with at least two."""
    return [entry for entry in group if len(strongest(entry)) > 1]


def strongest(entry: Entry) -> list[Finding]:
    """The strongest attacker of each auxiliary distribution: balanced first, the papers' last."""
    best: dict[str, Finding] = {}
    for finding in entry.attribute.findings:
        if finding.attacker == "gaussian-pca":
            continue
        held = best.get(finding.auxiliary)
        if held is None or finding.figures.excess.value > held.figures.excess.value:
            best[finding.auxiliary] = finding
    order = ["balanced", *sorted(set(best) - {"balanced", PAPER}), PAPER]
    return [best[name] for name in order if name in best]


def word(entry: Entry, finding: Finding) -> str:
    """Where its interval lies against the tolerance."""
    return _entries.against(finding.figures, entry.audit.tolerance)


def told(group: Sequence[Entry]) -> str:
    """For which models the auxiliary distributions agree, and what they say where they do not."""
    private, known = group[0].attribute.private, f"{len(group)} models"
    apart = [entry for entry in group if len({word(entry, finding) for finding in strongest(entry)}) > 1]
    if not apart:
        where = {word(entry, finding) for entry in group for finding in strongest(entry)}
        if where == {"open"}:
            return f"Where E of the {private} lies is open for every auxiliary distribution: too few groups for bounds."
        if where == {"across"}:
            return f"With every auxiliary distribution the interval of E of the {private} holds the tolerance."
        same = f", {next(iter(where))} τ" if len(where) == 1 else ""
        return f"Every auxiliary distribution puts E of the {private} on the same side of the tolerance{same}."
    if len(apart) > FEW:
        return (
            f"What is concluded about the {private} depends on the auxiliary distribution for {len(apart)} of {known}."
        )
    return " ".join(
        f"What is concluded about the {private} in {entry.name} depends on the auxiliary distribution: E lies "
        f"{_figures.joined([f'{LIES[word(entry, one)]} with {spoken(one.auxiliary)}' for one in strongest(entry)])}."
        for entry in apart
    )


def spoken(auxiliary: str) -> str:
    """What a sentence calls an auxiliary distribution."""
    return SPOKEN.get(auxiliary, auxiliary)


def caption(group: Sequence[Entry]) -> str:
    """What is seen, and how it is drawn."""
    words = (
        f"{told(group)} Rows: E of the strongest attacker that learned from each auxiliary distribution, with its "
        "95 % interval; it is the strongest on these rows, so that its interval stands for itself alone. Filled: may "
        "decide."
    )
    if any(finding.auxiliary == PAPER for entry in group for finding in strongest(entry)):
        words += " Hollow: does not decide; the papers' protocol never decides."
    return f"{words} Dashed: the tolerance."


def _drawing(name: str, private: str, group: Sequence[Entry]) -> Drawing:
    rows = []
    for entry in group:
        rows.append(Row(entry.name, entry, None))
        rows += [
            Row(
                one.auxiliary,
                entry,
                one.figures.excess,
                word(entry, one),
                one.decides,
                more=one.attacker,
                note=NEVER if one.auxiliary == PAPER else "",
            )
            for one in strongest(entry)
        ]
    body, high = forest.drawn(rows)
    title = f"What each auxiliary distribution would conclude about the {private}"
    drawn = svg.svg(forest.WIDE, high, body, kind="pic", title=title, desc=told(group), name=name)
    return Drawing(name, "auxiliaries", private, title, caption(group), drawn)
